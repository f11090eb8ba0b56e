"""What a search may change: fields of the recipe by name, each with a range or a list of choices."""

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from medauc.errors import InputError
from medauc.training.overrides import apply_overrides, number_or_text
from medauc.training.recipe import Recipe, parse_recipe

if TYPE_CHECKING:
    from optuna.trial import Trial

Scalar = bool | int | float | str | None
Values = dict[str, Any]

# Fields that decide which samples are trained on or judged by, or that come after training: AUCs would not compare.
_NOT_SEARCHED = (
    "description", "data.positive_class", "data.phantom", "data.subset", "data.bags", "data.columns", "data.root",
    "data.split", "data.spatial_dims", "data.unreadable", "ensemble", "evaluation", "training.monitor",
)  # fmt: skip
_SEARCHED = ("evaluation.test_time_augmentation", "evaluation.test_time_copies")


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``log``: drawn evenly on the logarithmic scale."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    @property
    def ends(self) -> tuple[float, ...]:
        """What has to be allowed for all to be allowed."""
        return self.low, self.high

    def suggest(self, trial: "Trial", key: str) -> Any:
        """What the sampler takes next."""
        if self.integer:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(key, low, high, log=self.log, step=step)
        return trial.suggest_float(key, self.low, self.high, log=self.log, step=self.step)

    def points(self, count: int = 5) -> tuple[Scalar, ...]:
        """All steps, or ``count`` values evenly spread.

        >>> Range(0.001, 0.1, log=True).points(3), Range(8, 32, step=8, integer=True).points()
        ((0.001, 0.01, 0.1), (8, 16, 24, 32))
        """
        if self.step is not None:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            found = [self.low + place * self.step for place in range(count)]
        else:
            shares = [place / (count - 1) for place in range(count)]
            low, high = (math.log(end) if self.log else end for end in self.ends)
            found = [low + share * (high - low) for share in shares]
            found = [math.exp(value) for value in found] if self.log else found
        rounded = [round(value) if self.integer else float(f"{value:.6g}") for value in found]
        return tuple(dict.fromkeys(rounded))

    def place(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)

    def holds(self, value: Any) -> bool:
        """Whether a value is one that could be drawn."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9

    def plain(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"low": self.low, "high": self.high} | {
            key: value for key, value in (("log", self.log), ("step", self.step)) if value
        }


@dataclass(frozen=True)
class Choices:
    """A list of values of any kind."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """What has to be allowed for all to be allowed."""
        return self.values

    def suggest(self, trial: "Trial", key: str) -> Any:
        """What the sampler takes next; lists go to it as text."""
        named = {_label(value): value for value in self.values}
        return named[trial.suggest_categorical(key, list(named))]

    def points(self, count: int = 5) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return _label(value) in map(_label, self.values)

    def plain(self) -> list[Any]:
        """As it stands in a file."""
        return list(self.values)


Parameter = Range | Choices


@dataclass(frozen=True)
class Space:
    """Fields of a recipe with what they may be; fields of a loss that is not chosen are left out of a trial.

    Attributes:
        base: the recipe whose other fields stay.
        parameters: by ``key.path``.
    """

    base: Recipe
    parameters: Mapping[str, Parameter]

    @cached_property
    def _switches(self) -> list[str]:
        """Names of losses, optimizers and schedules come first: they decide which other fields there are."""
        return [key for key, found in self.parameters.items() if key.endswith("name")]

    def suggest(self, trial: "Trial") -> Values:
        """Have the sampler draw a value for each field that this trial has."""
        return self.fill(lambda key: self.parameters[key].suggest(trial, key))

    def fill(self, draw: Callable[[str], Any]) -> Values:
        """Values by key, names first, ``draw`` giving each."""
        chosen = {key: draw(key) for key in self._switches}
        return chosen | {key: draw(key) for key in self.fields(chosen)}

    def fields(self, chosen: Mapping[str, Any]) -> list[str]:
        """Keys beside the names that a recipe with these names has."""
        return [key for key in self.parameters if key not in self._switches and self._fits(key, chosen)]

    def _fits(self, key: str, chosen: Mapping[str, Any]) -> bool:
        try:
            for value in self.parameters[key].ends:
                self.recipe({**chosen, key: value})
        except InputError:
            return False
        return True

    def combinations(self) -> list[Values]:
        """Every choice of names."""
        points = [self.parameters[key].points() for key in self._switches]
        return [dict(zip(self._switches, found, strict=True)) for found in itertools.product(*points)]

    def recipe(self, values: Mapping[str, Any], source: str = "the search space") -> Recipe:
        """The base recipe with these values.

        Raises:
            InputError: they are no recipe together.
        """
        plain = self.base.model_dump(mode="json")
        apply_overrides(plain, [f"{key}={json.dumps(value)}" for key, value in values.items()])
        return parse_recipe(plain, source)

    def plain(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {key: found.plain() for key, found in self.parameters.items()}


def read_space(path: Path, base: Recipe) -> Space:
    """Read a file such as ``optim.lr: {low: 1e-4, high: 1e-1, log: true}``, one field a line.

    Raises:
        InputError: not such a file, an unknown field, or one that may be what the recipe does not allow.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the search space: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    return parse_space(values, base, str(path))


