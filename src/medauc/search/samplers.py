"""How the next trial is chosen, and which trials a search has where it lists them itself."""

import itertools
import math
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from medauc.errors import InputError
from medauc.search.parameters import Choices
from medauc.search.space import Space, Values, value_at

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

SamplerName = Literal["tpe", "random", "grid", "cmaes", "sweep"]
PrunerName = Literal["halving", "median", "none"]
SAMPLERS: tuple[str, ...] = get_args(SamplerName)
PRUNERS: tuple[str, ...] = get_args(PrunerName)
LISTED: tuple[str, ...] = ("grid", "sweep")  # they list their trials beforehand

_STARTUP = 10  # trials drawn at random before there is anything to learn from
_MOST_LISTED = 10_000
_FACTOR = 2  # of so many trials one is trained on at each rung
_FIRST = 2 / 9  # of the epochs: earlier, AUC says nothing of the end where the learning rate is still rising


def make_sampler(name: str, seed: int, number: int, again: int = 0) -> "BaseSampler":
    """The sampler of one trial; its randomness depends on what is given here alone, so stopping changes nothing.

    Args:
        name: of :data:`SAMPLERS`.
        seed: the search's.
        number: the trial's.
        again: how often it has drawn in vain for this trial.
    """
    from optuna.samplers import CmaEsSampler, RandomSampler, TPESampler

    own = random.Random(f"{seed} {number}" + f" {again}" * bool(again)).randrange(2**32)
    if name == "tpe":
        return TPESampler(seed=own, n_startup_trials=_STARTUP, multivariate=True, constant_liar=True)
    if name == "cmaes":
        return CmaEsSampler(seed=own, n_startup_trials=_STARTUP, warn_independent_sampling=False)
    return RandomSampler(seed=own)


def require_data_only(sampler: str) -> None:
    """Refuse a sampler whose state, read from a database that others may write to, could hold code.

    Raises:
        InputError: ``cmaes``, which Optuna keeps as a pickle.
    """
    if sampler == "cmaes":
        raise InputError(
            "--sampler cmaes: its state is kept as a Python pickle, through which whoever may write to the database "
            "could run code here; take tpe, or leave --storage out"
        )


def make_pruner(name: str, epochs: int) -> "BasePruner":
    """What ends hopeless trainings, asked after each epoch.

    Args:
        name: of :data:`PRUNERS`: ``halving`` lets the better half of the trials past two, four and eight ninths of
            their epochs (ASHA); ``median`` ends what is below the median of the complete ones at its epoch.
        epochs: most epochs of a trial.

    Source:
        Li et al., A system for massively parallel hyperparameter tuning (ASHA), MLSys 2020.
    """
    from optuna.pruners import MedianPruner, NopPruner

    from medauc.search.halving import Halving

    first = max(1, round(_FIRST * epochs))
    if name == "halving":
        return Halving(first, _FACTOR)
    if name == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=first)
    return NopPruner()


def listed_trials(name: str, space: Space, seed: int) -> list[Values]:
    """Trials that are known beforehand, in their order: all of a grid or a sweep, else the base recipe's own values.

    Args:
        name: of :data:`SAMPLERS`.
        space: what may vary; of ranges without steps, five values.
        seed: decides the order of a grid, which is shuffled so that a part of it says something about all.

    Raises:
        InputError: a grid of more than ten thousand, or a grid or sweep over fields that not every trial has.
    """
    own = own_values(space)
    if name not in LISTED:
        return [own] if own.keys() == space.parameters.keys() or _is_whole(space, own) else []
    if any(key.endswith("name") for key in space.parameters):
        raise InputError(
            f"--sampler {name}: fields depend on a name that is searched too; take tpe or random"
        )
    points = {key: found.points() for key, found in space.parameters.items()}
    if name == "sweep":
        start = {key: _own_value(space, key, _middle(values)) for key, values in points.items()}
        changed = [
            {**start, key: value} for key, values in points.items() for value in values if value != start[key]
        ]
        return [start, *changed]
    if (count := math.prod(map(len, points.values()))) > _MOST_LISTED:
        raise InputError(
            f"--sampler grid: {count} trials; give lists of fewer values, or take another sampler"
        )
    grid = [dict(zip(points, values, strict=True)) for values in itertools.product(*points.values())]
    random.Random(seed).shuffle(grid)
    return grid


def listed_space(space: Space, trials: list[Values]) -> Space:
    """The space of a list of trials: of each field the values that occur."""
    values = {key: tuple(_distinct(trial[key] for trial in trials)) for key in space.parameters}
    return Space(space.base, {key: Choices(found) for key, found in values.items()})


def own_values(space: Space) -> Values:
    """The base recipe's own values, of the fields whose value lies in their range.

    >>> from medauc.search.defaults import default_space
    >>> from medauc.training.recipe import Recipe
    >>> own_values(default_space(Recipe()))["optim.lr"]
    0.1
    """
    values = {key: _own_value(space, key, None) for key in space.parameters}
    return {key: value for key, value in values.items() if space.parameters[key].holds(value)}


def _own_value(space: Space, key: str, absent: Any) -> Any:
    """The base recipe's value; a section that is off has none."""
    try:
        return value_at(space.base, key)
    except KeyError:
        return absent


def _is_whole(space: Space, own: Mapping[str, Any]) -> bool:
    """Whether these are all the values of one trial."""
    try:
        return space.fill(own.__getitem__) == own
    except KeyError:
        return False


def _middle(values: tuple[Any, ...]) -> Any:
    return values[len(values) // 2]


def _distinct(values: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
