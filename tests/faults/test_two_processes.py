"""Two processes in one run folder: the second is refused, and a dead one keeps nobody out."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import medauc_arguments, medauc_environment
from medauc.errors import InputError
from medauc.training.claim import claimed


def test_a_second_training_is_refused_and_a_killed_one_is_not_in_the_way(tmp_path, invoke, options):
    folder = tmp_path / "run"
    endless = [
        *options,
        "--set",
        "training.max_epochs=100000",
        "--set",
        "training.patience=null",
        "--out",
        "run",
    ]
    first = subprocess.Popen(
        medauc_arguments("train", "phantom2d", *endless),
        cwd=tmp_path,
        env=medauc_environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (folder / "metrics.csv").exists():
            assert first.poll() is None
            time.sleep(0.02)
        second = invoke("train", "phantom2d", "--resume", "--out", "run")
        assert second.status == 2
        assert second.err.splitlines() == [
            "medauc: run: another process is training it; wait for that one, or name another with --out"
        ]
    finally:
        first.kill()
        first.wait()
    epochs = len((folder / "metrics.csv").read_text().splitlines())
    assert (tmp_path / ".run.lock").exists(), "the killed one had no time to remove it"
    last = ["--set", f"training.max_epochs={epochs + 1}", "--set", "training.patience=null"]
    again = invoke("train", "phantom2d", *options, *last, "--resume", "--out", "run")
    assert "training.max_epochs (100000 ->" in again.err, "the claim was not in the way of this"
    assert not (tmp_path / ".run.lock").exists()


def test_a_claim_ends_with_its_process(tmp_path):
    folder = tmp_path / "new" / "run"
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(target=_hold, args=(folder, theirs))
    child.start()
    assert ours.recv() == "held"
    with pytest.raises(InputError, match=r"new/run: another process is training it"), claimed(folder):
        pass
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    with claimed(folder):
        assert [path.name for path in folder.parent.iterdir()] == [".run.lock"]
    assert not list(folder.parent.iterdir())


def _hold(folder: Path, pipe: "multiprocessing.connection.Connection[str, None]") -> None:
    with claimed(folder):
        pipe.send("held")
        time.sleep(600)


def test_a_folder_is_the_same_however_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path / "run")
    with claimed(tmp_path / "run"):
        for name in (Path(), Path("../run"), Path("../link"), tmp_path / "run" / ".." / "run"):
            with pytest.raises(InputError, match="another process"), claimed(name):
                pass
