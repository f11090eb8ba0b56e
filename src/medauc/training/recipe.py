"""The recipe: everything that decides a training, one YAML file, validated section by section."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from medauc.data import PhantomSpec
from medauc.errors import InputError
from medauc.training.explain import explain
from medauc.training.loss_sections import AnyLoss, AUCMSection, section_of
from medauc.training.optim_sections import AnyOptim, PESGSection
from medauc.training.section import Positive, Probability, Section, Share

# The same names as in medauc.models.build and medauc.data.augment, which would load torch and MONAI (a test compares).
ModelName = Literal["resnet18", "resnet50", "fullres"]
Stem = Literal["full", "half", "imagenet"]
Conversion = Literal["none", "acs"]
Padding = Literal["border", "zeros", "reflection"]


@dataclass(frozen=True)
class PhantomSection(PhantomSpec):
    """The generated data set (phantom2d, phantom3d); other data sets do not look at it."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


class DataSection(Section):
    """Which images, which class is positive, how intensities become network input."""

    size: int = Field(28, ge=1, le=65536)
    positive_class: str | int | None = None
    normalization: Literal["train", "unit"] = "train"
    phantom: PhantomSection = PhantomSection()


class AugmentSection(Section):
    """Random changes of training images (:class:`medauc.data.augment.Augment`); defaults switch each of them off."""

    flip: Probability | tuple[Probability, ...] = 0.0
    quarter_turns: bool = False
    rotation: float = Field(0.0, ge=0, le=180)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    shear: float = Field(0.0, ge=0, le=1)
    shift: float = Field(0.0, ge=0, le=1)
    crop: int = Field(0, ge=0, le=256)
    padding: Padding = "border"
    brightness: float = Field(0.0, ge=0, le=10)
    contrast: float = Field(0.0, ge=0, le=1)
    gamma: float = Field(0.0, ge=0, le=2)
    noise: float = Field(0.0, ge=0, le=10)
    voxel_scaling: bool = False


class ModelSection(Section):
    """The network: name, width of its first stage, its stem, and 2D-to-3D conversion."""

    name: ModelName = "resnet18"
    width: int = Field(64, ge=4, le=512)
    stem: Stem = "full"
    conversion: Conversion = "none"
    weights: str | None = None


class SamplingSection(Section):
    """How batches of ``batch_size`` samples, over all processes, are drawn.

    ``auto`` balances for one label and shuffles for several, or when ``positive_share`` is null; a balancing
    sampler that is named takes a null share as 0.5. ``keep_groups`` never splits a patient over batches.
    """

    name: Literal["auto", "class_balanced", "label_balanced", "shuffled"] = "auto"
    batch_size: int = Field(64, ge=2, le=65536)
    positive_share: Share | None = 0.5
    keep_groups: bool = False


class TrainingSection(Section):
    """Length, early stopping (``patience: null`` never stops early), precision and weight averaging."""

    max_epochs: int = Field(100, ge=1, le=100_000)
    patience: Annotated[int, Field(ge=1)] | None = 15
    monitor: Literal["val_auc"] = "val_auc"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    weight_averaging: Literal["none", "ema", "swa"] = "none"
    ema_decay: float = Field(0.99, gt=0, lt=1)
    swa_start: float = Field(0.75, ge=0, lt=1)


class EvaluationSection(Section):
    """What happens to the trained model: averaged flips at test time, then :class:`medauc.evaluation.Settings`."""

    test_time_augmentation: Literal["none", "flips"] = "none"
    calibration: Literal["none", "platt", "temperature", "beta", "isotonic", "auto"] = "platt"
    target_specificity: Share = 0.90
    target_sensitivity: Share = 0.95
    confidence: Share | None = 0.95
    cost_ratio: Annotated[float, Field(gt=0)] | None = None
    prevalence: Share | None = None


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
