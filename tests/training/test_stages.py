"""Two stages in one run folder: what the second starts from, when it counts, and that a kill changes nothing."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file

from medauc.data import Dataset, PhantomSpec, load_dataset
from medauc.errors import InputError
from medauc.optim import PESG
from medauc.training import Recipe, parse_recipe
from medauc.training import train as run_training
from medauc.training.callbacks import SelectBest
from medauc.training.members import Member, data_of

DATA = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=40, n_val=30, n_test=20, prevalence=0.4))
FIRST = {"max_epochs": 2, "optim": {"lr": 0.01, "schedule": {"name": "one_cycle"}}}
KEPT = ("best.safetensors", "first_stage.safetensors")


def recipe_of(**sections: object) -> Recipe:
    values: dict[str, object] = {
        "model": {"width": 4, "stem": "imagenet"},
        "augment": {"flip": 0.5},
        "sampling": {"batch_size": 8},
        "first_stage": FIRST,
        "loss": {"version": "v2"},
        "optim": {"name": "pesg", "lr": 0.05, "schedule": {"name": "stages", "epochs": [1]}},
        "training": {"max_epochs": 2, "patience": None, "weight_averaging": "ema"},
    }
    return parse_recipe({**values, **sections}, "x")


class Killed(Exception):
    """What stops a training in these tests."""


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch):
    """Make the training die when validation ends for the n-th time, before its checkpoint is written."""
    original = SelectBest.on_validation_epoch_end

    def after(count: int) -> None:
        left = [count]

        def dying(self: SelectBest, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            original(self, trainer, module)
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        monkeypatch.setattr(SelectBest, "on_validation_epoch_end", dying)

    return after


def what_remains(folder: Path) -> tuple[list[bytes], bytes, pd.DataFrame]:
    history = pd.read_csv(folder / "metrics.csv").drop(columns="seconds")
    weights = [(folder / "checkpoints" / name).read_bytes() for name in KEPT]
    return weights, (folder / "predictions.csv").read_bytes(), history


@pytest.mark.parametrize("deaths", [1, 2, 3, 4], ids="killed at the end of epoch {}".format)
def test_killed_in_either_stage_a_run_ends_the_same(
    deaths: int, tmp_path: Path, kill, monkeypatch, whole: Path
) -> None:
    kill(deaths)
    with pytest.raises(Killed):
        run_training(DATA, recipe_of(), tmp_path / "run", device="cpu")
    monkeypatch.undo()
    run_training(DATA, recipe_of(), tmp_path / "run", device="cpu", resume=True)
    expected, found = what_remains(whole), what_remains(tmp_path / "run")
    assert expected[:2] == found[:2]
    pd.testing.assert_frame_equal(expected[2], found[2], check_exact=True)


@pytest.mark.parametrize("deaths", [2, 4], ids="killed at the end of epoch {}".format)
def test_so_it_does_with_every_ingredient_that_has_a_state(
    deaths: int, tmp_path: Path, kill, monkeypatch
) -> None:
    """SAM around AdamW and PESG, warm-ups, a reference that moves, statistics of SWA, dropout and remembered scores."""
    rich = recipe_of(
        model={"width": 4, "stem": "imagenet", "dropout": 0.3},
        first_stage={
            "max_epochs": 2,
            "loss": {"name": "pairwise", "memory": 12},
            "optim": {"sam_radius": 0.1, "schedule": {"name": "cosine", "warmup_epochs": 1}},
        },
        optim={
            "name": "pesg",
            "sam_radius": 0.5,
            "sam_adaptive": True,
            "schedule": {"name": "cosine", "epochs": [1], "warmup_epochs": 0.5},
        },
        training={"max_epochs": 2, "patience": None, "weight_averaging": "swa", "swa_start": 0.0},
    )
    run_training(DATA, rich, tmp_path / "whole", device="cpu")
    kill(deaths)
    with pytest.raises(Killed):
        run_training(DATA, rich, tmp_path / "run", device="cpu")
    monkeypatch.undo()
    run_training(DATA, rich, tmp_path / "run", device="cpu", resume=True)
    expected, found = what_remains(tmp_path / "whole"), what_remains(tmp_path / "run")
    assert expected[:2] == found[:2]
    pd.testing.assert_frame_equal(expected[2], found[2], check_exact=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that was never interrupted."""
    folder = tmp_path_factory.mktemp("stages") / "run"
    run_training(DATA, recipe_of(), folder, device="cpu")
    return folder