def parse_space(values: Any, base: Recipe, source: str) -> Space:
    """Check plain values as a search space of the recipe ``base``.

    Args:
        values: by ``key.path`` a list of choices, or a mapping with ``low``, ``high`` and where wanted ``log``,
            ``step``.
        base: what the search starts from.
        source: named in errors.

    Raises:
        InputError: one line that names source, key and what is allowed.

    >>> space = parse_space({"optim.lr": {"low": "1e-4", "high": 0.1, "log": True}}, Recipe(), "space.yaml")
    >>> space.parameters["optim.lr"]
    Range(low=0.0001, high=0.1, log=True, step=None, integer=False)
    >>> parse_space({"loss.margin": [0.5, 200]}, Recipe(), "space.yaml")
    Traceback (most recent call last):
    medauc.errors.InputError: space.yaml: loss.margin is 200: Input should be less than ... (allowed: > 0, <= 100)
    """
    if not isinstance(values, Mapping) or not values:
        raise InputError(
            f"{source}: a search space is a YAML mapping such as 'optim.lr: {{low: 1e-4, high: 1e-1, log: true}}' "
            "or 'loss.margin: [0.5, 1.0]'"
        )
    space = Space(base, {key: _parameter(key, given, source) for key, given in values.items()})
    for key in space.parameters:
        _require_allowed(space, key, source)
    whole = {key: _as_integers(space, key, found) for key, found in space.parameters.items()}
    return Space(base, whole)


def _parameter(key: Any, given: Any, source: str) -> Parameter:
    where = f"{source}: {key}"
    if not isinstance(key, str) or "." not in key:
        raise InputError(f"{where}: name a field by section and key, as in optim.lr")
    if any(_under(key, name) for name in _NOT_SEARCHED) and key not in _SEARCHED:
        raise InputError(
            f"{where}: cannot be searched: it decides which samples are judged, or nothing about their scores"
        )
    if isinstance(given, list):
        found = tuple(number_or_text(value) if isinstance(value, str) else value for value in given)
        if len({_label(value) for value in found}) < max(2, len(found)):
            raise InputError(f"{where}: a list of choices needs two or more different values")
        return Choices(found)
    if not isinstance(given, Mapping):
        raise InputError(
            f"{where} is {given!r}: give a list of choices, or {{low: ..., high: ..., log: true}}"
        )
    return _range(dict(given), where)


def _range(given: dict[str, Any], where: str) -> Range:
    if unknown := given.keys() - {"low", "high", "log", "step"}:
        raise InputError(f"{where}: unknown {sorted(map(str, unknown))[0]} (known: low, high, log, step)")
    numbers = {
        key: number_or_text(value) if isinstance(value, str) else value for key, value in given.items()
    }
    log = numbers.pop("log", False)
    for key in ("low", "high", *(["step"] if "step" in numbers else [])):
        value = numbers.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{where}: {key} is {value!r}: a range needs the numbers low and high")
    low, high, step = numbers["low"], numbers["high"], numbers.get("step")
    if not isinstance(log, bool):
        raise InputError(f"{where}: log is {log!r} (allowed: true | false)")
    if low >= high:
        raise InputError(f"{where}: low is {low}, high is {high}: low has to be below high")
    if log and (low <= 0 or step is not None):
        raise InputError(f"{where}: a range with log: true needs a low above 0, and takes no step")
    if step is not None and not 0 < step <= high - low:
        raise InputError(f"{where}: step is {step} (allowed: > 0, <= {high - low:g})")
    return Range(low, high, log, step)


def _require_allowed(space: Space, key: str, source: str) -> None:
    """Raise unless there are names with which the recipe takes the field's whole range."""
    refusals = []
    for names in space.combinations():
        try:
            for value in space.parameters[key].ends:
                space.recipe({**names, key: value}, source)
        except InputError as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


def _as_integers(space: Space, key: str, found: Parameter) -> Parameter:
    """A range of a field that is a whole number."""
    if isinstance(found, Choices):
        return found
    names = next(names for names in space.combinations() if key in (*names, *space.fields(names)))
    node: Any = space.recipe({**names, key: found.low})
    for part in key.split("."):
        node = getattr(node, part)
    if not isinstance(node, int):
        return Range(float(found.low), float(found.high), found.log, found.step)
    if found.step is not None and found.step != int(found.step):
        raise InputError(f"{key}: step is {found.step}: the field is a whole number")
    return Range(
        int(found.low), int(found.high), found.log, None if found.step is None else int(found.step), True
    )


def value_at(recipe: Recipe, key: str) -> Any:
    """What a recipe has at a ``key.path``; KeyError where it has no such field.

    >>> value_at(Recipe(), "optim.lr")
    0.1
    """
    node: Any = recipe.model_dump(mode="json")
    for part in key.split("."):
        if not isinstance(node, dict):
            raise KeyError(key)
        node = node[part]
    return node


def _under(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")


def _label(value: Any) -> Scalar:
    """What stands for a choice where only plain values can."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def text_of(values: Mapping[str, Any]) -> str:
    """Values in one line, as a person reads them.

    >>> text_of({"optim.lr": 0.0123456, "loss.margin": 1.0})
    'optim.lr=0.01235, loss.margin=1'
    """
    shown: Sequence[str] = [
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    ]
    return ", ".join(shown)
