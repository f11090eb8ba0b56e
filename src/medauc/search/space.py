"""What a search may change: fields of the recipe by name, each with a range or a list of choices."""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medauc.errors import InputError
from medauc.search.parameters import Parameter, Scalar, label
from medauc.training.overrides import apply_overrides
from medauc.training.recipe import Recipe, parse_recipe

if TYPE_CHECKING:
    from optuna.trial import Trial

Values = dict[str, Any]
_MOST_SETTINGS = 10_000


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

    @cached_property
    def settings(self) -> list[Values] | None:
        """Every setting; None where there are more than ten thousand, or they cannot be counted."""
        found: list[Values] = []
        for names in self.combinations():
            keys = self.fields(names)
            counts = [self.parameters[key].count for key in keys]
            if None in counts or math.prod(filter(None, counts)) > _MOST_SETTINGS:
                return None
            points = [
                self.parameters[key].points(count or 0) for key, count in zip(keys, counts, strict=True)
            ]
            found += [names | dict(zip(keys, values, strict=True)) for values in itertools.product(*points)]
        return found if len(found) <= _MOST_SETTINGS else None

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


Key = frozenset[tuple[str, Scalar]]


def key_of(values: Mapping[str, Any]) -> Key:
    """What tells settings apart; a step may be reached in two ways, which differ in the last bit.

    >>> key_of({"loss.margin": 0.1 + 0.2}) == key_of({"loss.margin": 0.3})
    True
    """
    return frozenset(
        (key, f"{value:.12g}" if isinstance(value, float) else label(value)) for key, value in values.items()
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


def text_of(values: Mapping[str, Any]) -> str:
    """Values in one line, as a person reads them.

    >>> text_of({"optim.lr": 0.0123456, "loss.margin": 1.0})
    'optim.lr=0.01235, loss.margin=1'
    """
    shown = [
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    ]
    return ", ".join(shown)