def test_the_history_holds_both_stages(whole: Path) -> None:
    history = pd.read_csv(whole / "metrics.csv")
    assert history.stage.tolist() == [1, 1, 2, 2]
    assert history.epoch.tolist() == [0, 1, 2, 3]
    assert history.alpha.isna().tolist() == [True, True, False, False]  # cross-entropy has none
    assert history.lr.tolist()[2:] == pytest.approx([0.05, 0.005])  # its own rate and stages


@pytest.mark.parametrize("second_lr", [1e-30, 0.1], ids=["stands still", "learns"])
def test_the_second_stage_counts_only_if_it_exceeds_the_first(second_lr: float, tmp_path: Path) -> None:
    """Without running statistics a rate of nearly nothing repeats the first stage's validation AUC exactly."""
    recipe = recipe_of(
        model={"width": 4, "stem": "imagenet", "norm": "group"},
        first_stage={"max_epochs": 1, "optim": {"lr": 1e-30}},
        optim={"name": "pesg", "lr": second_lr},
        training={"max_epochs": 6, "patience": None},
    )
    run_training(DATA, recipe, tmp_path / "run", device="cpu")
    auc = pd.read_csv(tmp_path / "run" / "metrics.csv").groupby("stage").val_auc.max()
    best, first = ((tmp_path / "run" / "checkpoints" / name).read_bytes() for name in KEPT)
    if second_lr < 1e-9:
        assert auc[2] == auc[1]
        assert best == first
    else:
        assert auc[2] > auc[1], "this second stage is meant to learn"
        assert best != first


def test_the_second_stage_starts_and_is_pulled_to_what_the_first_kept(tmp_path: Path, monkeypatch) -> None:
    seen: dict[str, torch.Tensor] = {}
    original = PESG.step

    def watch(self: PESG, closure: object = None) -> object:
        value = original(self, closure)
        if not seen:
            network = self.param_groups[0]["params"]
            seen["reference"] = torch.cat([self.state[p]["reference"].flatten() for p in network])
        return value

    monkeypatch.setattr(PESG, "step", watch)
    run_training(DATA, recipe_of(), tmp_path / "run", device="cpu")
    kept = load_file(tmp_path / "run" / "checkpoints" / "first_stage.safetensors")
    names = [name for name in kept if "running" not in name and "num_batches" not in name]
    sizes = sorted(kept[name].numel() for name in names)
    assert sum(sizes) == len(seen["reference"])
    expected = torch.cat([kept[name].flatten() for name in names])
    torch.testing.assert_close(seen["reference"].sort().values, expected.sort().values, rtol=0, atol=0)


def test_last_weights_without_validation(tmp_path: Path) -> None:
    """What a refit does: every sample trains, exactly so many epochs, the averaged weights after the last are kept."""
    pooled = data_of(Member("refit", 0), DATA, None)
    assert len(pooled.val) == 0
    recipe = recipe_of(
        training={"max_epochs": 2, "patience": None, "selection": "last", "weight_averaging": "ema"}
    )
    run = run_training(pooled, recipe, tmp_path / "run", device="cpu")
    history = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert len(history) == 4
    assert history.val_auc.isna().all()
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert set(predictions.split) == {"test"}
    assert run.evaluation.test.auroc is not None
    stored = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    best = load_file(tmp_path / "run" / "checkpoints" / "best.safetensors")
    for name, value in best.items():
        assert torch.equal(stored["state_dict"][f"network.{name}"], value)
        # Averaged, not the iterate (but for what is counted).
    assert not torch.equal(stored["current_model_state"]["network.conv1.weight"], best["conv1.weight"])
    again = tmp_path / "again"
    shutil.copytree(tmp_path / "run", again)
    for name in ("evaluation.json", "predictions.csv", "checkpoints/best.safetensors"):
        (again / name).unlink()
    run_training(pooled, recipe, again, device="cpu", resume=True)
    np.testing.assert_array_equal(pd.read_csv(again / "predictions.csv").score, predictions.score)


def test_without_validation_nothing_can_be_selected(tmp_path: Path) -> None:
    pooled: Dataset = data_of(Member("refit", 0), DATA, None)
    with pytest.raises(InputError, match=r"training\.selection=last"):
        run_training(pooled, recipe_of(), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_stages_have_random_numbers_of_their_own(whole: Path) -> None:
    from medauc.training.stages import build_stages

    stages = build_stages(DATA, recipe_of(), seed=0)
    assert [stage.module.stage for stage in stages] == [1, 2]
