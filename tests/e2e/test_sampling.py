"""Samplers named in a recipe, on data with several labels."""

import pandas as pd
import pytest

from fixtures.medmnist_format import write_generated
from medauc.training.module import Classifier


@pytest.fixture
def several(tmp_path) -> str:
    """An own file of fourteen labels."""
    write_generated(tmp_path, "chestmnist").rename(tmp_path / "several.npz")
    return "several.npz"


@pytest.mark.parametrize(
    "settings", [["sampling.name=label_balanced", "loss.version=v1"], ["sampling.keep_groups=true"]]
)
def test_several_labels_train(invoke, tmp_path, tiny, several, settings: list[str], assert_complete) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    outcome = invoke("train", several, *tiny, *options, "--out", "run")
    assert outcome.status == 0, outcome.err
    assert_complete(tmp_path / "run")
    assert settings[0].split("=")[1] in (tmp_path / "run" / "recipe.yaml").read_text()


@pytest.mark.parametrize("setting", ["sampling.name=label_balanced", "sampling.keep_groups=true"])
def test_a_resumed_run_draws_the_batches_that_would_have_followed(
    invoke, tmp_path, tiny, several, setting: str, monkeypatch
) -> None:
    def break_off(module: Classifier, batch, batch_idx: int):
        if module.current_epoch == 1:
            raise OSError("no space left")
        return step(module, batch, batch_idx)

    step = Classifier.training_step
    options = [*tiny, "--set", setting, "--set", "sampling.batch_size=16"]
    assert invoke("train", several, *options, "--out", "whole").status == 0
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", break_off)
        assert "no space left" in invoke("train", several, *options, "--out", "broken").err
    outcome = invoke("train", several, *options, "--out", "broken", "--resume")
    assert outcome.status == 0, outcome.err
    histories = [
        pd.read_csv(tmp_path / name / "metrics.csv").drop(columns="seconds") for name in ("whole", "broken")
    ]
    pd.testing.assert_frame_equal(*histories, check_exact=True)


def test_one_balance_for_several_labels_is_refused_in_one_line(invoke, tmp_path, tiny, several) -> None:
    outcome = invoke("train", several, *tiny, "--set", "sampling.name=class_balanced", "--out", "run")
    assert outcome.status != 0
    assert "sampling.name=label_balanced" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are(invoke, tiny, several) -> None:
    outcome = invoke("train", several, *tiny, "--set", "sampling.name=balanced", "--out", "run")
    assert outcome.status != 0
    assert "auto | class_balanced | label_balanced | shuffled" in outcome.err
