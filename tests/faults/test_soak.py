"""Many trainings in one process leave nothing behind: no memory, threads, open files or objects."""

import json
import os
import subprocess
import sys

import pytest

from conftest import REPOSITORY, medauc_environment


def soak(home, trainings: int, settings: list[str]) -> list[dict[str, int]]:
    """Train in a fresh process; what it held after each fifth training."""
    path = os.pathsep.join([str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "fixtures.soak", str(trainings), *settings],
        cwd=home,
        env=medauc_environment(home, PYTHONPATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def assert_steady(held: list[dict[str, int]], trainings: int) -> None:
    first, last = held[0], held[-1]
    assert last["threads"] == first["threads"]
    assert last["files"] == first["files"]
    assert last["objects"] - first["objects"] <= 2 * trainings, "an object or two a training"
    assert last["kib"] - first["kib"] <= 4096 + 50 * trainings, "50 KiB a training are 5 MB in a hundred"


@pytest.mark.slow
def test_two_hundred_trainings(tmp_path, settings):
    held = soak(tmp_path, 200, [*settings, "training.max_epochs=1"])
    print(held[0], held[-1])
    assert_steady(held, 200)
