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
    *("--set", "data.subset.samples=48", "--device", "cpu"),
]
FEW = 64  # images of each split


@pytest.fixture
def few_images(medmnist_dir: Path, tmp_path: Path) -> Path:
    """A folder with the beginning of each split of the official files."""
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("breastmnist", "adrenalmnist3d"):
        with np.load(medmnist_dir / f"{name}.npz") as arrays:
            np.savez(folder / f"{name}.npz", **{key: values[:FEW] for key, values in arrays.items()})
    return folder


@pytest.mark.parametrize("section", [BREAST, ADRENAL], ids=["breast", "adrenal"])
def test_every_command_runs_and_files_score_as_the_catalog(
    section: str, few_images: Path, invoke: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The commands as they stand, on few of the official images."""
    monkeypatch.setenv("MEDAUC_DATA", str(few_images))
    run_the_commands(section, invoke, tmp_path, monkeypatch, ["--allow-modified"])


@pytest.mark.slow
@pytest.mark.parametrize("section", [BREAST, ADRENAL], ids=["breast", "adrenal"])
def test_every_command_runs_on_the_whole_sets(
    section: str, medmnist_dir: Path, invoke: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEDAUC_DATA", str(medmnist_dir))
    run_the_commands(section, invoke, tmp_path, monkeypatch, [])


def run_the_commands(
    section: str, invoke: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_catalog: list[str]
) -> None:
    """Run every command of a section; ``of_catalog`` goes to those that read a file of the catalog."""
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "cache"))
    blocks = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    commands = [shlex.split(line) for line in "".join(blocks).splitlines()]
    assert len(commands) >= 4
    for program, verb, *arguments in commands:
        assert program == "medauc"
        own = [*(SHORT if verb == "train" else []), *(of_catalog if verb in ("train", "export") else [])]
        done = invoke(verb, *arguments, *own)
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
    few_images: Path, invoke: Callable, tmp_path: Path
):
    shown = re.search(r"```\n(path,id.*?)```", BREAST, flags=re.DOTALL)
    assert shown is not None
    few = ["--data-dir", few_images, "--allow-modified"]
    assert invoke("export", "breastmnist", "out", *few).status == 0
    assert (tmp_path / "out" / "manifest.csv").read_text().startswith(shown[1])


def test_the_recipe_that_is_shown_is_valid():
    shown = re.search(r"```yaml\n(.*?)```", ADRENAL, flags=re.DOTALL)
    assert shown is not None
    parse_recipe(yaml.safe_load(shown[1]), "the tutorial")
