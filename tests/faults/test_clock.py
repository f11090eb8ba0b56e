"""A clock that jumps by days in both directions, as when a laptop wakes or a server's time is set."""

import random
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fixtures.kills import content


@pytest.fixture
def jumping_clock(monkeypatch):
    """Every look at the wall clock shows another day; those for durations go on as they should."""
    chance, now, now_ns = random.Random(0), time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + chance.uniform(-30, 30) * 86400)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + chance.randrange(-30, 30) * 86400 * 10**9)


@pytest.fixture
def expected(invoke, tmp_path, options):
    """What a training leaves while the clock is right."""
    assert invoke("train", "phantom2d", *options, "--out", "whole").status == 0
    return content(tmp_path / "whole")


def test_a_training_and_its_resumption(expected, jumping_clock, invoke, tmp_path, options, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            "medauc.training.fit.load_weights", lambda *_: (_ for _ in ()).throw(RuntimeError("stopped"))
        )
        assert invoke("train", "phantom2d", *options, "--out", "run").status == 1
    assert invoke("train", "phantom2d", "--resume", "--out", "run").status == 0
    assert content(tmp_path / "run") == expected
    seconds = pd.read_csv(tmp_path / "run" / "metrics.csv").seconds
    assert seconds.between(0, 600).all()


@pytest.mark.slow
def test_a_budget_of_time(jumping_clock, invoke, tmp_path, options):
    """A day that passes in a moment does not use it up."""
    finished = invoke("benchmark", "phantom2d", *options, "--seeds", "1", "--budget", "500", "--out", "grid")
    assert finished.status == 0, finished.err
    (row,) = pd.read_csv(tmp_path / "grid" / "ledger.csv").itertuples()
    assert 0 <= row.wall_seconds <= 600


def test_files_that_seem_to_be_of_the_future(tmp_path, monkeypatch, jumping_clock):
    """A changed file is noticed, whatever its times say."""
    from medauc.data import load_dataset

    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "cache"))
    for number in range(40):
        path = tmp_path / "images" / str(number % 2) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16), 5 * number).save(path)
    first = load_dataset(str(tmp_path / "images"))
    assert load_dataset(str(tmp_path / "images")).md5 == first.md5
    Image.new("L", (16, 16), 255).save(tmp_path / "images" / "1" / "1.png")
    second = load_dataset(str(tmp_path / "images"))
    assert second.md5 != first.md5
    assert sum(int((np.asarray(split.images[:]) == 255).any()) for split in second) == 1
