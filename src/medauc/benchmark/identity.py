"""Which recipe a run was of: its nearest shipped one, its changes, and a fingerprint that outlives new keys."""

import hashlib
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

from medauc.training.plan import FAMILIES, read_shipped, shipped_recipes
from medauc.training.recipe import Recipe, differing_keys, parse_recipe


def closest_shipped(dataset: str, recipe: Recipe) -> tuple[str, list[str]]:
    """The shipped recipe of the data set from which this one differs least, and in what; "own" when none ships.

    Args:
        dataset: name of the catalog or of a phantom.
        recipe: what was trained.

    >>> shipped = parse_recipe(read_shipped("seed", "vesselmnist3d"), "")
    >>> changed = shipped.model_copy(update={"loss": shipped.loss.model_copy(update={"margin": 0.3})})
    >>> closest_shipped("vesselmnist3d", changed)
    ('seed', ['loss.margin (1.0 -> 0.3)'])
    """
    candidates = {}
    for family in FAMILIES:
        if dataset in shipped_recipes(family):
            candidates[family] = changes(parse_recipe(read_shipped(family, dataset), family), recipe)
    if not candidates:
        return "own", []
    family = min(candidates, key=lambda name: len(candidates[name]))
    return family, candidates[family]


def changes(first: Recipe, second: Recipe) -> list[str]:
    """``key.path (first -> second)`` for what was chosen differently; keys that only follow another loss are left out.

    >>> changes(Recipe(), Recipe.model_validate({"loss": {"name": "focal"}}))
    ['loss.name (aucm -> focal)', 'optim.name (pesg -> adamw)', 'sampling.positive_share (0.5 -> None)']
    """
    chosen = _chosen(first).keys() | _chosen(second).keys()
    return [text for text in differing_keys(first, second) if text.partition(" (")[0] in chosen]


def fingerprint(recipe: Recipe) -> str:
    """Short hash of everything that a recipe chooses; the images' size does not count, which the data set names.

    It stays the same when a later version adds a key that is off by default.

    >>> other = Recipe.model_validate({"loss": {"margin": 0.5}})
    >>> fingerprint(Recipe()) == fingerprint(Recipe(description="as it is")) != fingerprint(other)
    True
    """
    text = "\n".join(f"{key}={value!r}" for key, value in sorted(_chosen(recipe).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _chosen(recipe: Recipe) -> dict[str, Any]:
    return {
        key: value for key, value in distinguishing(recipe).items() if key not in ("description", "data.size")
    }


def distinguishing(section: Any, prefix: str = "") -> dict[str, Any]:
    """Values by ``key.path`` that differ from the defaults of their own section's class, and every ``name``.

    >>> found = distinguishing(Recipe.model_validate({"loss": {"margin": 0.5}, "data": {"phantom": {"n_val": 50}}}))
    >>> {key: value for key, value in found.items() if not key.endswith("name")}
    {'data.phantom.n_val': 50, 'loss.margin': 0.5}
    """
    found: dict[str, Any] = {}
    for key, default in _defaults(section).items():
        value = getattr(section, key)
        if isinstance(value, BaseModel) or is_dataclass(value):
            found |= ({} if default is not None else {prefix + key: "on"}) | distinguishing(
                value, f"{prefix}{key}."
            )
        elif key == "name" or value != default:
            found[prefix + key] = value
    return found


def _defaults(section: Any) -> dict[str, Any]:
    if isinstance(section, BaseModel):
        known = type(section).model_fields.items()
        return {key: field.get_default(call_default_factory=True) for key, field in known}
    return {field.name: field.default for field in fields(section)}
