"""Another test-time augmentation for weights that are trained already."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medauc.data import PhantomSpec, load_dataset
from medauc.errors import InputError
from medauc.training import parse_recipe, train
from medauc.training.rescoring import rescore

DATA = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=40, n_val=20, n_test=20, prevalence=0.4))
RECIPE = {
    "augment": {"flip": 0.5, "rotation": 15},
    "model": {"width": 4, "stem": "imagenet"},
    "training": {"max_epochs": 1, "patience": None},
    "sampling": {"batch_size": 16},
    "evaluation": {"test_time_augmentation": "flips"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rescoring") / "run"
    train(DATA, parse_recipe(RECIPE, "x"), folder, device="cpu")
    return folder


def scores_of(folder: Path, **changes) -> np.ndarray:
    return rescore(folder, DATA, splits=("val", "test"), device="cpu", **changes).frame.score.to_numpy()


def test_without_a_change_the_run_s_own_scores_come_back(run: Path) -> None:
    table = rescore(run, DATA, splits=("val", "test"), device="cpu").frame
    own = pd.read_csv(run / "predictions.csv", dtype={"id": str, "group": str})
    assert table.id.tolist() == own.id.tolist()
    assert table.split.tolist() == own.split.tolist()
    np.testing.assert_allclose(table.score, own.score, rtol=1e-5, atol=1e-6)


def test_a_change_acts_as_if_the_run_had_been_trained_with_it(run: Path, tmp_path: Path) -> None:
    for kind in ("none", "octahedral", "random"):
        changed = {**RECIPE, "evaluation": {"test_time_augmentation": kind}}
        train(DATA, parse_recipe(changed, "x"), tmp_path / kind, device="cpu")
        expected = pd.read_csv(tmp_path / kind / "predictions.csv").score
        found = scores_of(run, test_time_augmentation=kind)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert not np.allclose(found, scores_of(run))


def test_only_validation_is_scored_unless_test_is_asked_for(run: Path) -> None:
    assert set(rescore(run, DATA, device="cpu").frame.split) == {"val"}


def test_changes_and_data_that_do_not_fit_are_refused(run: Path) -> None:
    with pytest.raises(InputError, match=r"test_time_augmentation is 'mirror'.*octahedral"):
        rescore(run, DATA, test_time_augmentation="mirror")
    other = load_dataset("phantom3d", 12, phantom=PhantomSpec(n_train=40, n_val=20, n_test=20))
    with pytest.raises(InputError, match="trained on other data than this phantom3d; give phantom2d"):
        rescore(run, other)
