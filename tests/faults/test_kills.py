"""SIGKILL at random moments: every restart goes on, nothing is ever half-written, and the result is the same."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import REPOSITORY, medauc_arguments, medauc_environment
from fixtures.kills import Command, Running, content, endure, require_whole, train_arguments


def killed_in_forks(home: Path, kills: int, seed: int, settings: list[str]) -> dict[str, int]:
    environment = medauc_environment(home) | {"PYTHONPATH": str(REPOSITORY / "tests")}
    script = [sys.executable, "-m", "fixtures.kills", str(home), str(kills), str(seed), *settings]
    done = subprocess.run(
        script, cwd=home, env=environment, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_training_killed_a_few_times(tmp_path, settings):
    found = killed_in_forks(tmp_path, 3, 1, [*settings, "training.max_epochs=2"])
    assert found["kills"] >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["training.max_epochs=8"],
        ["training.max_epochs=4", "first_stage={max_epochs: 3}", "training.weight_averaging=ema"],
        ["training.max_epochs=3", "ensemble.folds=2", "ensemble.refit=true"],
    ],
    ids=["one", "two stages", "folds"],
)
def test_a_training_killed_fifty_times_in_forks(tmp_path, settings, more):
    assert killed_in_forks(tmp_path, 50, 2, [*settings, *more])["kills"] >= 50


GRID = ["benchmark", "phantom2d", "--vary", "loss.name=aucm,pairwise", "--seeds", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "benchmark"])
def test_a_command_killed_fifty_times(tmp_path, settings, options, verb):
    """The whole command, start included; of a benchmark the parent alone in half of the cases."""
    chance = random.Random(3)
    environment = medauc_environment(tmp_path)

    def start(out: Path) -> Running:
        arguments = train_arguments(out, settings) if verb == "train" else [*GRID, *options, "--out", str(out)]
        return Command(medauc_arguments(*arguments), tmp_path, environment, chance.random() < 0.5)

    begun = time.perf_counter()
    whole = start(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0, (tmp_path / "stderr.txt").read_text()
    horizon = time.perf_counter() - begun
    expected = content(tmp_path / "whole")
    assert len(expected) >= (5 if verb == "train" else 16)
    landed = runs = 0
    while landed < 50:
        out = tmp_path / f"broken{runs}"
        landed += endure(lambda: start(out), horizon, chance, lambda: require_whole(out))
        assert "Traceback" not in (tmp_path / "stderr.txt").read_text()
        assert content(out) == expected
        runs += 1
    print(f"{verb}: {landed} kills, {runs} runs equal to the undisturbed one")
