"""The recipe: everything that decides a training, one YAML file, validated section by section."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medauc.data import PhantomSpec
from medauc.errors import InputError

# The same names as in medauc.models.build and medauc.data.augment, which would load torch and MONAI (a test compares).
ModelName = Literal["resnet18", "resnet50", "fullres"]
Stem = Literal["full", "half", "imagenet"]
Conversion = Literal["none", "acs"]
Padding = Literal["border", "zeros", "reflection"]

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


class LossSection(Section):
    """The objective. ``margin``, ``version``, ``activation`` belong to AUCM, ``positive_weight`` to cross-entropy."""

    name: Literal["aucm", "cross_entropy"] = "aucm"
    margin: float = Field(1.0, gt=0, le=100)
    version: Literal["v1", "v2"] = "v1"
    activation: Literal["sigmoid", "none"] = "sigmoid"
    positive_weight: Annotated[float, Field(gt=0)] | Literal["balanced"] | None = None


class ScheduleSection(Section):
    """How the learning rate falls: at the end of each stage, along a cosine, or up and down once.

    ``stages`` divides it by ``factor`` at the end of each epoch number in ``epochs`` (with PESG the reference
    point moves there too); ``one_cycle`` warms up for ``warmup`` of all steps.
    """

    name: Literal["none", "stages", "cosine", "one_cycle"] = "none"
    epochs: tuple[Annotated[int, Field(ge=1)], ...] = ()
    factor: float = Field(10.0, gt=1)
    warmup: float = Field(0.25, ge=0, lt=1)

    @model_validator(mode="after")
    def _stages_name_their_epochs(self) -> Self:
        if (self.name == "stages") != bool(self.epochs):
            raise ValueError("'epochs' lists the ends of stages: give it with name 'stages', and only there")
        return self


class OptimSection(Section):
    """The optimizer.

    ``momentum_style``, ``epoch_decay`` and ``clip_value`` belong to PESG, ``loss_lr`` (of a, b and alpha;
    null takes ``lr``) to AUCM under AdamW or SGD.
    """

    name: Literal["pesg", "adamw", "sgd"] = "pesg"
    lr: float = Field(0.1, gt=0, le=100)
    loss_lr: Annotated[float, Field(gt=0, le=100)] | None = None
    momentum: float = Field(0.9, ge=0, lt=1)
    momentum_style: Literal["torch", "libauc"] = "torch"
    epoch_decay: float = Field(2e-3, ge=0, le=10)
    weight_decay: float = Field(1e-5, ge=0, le=10)
    clip_value: Annotated[float, Field(gt=0)] | None = 1.0
    schedule: ScheduleSection = ScheduleSection()


class SamplingSection(Section):
    """How batches are drawn; ``positive_share: null`` shuffles without balancing."""

    batch_size: int = Field(64, ge=2, le=65536)
    positive_share: Share | None = 0.5


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
    """What happens to the trained model: averaged flips at test time, calibration, operating points."""

    test_time_augmentation: Literal["none", "flips"] = "none"
    calibration: Literal["none", "platt"] = "platt"
    target_specificity: Share = 0.90
    target_sensitivity: Share = 0.95


class Recipe(Section):
    """A whole recipe; every section has defaults, so ``Recipe()`` is valid.

    >>> Recipe().optim.name
    'pesg'
    """

    description: str = ""
    data: DataSection = DataSection()
    augment: AugmentSection | None = None
    model: ModelSection = ModelSection()
    loss: LossSection = LossSection()
    optim: OptimSection = OptimSection()
    sampling: SamplingSection = SamplingSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.optim.name == "pesg" and self.loss.name != "aucm":
            raise ValueError(
                "optim.name 'pesg' needs a min-max loss such as loss.name 'aucm'; use 'sgd' or 'adamw'"
            )
        return self


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
        raise InputError(f"{source}: " + "; ".join(_explain(item) for item in error.errors())) from None


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


def apply_override(values: dict[str, Any], assignment: str) -> None:
    """Set one value in place, from ``key.path=value`` with the value in YAML.

    Raises:
        InputError: no such assignment, or a value that is not YAML.

    >>> values = {"optim": {"lr": 0.1}}
    >>> apply_override(values, "optim.lr=0.05")
    >>> values
    {'optim': {'lr': 0.05}}
    """
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {assignment}: write it as key.path=value, for example --set optim.lr=0.05")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {assignment}: the value is not valid YAML") from None
    if isinstance(value, str):
        value = _number_or_text(value)
    *parents, leaf = key.strip().split(".")
    node = values
    for parent in parents:
        if not isinstance(node.get(parent), dict):
            node[parent] = {}
        node = node[parent]
    node[leaf] = value


def differing_keys(first: Recipe, second: Recipe) -> list[str]:
    """List ``key.path (first -> second)`` for every value in which two recipes differ, the description aside.

    >>> differing_keys(Recipe(), Recipe(loss=LossSection(margin=0.5)))
    ['loss.margin (1.0 -> 0.5)']
    """
    left, right = _flatten(first.model_dump()), _flatten(second.model_dump())
    keys = [key for key in {**left, **right} if left.get(key) != right.get(key) and key != "description"]
    return [f"{key} ({left.get(key)} -> {right.get(key)})" for key in keys]


def _number_or_text(text: str) -> float | str:
    """YAML 1.1 reads ``1e-4`` as text; people mean the number."""
    try:
        return float(text)
    except ValueError:
        return text


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _explain(item: Any) -> str:
    """Turn one pydantic error into: key, given value, what is wrong, allowed range."""
    *parents, last = item["loc"] or ("",)
    location = [str(part) for part in parents if not _is_union_branch(part)]
    is_unknown = item["type"] in {"extra_forbidden", "unexpected_keyword_argument"}
    if last and (is_unknown or not _is_union_branch(last)):  # an unknown key may be called anything
        location.append(str(last))
    key = ".".join(location)
    if is_unknown:
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"unknown key {key}{hint} (known here: {', '.join(known)})"
    if item["type"] == "value_error":
        return f"{key + ': ' if key else ''}{item['ctx']['error']}"
    allowed = _allowed_range(location)
    return f"{key} is {item['input']!r}: {item['msg']}" + (f" (allowed: {allowed})" if allowed else "")


def _is_union_branch(part: int | str) -> bool:
    """Pydantic names the branch of a union in the location, as in ``float`` or ``constrained-float``."""
    return isinstance(part, str) and (part in {"float", "int", "str", "none"} or "-" in part or "[" in part)


def _section_at(location: list[str]) -> type[Any] | None:
    """The section class that a path of keys leads to, if it does."""
    section: type[Any] = Recipe
    for name in location:
        annotation = section.__annotations__.get(name)
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        sections = [
            c for c in candidates if isinstance(c, type) and (issubclass(c, Section) or is_dataclass(c))
        ]
        if not sections:
            return None
        section = sections[0]
    return section


def _known_keys(location: list[str]) -> list[str]:
    section = _section_at(location)
    if section is None:
        return []
    return list(section.__dataclass_fields__ if is_dataclass(section) else section.model_fields)


def _allowed_range(location: list[str]) -> str:
    """Read the bounds of a numeric field from its JSON schema, as in ``> 0, <= 100``."""
    section = _section_at(location[:-1])
    if section is None or is_dataclass(section) or location[-1] not in section.model_fields:
        return ""
    schema = section.model_json_schema()["properties"][location[-1]]
    symbols = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    parts = []
    for option in schema.get("anyOf", [schema]):
        bounds = ", ".join(f"{sign} {option[word]:g}" for word, sign in symbols.items() if word in option)
        choices = " | ".join(map(str, option.get("enum", [option["const"]] if "const" in option else [])))
        parts.append(bounds or choices or ("null" if option.get("type") == "null" else ""))
    return " or ".join(part for part in parts if part)
