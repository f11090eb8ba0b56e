"""SIGKILL at random moments: every restart goes on, nothing is ever half-written, and the result is the same."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import REPOSITORY, medauc_arguments, medauc_environment
from fixtures.kills import VERBS, Command, Running, content, endure


def killed_in_forks(verb: str, home: Path, kills: int, settings: list[str], seed: int = 1) -> dict[str, int]:
    path = os.pathsep.join([str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")])
    script = [sys.executable, "-m", "fixtures.kills", verb, str(home), str(kills), str(seed), *settings]
    done = subprocess.run(
        script,
        cwd=home,
        env=medauc_environment(home, PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{verb}: {found['kills']} kills, {found['runs']} folders finished, all equal to the undisturbed one"
    )
    return found


def test_a_training_killed_a_few_times(tmp_path, settings):
    assert killed_in_forks("train", tmp_path, 3, [*settings, "training.max_epochs=2"])["kills"] >= 3


ONE, TWO = ["training.max_epochs=4"], ["training.max_epochs=2"]
STAGES = ["training.max_epochs=3", "first_stage={max_epochs: 2}", "training.weight_averaging=ema"]
FOLDS = ["training.max_epochs=2", "ensemble.folds=2", "ensemble.refit=true"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "more"),
    [("train", ONE), ("train", STAGES), ("train", FOLDS), ("benchmark", TWO), ("tune", TWO)],
    ids=["train", "two stages", "folds", "benchmark", "tune"],
)
def test_killed_fifty_times(tmp_path, settings, verb, more):
    assert killed_in_forks(verb, tmp_path, 50, [*settings, *more])["kills"] >= 50


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_the_command_itself_killed_again_and_again(tmp_path, settings, verb):
    """As users start it, its first seconds and the start of its workers included."""
    chance = random.Random(3)

    def start(out: Path) -> Running:
        arguments = medauc_arguments(*VERBS[verb](out, settings))
        return Command(arguments, tmp_path, medauc_environment(tmp_path), chance.random() < 0.5)

    begun = time.perf_counter()
    whole = start(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0, (tmp_path / "stderr.txt").read_text()
    horizon = time.perf_counter() - begun
    expected = content(tmp_path / "whole")
    landed = runs = 0
    while landed < 10:
        out = tmp_path / f"broken{runs}"
        landed += endure(start, out, horizon, chance)
        assert "Traceback" not in (tmp_path / "stderr.txt").read_text()
        assert content(out) == expected
        runs += 1
    print(f"{verb}: {landed} kills, {runs} folders finished, all equal to the undisturbed one")
