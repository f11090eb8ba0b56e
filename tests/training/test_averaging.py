import copy
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn

from medauc.data import Dataset, PhantomSpec, load_dataset
from medauc.training import Recipe, parse_recipe
from medauc.training.averaging import build_averaging, ema_weight, moving_average, swa_weight
from medauc.training.build import build_classifier, build_data_module
from medauc.training.module import Classifier


@given(values=st.lists(st.floats(-10, 10), min_size=3, max_size=12), first=st.integers(0, 4))
def test_swa_is_the_equal_average_from_first_on(values: list[float], first: int) -> None:
    average = [torch.zeros(1, dtype=torch.float64)]
    update = moving_average(swa_weight(first))
    for count, value in enumerate(values):
        update(average, [torch.tensor([value], dtype=torch.float64)], torch.tensor(count))
    kept = values[first:] or values[-1:]
    assert average[0].item() == np.mean(kept) or abs(average[0].item() - np.mean(kept)) < 1e-9


@given(values=st.lists(st.floats(-10, 10), min_size=1, max_size=30), decay=st.floats(0.5, 0.999))
def test_ema_against_its_recursion(values: list[float], decay: float) -> None:
    average, expected = [torch.full((1,), 7.0, dtype=torch.float64)], 7.0
    for count, value in enumerate(values):
        moving_average(ema_weight(decay))(average, [torch.tensor([value], dtype=torch.float64)], count)
        kept = min(decay, (1 + count) / (10 + count))
        expected = kept * expected + (1 - kept) * value
    assert abs(average[0].item() - expected) < 1e-9


def test_integer_buffers_are_copied() -> None:
    average = [torch.tensor(3)]
    moving_average(ema_weight(0.9))(average, [torch.tensor(8)], 5)
    assert average[0].item() == 8


SMALL = {
    "model": {"width": 4, "stem": "imagenet"},
    "optim": {"name": "adamw", "lr": 0.01},
    "sampling": {"batch_size": 8},
    "augment": {"flip": 0.5, "noise": 0.1},
}
DATA = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=40, n_val=16, n_test=10, prevalence=0.5))


def recipe_of(averaging: str, **training: object) -> Recipe:
    section = {"max_epochs": 3, "patience": None, "weight_averaging": averaging, **training}
    return parse_recipe({**SMALL, "training": section}, "x")


class EveryEpoch(pl.Callback):
    """Weights of the network after each epoch, and the network that was validated."""

    def __init__(self) -> None:
        self.iterates: list[dict[str, Tensor]] = []
        self.validated: list[dict[str, Tensor]] = []

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validated.append(copy.deepcopy(pl_module.network.state_dict()))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.iterates.append(copy.deepcopy(pl_module.network.state_dict()))


def fit(recipe: Recipe, dataset: Dataset = DATA) -> tuple[EveryEpoch, Classifier, WeightAveraging | None]:
    """Train without files; the averaging callback is None where the recipe asks for none."""
    fresh = partial(build_data_module, dataset, recipe, 0)
    averaging = build_averaging(recipe.training, fresh)
    watch, module = EveryEpoch(), build_classifier(dataset, recipe, 0)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=recipe.training.max_epochs,
        limit_val_batches=None if len(dataset.val) else 0,
        callbacks=[watch, *averaging],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, datamodule=fresh())
    return watch, module, averaging[0] if averaging else None


def statistics_of(network: dict[str, Tensor], recipe: Recipe) -> dict[str, Tensor]:
    """Mean over an epoch's batches of mean and variance of each batch normalisation's input, by hooks."""
    module = build_classifier(DATA, recipe, 0)
    module.network.load_state_dict(network)
    module.train()
    seen: dict[str, list[Tensor]] = {}
    for name, layer in module.network.named_modules():
        if isinstance(layer, nn.BatchNorm2d):

            def watch(_: nn.Module, inputs: tuple[Tensor], name: str = name) -> None:
                seen.setdefault(f"{name}.running_mean", []).append(inputs[0].mean((0, 2, 3)))
                seen.setdefault(f"{name}.running_var", []).append(inputs[0].var((0, 2, 3)))

            layer.register_forward_pre_hook(watch)
    torch.manual_seed(0)
    with torch.no_grad():
        for batch in build_data_module(DATA, recipe, 0).train_dataloader():
            module.network(module.augment(module.normalize(batch.images)))
    return {name: torch.stack(values).mean(0) for name, values in seen.items()}


def test_swa_validates_the_mean_of_the_epochs_weights_with_statistics_of_its_own() -> None:
    recipe = recipe_of("swa", swa_start=0.4)  # from epoch 1 on
    watch, module, _ = fit(recipe)
    names = [name for name, _ in module.network.named_parameters()]
    for name in names:
        torch.testing.assert_close(watch.validated[0][name], watch.iterates[0][name])
        mean = (watch.iterates[1][name] + watch.iterates[2][name]) / 2
        torch.testing.assert_close(watch.validated[2][name], mean, rtol=1e-5, atol=1e-6)
    expected = statistics_of(watch.validated[2], recipe)
    assert len(expected) > 10
    mixed = 0.0
    for name, value in expected.items():
        torch.testing.assert_close(watch.validated[2][name], value, rtol=1e-4, atol=1e-5, msg=name)
        averaged = (watch.iterates[1][name] + watch.iterates[2][name]) / 2
        mixed = max(mixed, float((averaged - value).abs().max()))
    assert mixed > 0.01, "averaged statistics would have passed, too"
    for name, value in watch.validated[2].items():
        torch.testing.assert_close(module.network.state_dict()[name], value)  # what training ends with


def test_estimating_statistics_leaves_the_training_alone() -> None:
    plain, averaged = fit(recipe_of("none"))[0], fit(recipe_of("swa", swa_start=0.0))[0]
    for one, other in zip(plain.iterates, averaged.iterates, strict=True):
        assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_without_validation_the_last_average_is_the_same(averaging: str) -> None:
    recipe = recipe_of(averaging, swa_start=0.4, selection="last")
    nothing = replace(
        DATA.val, **{part: getattr(DATA.val, part)[:0] for part in ("images", "targets", "ids", "groups")}
    )
    _, module, callback = fit(recipe, replace(DATA, val=nothing))
    _, expected, _ = fit(recipe)
    assert callback is not None
    for name, value in expected.network.state_dict().items():
        torch.testing.assert_close(module.network.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_none_means_no_callback() -> None:
    assert fit(recipe_of("none", max_epochs=1))[2] is None
