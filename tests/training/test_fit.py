"""Runs killed while their folder was made, or that lost their checkpoints, are trained all the same."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medauc.data import PhantomSpec, load_dataset
from medauc.training import RunFolder, ensemble, fit, parse_recipe, train
from medauc.training.ensemble_folder import EnsembleFolder
from medauc.training.memory import lower_batch

DATA = replace(
    load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=40, n_val=20, n_test=20, prevalence=0.4)),
    made_splits="drawn for this test",
)
VALUES = {
    "model": {"width": 4, "stem": "imagenet"},
    "training": {"max_epochs": 1, "patience": None, "out_of_memory": "halve_batch"},
    "sampling": {"batch_size": 16},
}
SINGLE = parse_recipe(VALUES, "a test")
ENSEMBLE = parse_recipe({**VALUES, "ensemble": {"members": 2}}, "a test")


class Killed(BaseException):
    """What nobody catches."""


def die(*_: object, **__: object) -> None:
    raise Killed


def scores(folder: Path, resume: bool = True) -> bytes:
    train(DATA, SINGLE, folder, device="cpu", resume=resume)
    return (folder / "predictions.csv").read_bytes()


def killed_in(place: object, name: str, act: Callable[[], object]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(place, name, die)
        with pytest.raises(Killed):
            act()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fit") / "whole"
    scores(folder, resume=False)
    return folder


@pytest.fixture
def unfinished(whole: Path, tmp_path: Path) -> Path:
    """A run whose process died before it scored anything."""
    shutil.copytree(whole, folder := tmp_path / "run")
    for name in ("evaluation.json", "predictions.csv"):
        (folder / name).unlink()
    return folder


def test_killed_before_it_had_its_folders(whole, tmp_path):
    folder = tmp_path / "run"
    killed_in(RunFolder, "_make_subfolders", lambda: scores(folder, resume=False))
    assert [path.name for path in folder.iterdir()] == ["recipe.yaml"]
    assert scores(folder) == (whole / "predictions.csv").read_bytes()
    assert (folder / "split.csv").read_bytes() == (whole / "split.csv").read_bytes()


def test_an_ensemble_killed_before_it_had_its_folders(whole, tmp_path):
    def begin(resume: bool) -> None:
        train(DATA, ENSEMBLE, tmp_path / "run", device="cpu", resume=resume)

    killed_in(EnsembleFolder, "_make_subfolders", lambda: begin(resume=False))
    killed_in(ensemble, "train", lambda: begin(resume=True))
    assert (tmp_path / "run" / "members").is_dir()
    assert (tmp_path / "run" / "split.csv").read_bytes() == (whole / "split.csv").read_bytes()


def test_without_its_checkpoints_it_begins_anew(whole, unfinished):
    shutil.rmtree(unfinished / "checkpoints")
    assert scores(unfinished) == (whole / "predictions.csv").read_bytes()
    assert len((unfinished / "metrics.csv").read_text().splitlines()) == 1 + SINGLE.training.max_epochs


def test_killed_while_its_batch_was_halved(unfinished):
    killed_in(RunFolder, "create", lambda: lower_batch(unfinished, SINGLE))
    assert not (unfinished / "checkpoints").exists()
    killed_in(fit, "fit_stages", lambda: scores(unfinished))
    assert (unfinished / "checkpoints").is_dir(), "the next start finds out for itself"
