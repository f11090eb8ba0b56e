"""The recipe: everything that decides a training, one YAML file, validated section by section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeGuard

from pydantic import ValidationError, model_validator

from medauc.errors import InputError
from medauc.training.explain import explain
from medauc.training.sections.augment import AugmentSection
from medauc.training.sections.base import Section
from medauc.training.sections.data import DataSection
from medauc.training.sections.ensemble import EnsembleSection
from medauc.training.sections.evaluation import EvaluationSection
from medauc.training.sections.first_stage import FirstStageSection
from medauc.training.sections.following import follow_the_loss, require_fitting, require_soft_targets
from medauc.training.sections.loss import AnyLoss, AUCMSection
from medauc.training.sections.model import ModelSection
from medauc.training.sections.optim import AnyOptim, PESGSection
from medauc.training.sections.sampling import SamplingSection
from medauc.training.sections.training import TrainingSection
from medauc.training.yaml_text import read_yaml


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
    first_stage: FirstStageSection | None = None
    sampling: SamplingSection = SamplingSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    ensemble: EnsembleSection = EnsembleSection()

    @model_validator(mode="before")
    @classmethod
    def _what_is_left_out_follows_the_loss(cls, values: Any) -> Any:
        return _first_stage_follows(follow_the_loss(values, AUCMSection().name))

    @model_validator(mode="after")
    def _optimizer_fits_the_loss(self) -> Self:
        require_fitting(self.loss, self.optim)
        return self

    @model_validator(mode="after")
    def _no_stage_stops_early_that_keeps_its_last_weights(self) -> Self:
        if self.training.selection == "last" and self.first_stage is not None and self.first_stage.patience:
            raise ValueError("training.selection 'last' runs all epochs: set first_stage.patience to null")
        return self

    @model_validator(mode="after")
    def _losses_take_mixtures(self) -> Self:
        for stage in self.stages():
            require_soft_targets(stage.loss, self.augment)
        return self

    @property
    def images_a_batch(self) -> int | None:
        """Most images in a training batch of bags; None knows no limit.

        >>> Recipe().images_a_batch
        1024
        """
        most = self.data.bags.max_images
        return None if most is None else self.sampling.batch_size * most

    @property
    def batch_sizes(self) -> dict[str, int]:
        """Samples in a batch, by the section that says so, one of each stage.

        >>> Recipe().batch_sizes
        {'sampling': 64}
        """
        sizes = {"sampling": self.sampling.batch_size}
        if self.first_stage is not None:
            sizes["first_stage"] = self.first_stage.sampling.batch_size
        return sizes

    def with_batch_sizes(self, sizes: Mapping[str, int]) -> "Recipe":
        """This recipe with other :attr:`batch_sizes`.

        >>> Recipe().with_batch_sizes({"sampling": 32}).sampling.batch_size
        32
        """
        sampling = self.sampling.model_copy(update={"batch_size": sizes["sampling"]})
        first = self.first_stage
        if first is not None:
            own = first.sampling.model_copy(update={"batch_size": sizes["first_stage"]})
            first = first.model_copy(update={"sampling": own})
        return self.model_copy(update={"sampling": sampling, "first_stage": first})

    def stages(self) -> tuple["Recipe", ...]:
        """What is trained one after another, each stage as a recipe of its own.

        >>> [stage.loss.name for stage in Recipe(first_stage=FirstStageSection()).stages()]
        ['cross_entropy', 'aucm']
        """
        if self.first_stage is None:
            return (self,)
        first, own = self.first_stage, self.model_copy(update={"first_stage": None})
        length = {"max_epochs": first.max_epochs, "patience": first.patience}
        parts = {"loss": first.loss, "optim": first.optim, "sampling": first.sampling}
        return own.model_copy(update=parts | {"training": self.training.model_copy(update=length)}), own


def _first_stage_follows(values: Any) -> Any:
    """The first stage's batches are as large as the recipe's own, and keep patients together where those do."""
    if not _plain(values):
        return values
    first, own = values.get("first_stage"), values.get("sampling")
    if not (_plain(first) and _plain(own) and _plain(first.get("sampling", {}))):
        return values
    shared = {key: own[key] for key in ("batch_size", "keep_groups") if key in own}
    return {**values, "first_stage": {**first, "sampling": {**shared, **first.get("sampling", {})}}}


def _plain(values: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(values, Mapping)


def parse_recipe(values: Mapping[str, Any], source: str) -> Recipe:
    """Validate plain values as a recipe.

    Args:
        values: nested mapping as read from YAML; ``augment: none`` means no augmentation,
            ``first_stage: none`` one stage.
        source: where the values come from, named in the error.

    Raises:
        InputError: an unknown key or a value out of range; one line that names key and allowed range.

    >>> parse_recipe({"optim": {"lr": -1}}, "my.yaml")
    Traceback (most recent call last):
    medauc.errors.InputError: my.yaml: optim.lr is -1 (allowed: > 0, <= 100)
    """
    plain = dict(values)
    for section in ("augment", "first_stage"):
        if plain.get(section) == "none":
            plain[section] = None
    try:
        return Recipe.model_validate(plain)
    except ValidationError as error:
        raise InputError(f"{source}: {explain(error.errors(), Recipe)}") from None


def read_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe file as plain values; raise InputError when it is missing or not a YAML mapping."""
    values = read_yaml(path, "the recipe")
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
