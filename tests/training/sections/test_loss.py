"""The recipe knows, without loading torch, what losses and optimizers there are and what they take."""

import inspect
from typing import Any

import pytest
import torch

from medauc import losses, optim
from medauc.losses import Loss, available, lookup
from medauc.training.sections.loss import LOSSES, LossSection
from medauc.training.sections.optim import AdamWSection, OptimSection, PDSCASection, PESGSection, SGDSection

# Arguments that for_targets takes from the training set.
FROM_TARGETS = {"prevalence", "num_samples", "num_labels", "num_classes", "positives", "negatives"}
OPTIMIZERS = {
    PESGSection: optim.PESG,
    PDSCASection: optim.PDSCA,
    AdamWSection: torch.optim.AdamW,
    SGDSection: torch.optim.SGD,
}


def defaults_of(constructor: Any) -> dict[str, Any]:
    """Arguments of a constructor with their defaults."""
    parameters = list(inspect.signature(constructor.__init__).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}


def test_every_loss_can_be_named() -> None:
    assert tuple(LOSSES) == available()


@pytest.mark.parametrize("name", available())
def test_keys_are_the_constructors_arguments(name: str) -> None:
    section, entry = LOSSES[name](), lookup(name)
    arguments = defaults_of(entry.loss)
    expected = {key: value for key, value in arguments.items() if key not in FROM_TARGETS}
    assert section.options() == expected
    assert section.name == name
    assert (section.optimizers, section.sampler) == (entry.optimizers, entry.sampler)
    assert section.soft_targets == entry.loss.takes_soft_targets


@pytest.mark.parametrize("name", available())
def test_bounds_of_the_keys_are_those_of_the_constructor(name: str) -> None:
    """What the section refuses at its bounds the loss refuses too, and the other way round."""
    schema = LOSSES[name].model_json_schema()["properties"]
    checked = 0
    for key, described in schema.items():
        for option in described.get("anyOf", [described]):
            if "exclusiveMinimum" in option:
                assert not accepts(name, **{key: option["exclusiveMinimum"]}), key
                checked += 1
            if "minimum" in option:
                assert accepts(name, **{key: option["minimum"]}), key
                assert not accepts(name, **{key: option["minimum"] - 1}), key
                checked += 1
            if option.get("enum"):
                assert all(accepts(name, **{key: word}) for word in option["enum"]), key
                assert not accepts(name, **{key: "nonsense"}), key
                checked += 1
    assert checked > 0


def accepts(name: str, **options: Any) -> bool:
    try:
        losses.build(name, torch.tensor([0, 1, 0, 0]), **options)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("section", OPTIMIZERS)
def test_optimizer_keys_are_the_constructors_arguments(section: type[OptimSection]) -> None:
    arguments = defaults_of(OPTIMIZERS[section])
    own = section().model_dump(exclude={"name", "schedule", "sam_radius", "sam_adaptive"})  # SAM's, around it
    if section in (PESGSection, PDSCASection):
        left_out = set(arguments) - set(own)
        assert left_out <= {"params", "loss", "margin", "eps"}  # the loss's margin is the margin
        assert own == {key: arguments[key] for key in own}
    else:
        own.pop("loss_lr")  # MinMax's
        assert set(own) <= set(arguments)
    if section is AdamWSection:
        assert (own["lr"], own["weight_decay"]) == (arguments["lr"], arguments["weight_decay"])


def test_every_section_says_what_it_is() -> None:
    for section in LOSSES.values():
        assert issubclass(section, LossSection)
        assert section.__doc__
    for name in available():
        assert issubclass(lookup(name).loss, Loss)
