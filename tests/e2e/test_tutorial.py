"""The tutorial on own files: every command in it runs, and what it says about the scores is true."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from medauc.evaluation import Predictions
from medauc.training import parse_recipe

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial-own-files.md").read_text(encoding="utf-8")
BREAST, ADRENAL = TUTORIAL.split("\n## ")[1:]
SHORT = [
    *("--set", "model.width=4", "--set", "model.stem=imagenet", "--set", "training.max_epochs=1"),
    *("--set", "data.subset.samples=96", "--device", "cpu"),
]


@pytest.mark.parametrize(
    "section", [BREAST, pytest.param(ADRENAL, marks=pytest.mark.slow)], ids=["breast", "adrenal"]
)
def test_every_command_runs_and_files_score_as_the_catalog(
    section: str,
    medmnist_dir: Path,
    invoke: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("MEDAUC_DATA", str(medmnist_dir))
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "cache"))
    blocks = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    commands = [shlex.split(line) for line in "".join(blocks).splitlines()]
    assert len(commands) >= 4
    for program, verb, *arguments in commands:
        assert program == "medauc"
        done = invoke(verb, *arguments, *(SHORT if verb == "train" else []))
        assert done.status == 0, (verb, arguments, done.err)
        if verb == "init":
            assert "no classes told: fill in the column target" in done.out
    runs = sorted((tmp_path / "runs").iterdir())
    tables = [Predictions.read(run / "predictions.csv") for run in runs]
    assert len(tables) >= 2
    for table in tables[1:]:
        assert table.ids == tables[0].ids
        np.testing.assert_allclose(table.score(), tables[0].score(), rtol=0, atol=1e-6)


def test_the_table_that_is_shown_is_the_one_that_is_written(
    medmnist_dir: Path, invoke: Callable, tmp_path: Path
):
    shown = re.search(r"```\n(path,id.*?)```", BREAST, flags=re.DOTALL)
    assert shown is not None
    assert invoke("export", "breastmnist", "out", "--data-dir", medmnist_dir).status == 0
    assert (tmp_path / "out" / "manifest.csv").read_text().startswith(shown[1])


def test_the_recipe_that_is_shown_is_valid():
    shown = re.search(r"```yaml\n(.*?)```", ADRENAL, flags=re.DOTALL)
    assert shown is not None
    parse_recipe(yaml.safe_load(shown[1]), "the tutorial")
