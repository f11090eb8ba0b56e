"""Every loss by name through ``medauc train``, starting from recipes that were written for AUCM."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from fixtures.every_loss import ONE_LABEL_ONLY
from fixtures.medmnist_format import write_generated
from medauc.losses import available, lookup
from medauc.training.sections.loss import LOSSES

EVERY = pytest.mark.parametrize("name", available())


def settings(*texts: str) -> list[str]:
    return [part for text in texts for part in ("--set", text)]


def recipe_of(folder: Path) -> dict:
    return yaml.safe_load((folder / "recipe.yaml").read_text())


@EVERY
@pytest.mark.parametrize("recipe", ["default", pytest.param("seed/breastmnist", marks=pytest.mark.slow)])
def test_on_the_phantom(invoke, tmp_path, tiny_phantom, assert_complete, name: str, recipe: str) -> None:
    one = settings(f"loss.name={name}", "training.max_epochs=1", "data.positive_class=null")
    options = [*tiny_phantom, *one]
    outcome = invoke("train", "phantom2d", "--recipe", recipe, *options, "--out", "run")
    assert outcome.status == 0, outcome.err
    assert_complete(tmp_path / "run")
    written = recipe_of(tmp_path / "run")
    assert written["loss"] == (
        {"name": name, **LOSSES[name]().options()} if name != "aucm" else written["loss"]
    )
    assert written["optim"]["name"] in lookup(name).optimizers
    assert written["optim"]["lr"] > 0
    assert pd.read_csv(tmp_path / "run" / "metrics.csv").loss.notna().all()


@EVERY
@pytest.mark.parametrize("recipe", ["default", "seed"])
@pytest.mark.slow
def test_on_breastmnist(
    invoke, tmp_path, medmnist_dir, tiny, assert_complete, name: str, recipe: str
) -> None:
    options = [*tiny, *settings(f"loss.name={name}", "training.max_epochs=1")]
    outcome = invoke(
        "train", "breastmnist", "--recipe", recipe, "--data-dir", medmnist_dir, *options, "--out", "run"
    )
    assert outcome.status == 0, outcome.err
    assert_complete(tmp_path / "run")


@EVERY
def test_on_several_labels(invoke, tmp_path, tiny, assert_complete, name: str) -> None:
    write_generated(tmp_path, "chestmnist")
    options = [*tiny, *settings(f"loss.name={name}", "training.max_epochs=1")]
    outcome = invoke(
        "train", "chestmnist", "--data-dir", tmp_path, "--allow-modified", *options, "--out", "run"
    )
    if name in ONE_LABEL_ONLY:
        assert outcome.status == 2
        assert len(outcome.err.strip().splitlines()) == 1
        assert f"loss.name '{name}'" in outcome.err
        assert not (tmp_path / "run").exists()
    else:
        assert outcome.status == 0, outcome.err
        assert_complete(tmp_path / "run")


def test_what_a_file_leaves_out_follows_the_loss(invoke, tmp_path, tiny_phantom) -> None:
    (tmp_path / "mine.yaml").write_text("loss: {name: compositional}\n")
    assert invoke("train", "phantom2d", "--recipe", "mine.yaml", *tiny_phantom, "--out", "run").status == 0
    written = recipe_of(tmp_path / "run")
    assert written["optim"]["name"] == "pdsca"
    assert written["optim"]["inner_lr"] == 0.01
    again = invoke("train", "phantom2d", "--resume", "--out", "run")
    assert again.status == 0, again.err


@pytest.mark.parametrize("name", ["average_precision", "compositional"])
def test_a_loss_with_states_resumes_to_the_bit(
    invoke, tmp_path, tiny_phantom, monkeypatch, name: str
) -> None:
    """Cut off after an epoch, as a kill would: what training needs must all be in the checkpoint."""
    from medauc.training import callbacks

    options = [*tiny_phantom, *settings(f"loss.name={name}", "training.max_epochs=4")]
    assert invoke("train", "phantom2d", *options, "--out", "whole").status == 0

    write, epochs = callbacks.History.write, []

    def die_after_two(history: callbacks.History) -> None:
        epochs.append(len(history.rows))
        if len(history.rows) == 3:
            raise RuntimeError("power cut")
        write(history)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.History, "write", die_after_two)
        assert invoke("train", "phantom2d", *options, "--out", "broken").status != 0
    assert epochs == [1, 2, 3]
    resumed = invoke("train", "phantom2d", "--resume", "--out", "broken")
    assert resumed.status == 0, resumed.err
    for file in ("checkpoints/best.safetensors", "predictions.csv"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "broken" / file).read_bytes()
