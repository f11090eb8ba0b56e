"""Workers of one machine hold one copy of a data set, and train on equal pixels."""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace

import numpy as np
import pytest

from fixtures.few import Few
from medauc.data import PhantomSpec, load_dataset
from medauc.data.mapped import MappedImages
from medauc.training import shared_data
from medauc.training.executor import LocalExecutor
from medauc.training.plan import resolve_recipe
from medauc.training.scratch import make_scratch
from medauc.training.shared_data import SharedData
from medauc.training.unit import Unit

SPEC = PhantomSpec(n_train=60, n_val=40, n_test=40)


@pytest.fixture
def small_ones_too(monkeypatch):
    monkeypatch.setattr(shared_data, "_WORTH_IT", 1)


@pytest.mark.usefixtures("small_ones_too")
def test_the_second_process_maps_what_the_first_read(tmp_path, monkeypatch):
    direct = load_dataset("phantom2d", 12, phantom=SPEC)
    first = SharedData(tmp_path)("phantom2d", 12, phantom=SPEC)
    monkeypatch.setattr(shared_data, "load_dataset", lambda *arguments, **options: pytest.fail("read again"))
    second = SharedData(tmp_path)("phantom2d", 12, phantom=SPEC)
    for found in (first, second):
        assert (found.md5, found.class_names, found.ideal_auc) == (
            direct.md5,
            direct.class_names,
            direct.ideal_auc,
        )
        for split, expected in zip(found, direct, strict=True):
            assert isinstance(split.images, np.memmap)
            np.testing.assert_array_equal(split.images, expected.images)
            np.testing.assert_array_equal(split.targets, expected.targets)
            assert split.ids.tolist() == expected.ids.tolist()
            assert split.targets.flags.writeable
            assert isinstance(split.take(np.array([3, 1])).images, MappedImages), "still on disk"


@pytest.mark.usefixtures("small_ones_too")
def test_other_options_are_other_data(tmp_path):
    load = SharedData(tmp_path)
    assert load("phantom2d", 12, phantom=SPEC).md5 != load("phantom2d", 16, phantom=SPEC).md5
    assert len(list(tmp_path.glob("*.joblib"))) == 2


def test_small_sets_are_read_by_each(tmp_path):
    found = SharedData(tmp_path)("phantom2d", 12, phantom=SPEC)
    assert not isinstance(found.train.images, np.memmap)
    assert not list(tmp_path.glob("*.joblib"))


@pytest.mark.usefixtures("small_ones_too")
def test_without_room_each_has_its_own(tmp_path, monkeypatch):
    def full(dataset: object, path: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("joblib.dump", full)
    found = SharedData(tmp_path)("phantom2d", 12, phantom=SPEC)
    assert not isinstance(found.train.images, np.memmap)
    assert not list(tmp_path.glob("*joblib*"))


def test_scratch_of_killed_processes_is_removed_and_that_of_others_kept(tmp_path, monkeypatch):
    """Told by locks: a number of a process says nothing on another host, or in another container."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = (
        "from medauc.training.scratch import make_scratch; print(make_scratch().name, flush=True); input()"
    )
    others = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    stale, alive = (process.stdout.readline().strip() for process in others if process.stdout is not None)
    others[0].kill()
    others[0].wait()
    first, own = make_scratch(), make_scratch()
    assert {path.name for path in tmp_path.iterdir()} == {first.name, own.name, alive}
    assert stale not in (first.name, own.name, alive)
    assert own.stat().st_mode & 0o077 == 0, "nobody else may put data there"
    others[1].communicate("\n")


@pytest.mark.slow
def test_two_workers_map_one_file_and_train_as_one_process_would(tmp_path):
    counts = ["data.phantom.n_train=5000", "data.phantom.n_val=50", "data.phantom.n_test=50"]
    small = ["data.size=64", "model.width=4", "model.stem=imagenet", "training.max_epochs=1"]
    recipe = resolve_recipe("phantom2d", overrides=[*counts, *small, "data.phantom.prevalence=0.3"]).recipe
    notes = tmp_path / "notes"
    units = [
        Unit(tmp_path / str(seed), "phantom2d", recipe, seed, part=Few(notes, 40), device="cpu")
        for seed in range(2)
    ]
    with LocalExecutor(jobs=2, threads=1) as executor:
        assert [outcome.error for outcome in executor.run(units)] == [None, None]
        assert executor._shared is not None
        lines = notes.read_text().splitlines()
        assert len(lines) == 2
        assert len(set(lines)) == 1
        assert lines[0].startswith(str(executor._shared))
        left = executor._shared
    assert not left.exists()
    with LocalExecutor(jobs=1, threads=1) as alone:
        (outcome,) = alone.run([replace(units[1], folder=tmp_path / "alone")])
    assert outcome.error is None
    assert notes.read_text().splitlines()[2] == "memory"
    assert (tmp_path / "alone" / "predictions.csv").read_bytes() == (
        tmp_path / "1" / "predictions.csv"
    ).read_bytes()
