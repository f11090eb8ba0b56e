"""The recipe: everything that decides a training, one YAML file, validated section by section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError, model_validator

from medauc.errors import InputError
from medauc.training.explain import explain
from medauc.training.sections.augment import AugmentSection
from medauc.training.sections.base import Section
from medauc.training.sections.data import DataSection
from medauc.training.sections.ensemble import EnsembleSection
from medauc.training.sections.evaluation import EvaluationSection
from medauc.training.sections.loss import AnyLoss, AUCMSection, section_of
from medauc.training.sections.model import ModelSection
from medauc.training.sections.optim import AnyOptim, PESGSection
from medauc.training.sections.sampling import SamplingSection
from medauc.training.sections.training import TrainingSection


class Recipe(Section):
    """A whole recipe; every section has defaults, so ``Recipe()`` is valid.

    >>> Recipe().optim.name
    'pesg'
    """

    description: str = ""
    data: DataSection = DataSection()
    augment: AugmentSection | None = None
    model: ModelSection = ModelSection()
    loss: AnyLoss = AUCMSection()
    optim: AnyOptim = PESGSection()
    sampling: SamplingSection = SamplingSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    ensemble: EnsembleSection = EnsembleSection()

    @model_validator(mode="before")
    @classmethod
    def _what_is_left_out_follows_the_loss(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        loss = _named(values.get("loss", {}), AUCMSection().name)
        section = section_of(loss.get("name") if isinstance(loss, Mapping) else getattr(loss, "name", None))
        filled = {**values, "loss": loss, "optim": _named(values.get("optim", {}), section.optimizers[0])}
        sampling = values.get("sampling", {})
        if section.sampler == "shuffled" and isinstance(sampling, Mapping):
            says = {"positive_share", "name"} & {*sampling}
            filled["sampling"] = sampling if says else {**sampling, "positive_share": None}
        return filled

    @model_validator(mode="after")
    def _optimizer_fits_the_loss(self) -> Self:
        fitting = self.loss.optimizers
        if self.optim.name not in fitting:
            raise ValueError(
                f"optim.name {self.optim.name!r} cannot train loss.name {self.loss.name!r}; "
                f"use {' or '.join(map(repr, fitting))}"
            )
        return self


def _named(section: Any, name: str) -> Any:
    """The section's values, with the name that it takes when it has none."""
    return {"name": name, **section} if isinstance(section, Mapping) else section


def parse_recipe(values: Mapping[str, Any], source: str) -> Recipe:
    """Validate plain values as a recipe.

    Args:
        values: nested mapping as read from YAML; ``augment: none`` means no augmentation.
        source: where the values come from, named in the error.

    Raises:
        InputError: an unknown key or a value out of range; one line that names key and allowed range.

    >>> parse_recipe({"optim": {"lr": -1}}, "my.yaml")
    Traceback (most recent call last):
    medauc.errors.InputError: my.yaml: optim.lr is -1: Input should be greater than 0 (allowed: > 0, <= 100)
    """
    plain = dict(values)
    if plain.get("augment") == "none":
        plain["augment"] = None
    try:
        return Recipe.model_validate(plain)
    except ValidationError as error:
        raise InputError(
            f"{source}: " + "; ".join(explain(item, Recipe) for item in error.errors())
        ) from None


def read_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe file as plain values; raise InputError when it is missing or not a YAML mapping."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the recipe: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise InputError(
            f"{path}: a recipe is a YAML mapping of sections such as 'optim:', found {type(values).__name__}"
        )
    return values


def differing_keys(first: Recipe, second: Recipe) -> list[str]:
    """List ``key.path (first -> second)`` for every value in which two recipes differ, the description aside.

    >>> differing_keys(Recipe(), Recipe(loss=AUCMSection(margin=0.5)))
    ['loss.margin (1.0 -> 0.5)']
    """
    left, right = _flatten(first.model_dump()), _flatten(second.model_dump())
    keys = [key for key in {**left, **right} if left.get(key) != right.get(key) and key != "description"]
    return [f"{key} ({left.get(key)} -> {right.get(key)})" for key in keys]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
