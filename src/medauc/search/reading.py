"""Reading a search space, and refusing what the recipe does not allow."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medauc.errors import InputError
from medauc.search.parameters import Choices, Parameter, Range, label
from medauc.search.space import Space
from medauc.training.overrides import number_or_text
from medauc.training.recipe import Recipe
from medauc.training.yaml_text import read_yaml

# Fields that decide which samples are trained on or judged by, or that come after training: AUCs would not compare.
_NOT_SEARCHED = (
    "description", "data.positive_class", "data.phantom", "data.subset", "data.bags", "data.columns", "data.root",
    "data.split", "data.spatial_dims", "data.unreadable", "ensemble", "evaluation", "training.monitor",
)  # fmt: skip
_SEARCHED = ("evaluation.test_time_augmentation", "evaluation.test_time_copies")


def read_space(path: Path, base: Recipe) -> Space:
    """Read a file such as ``optim.lr: {low: 1e-4, high: 1e-1, log: true}``, one field a line.

    Raises:
        InputError: not such a file, an unknown field, or one that may be what the recipe does not allow.
    """
    return parse_space(read_yaml(path, "the search space"), base, str(path))


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
    medauc.errors.InputError: space.yaml: loss.margin is 200 (allowed: > 0, <= 100)
    """
    if not isinstance(values, Mapping) or not values:
        raise InputError(
            f"{source}: a search space is a YAML mapping such as 'optim.lr: {{low: 1e-4, high: 1e-1, log: true}}' "
            "or 'loss.margin: [0.5, 1.0]'"
        )
    space = Space(base, {key: _parameter(key, given, source) for key, given in values.items()})
    for key in space.parameters:
        _require_allowed(space, key, source)
    whole = {key: _as_integers(space, key, found, source) for key, found in space.parameters.items()}
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
        if len({label(value) for value in found}) < max(2, len(found)):
            raise InputError(f"{where}: a list of choices needs two or more different values")
        return Choices(found)
    if not isinstance(given, Mapping):
        raise InputError(
            f"{where} is {given!r}: give a list of choices, or {{low: ..., high: ..., log: true}}"
        )
    return _range(dict(given), where)


def _range(given: dict[str, Any], where: str) -> Range:
    if unknown := given.keys() - {"low", "high", "log", "step"}:
        raise InputError(f"{where}: unknown {min(map(str, unknown))} (known: low, high, log, step)")
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{where}: log is {log!r} (allowed: true | false)")
    low, high = (_number(given.get(key), f"{where}: {key}") for key in ("low", "high"))
    step = None if given.get("step") is None else _number(given["step"], f"{where}: step")
    if low >= high:
        raise InputError(f"{where}: low is {low}, high is {high}: low has to be below high")
    if log and (low <= 0 or step is not None):
        raise InputError(f"{where}: a range with log: true needs a low above 0, and takes no step")
    if step is not None and not 0 < step <= (high - low) * (1 + 1e-9):
        raise InputError(f"{where}: step is {step} (allowed: > 0, <= {high - low:g})")
    return Range(low, high, log, step)


def _number(given: Any, where: str) -> float:
    value = number_or_text(given) if isinstance(given, str) else given
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where} is {given!r}: a range needs the numbers low and high")
    return value


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


def _as_integers(space: Space, key: str, found: Parameter, source: str) -> Parameter:
    """The same, with whole numbers where the field is one."""
    if isinstance(found, Choices):
        return found
    names = next(names for names in space.combinations() if key in (*names, *space.fields(names)))
    node: Any = space.recipe({**names, key: found.low})
    for part in key.split("."):
        node = getattr(node, part)
    if not isinstance(node, int):
        return Range(float(found.low), float(found.high), found.log, found.step)
    if found.step is not None and found.step != int(found.step):
        raise InputError(f"{source}: {key}: step is {found.step}: the field is a whole number")
    return Range(
        int(found.low), int(found.high), found.log, None if found.step is None else int(found.step), True
    )


def _under(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")
