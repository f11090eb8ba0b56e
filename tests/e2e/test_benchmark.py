"""``medauc benchmark`` as a user runs it: killed at any moment and started again, it ends where it would have."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from conftest import medauc_arguments, medauc_environment

SETTINGS = [
    "data.phantom.n_train=100", "data.phantom.n_val=40", "data.phantom.n_test=60", "data.phantom.prevalence=0.3",
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16", "training.max_epochs=4",
]  # fmt: skip
OPTIONS = [part for setting in SETTINGS for part in ("--set", setting)]
GRID = ["phantom2d", "--vary", "loss.name=aucm,pairwise", "--seeds", "2", *OPTIONS, "--device", "cpu"]


def start(home: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        medauc_arguments("benchmark", *GRID, *more),
        cwd=home,
        env=medauc_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def finish(invoke: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a grid to its end, its workers with one thread as those of ``start``; gives what it printed."""

    def run(*more: str) -> str:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        done = invoke("benchmark", *GRID, *more)
        assert done.status == 0, done.err
        return done.out

    return run


def epochs(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") - 1 for path in folder.rglob("metrics.csv"))


def stop_after(process: "subprocess.Popen[str]", folder: Path, count: int, how: signal.Signals) -> str:
    """Send a signal a random moment after ``count`` epochs of all cells are done."""
    while epochs(folder) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    time.sleep(random.random() / 10)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0, "the grid ended before the signal came"
    return err


def content(folder: Path) -> dict[str, bytes]:
    wanted = ("predictions.csv", "best.safetensors")
    return {
        str(path.relative_to(folder)): path.read_bytes() for name in wanted for path in folder.rglob(name)
    }


def test_a_grid_killed_again_and_again_ends_as_one_that_was_not(tmp_path, finish):
    finish("--out", "whole")
    broken = tmp_path / "broken"
    stop_after(start(tmp_path, "--out", "broken"), broken, 2, signal.SIGKILL)
    before = epochs(broken)
    time.sleep(1.0)
    assert epochs(broken) <= before + 1, "the worker outlived its benchmark"
    said = stop_after(start(tmp_path, "--out", "broken"), broken, 6, signal.SIGINT)
    assert said.strip().splitlines()[-1].startswith("medauc: interrupted: ")
    assert "trainings are finished; the same command continues the others" in said
    assert "Traceback" not in said
    stamps = {path: path.stat().st_mtime_ns for path in broken.rglob("evaluation.json")}
    assert stamps
    finish("--out", "broken", "--jobs", "2")
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps, (
        "finished cells are not trained again"
    )
    found, expected = content(broken), content(tmp_path / "whole")
    assert len(found) == 8
    assert found == expected
    ledgers = [
        pd.read_csv(folder / "ledger.csv").sort_values("predictions")
        for folder in (broken, tmp_path / "whole")
    ]
    kept = [
        ledger.drop(columns=["epoch_seconds", "wall_seconds", "peak_mib"]).reset_index(drop=True)
        for ledger in ledgers
    ]
    pd.testing.assert_frame_equal(*kept, check_exact=True)

    again = finish("--out", "broken")
    assert "4 trainings, 4 finished" in again
    assert (broken / "table.md").read_text().count("| phantom2d_12 |") == 2
    assert not [path for path in broken.rglob("*") if path.suffix in (".log", ".tmp")]


@pytest.mark.slow
def test_a_worker_killed_at_a_random_moment_is_replaced(tmp_path, finish):
    process = start(tmp_path, "--out", "grid")
    while epochs(tmp_path / "grid") < 3:
        time.sleep(0.005)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    finish("--out", "whole")
    assert content(tmp_path / "grid") == content(tmp_path / "whole")
    assert "failed" not in out


def test_errors_are_one_line(invoke, tmp_path):
    for arguments, said in [
        (["phantom9"], "unknown data set 'phantom9'"),
        (["phantom2d", "--recipe", "none.yaml"], "neither 'default' nor 'seed' nor a file"),
        (["phantom2d", "--vary", "loss.name"], "write it as key.path=value,value"),
        (["phantom2d", "--set", "optim.lr=-1"], "optim.lr is -1"),
        (["--data-dir", str(tmp_path)], "holds no file of the catalog"),
    ]:
        result = invoke("benchmark", *arguments)
        assert result.status == 2
        assert said in result.err
        assert len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "benchmark").exists()


def test_a_budget_of_nothing_shows_what_there_is(invoke, tmp_path):
    nothing = invoke("benchmark", *GRID, "--budget", "0")
    assert nothing.status == 0, nothing.err
    assert "1 data sets, 2 recipes: 4 trainings, 0 finished" in nothing.out
    assert not (tmp_path / "benchmark" / "table.md").exists()
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())).count("phantom") == 0
