"""The search's book: every trial and every further seed, as the storage keeps them.

Whoever writes holds the search's lock. A trial is Optuna's; a further seed, which a finished trial cannot take in, is
an attribute of the study. Each says which process is at it, so that what a dead one left is taken up.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from medauc.search.definition import Definition
from medauc.search.parameters import label
from medauc.search.pruning import GIVEN_UP
from medauc.search.samplers import make_pruner, make_sampler
from medauc.search.space import Key, Values, key_of
from medauc.search.storage import open_study

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial

_DRAWS = 10  # of a setting that was not tried yet
State = Literal["running", "complete", "pruned", "failed"]


@dataclass(frozen=True)
class Seed:
    """One seed of a trial; ``auc`` and ``error`` are None while it is trained by the process ``owner``.

    ``crashed`` tells an error that the user is not at fault for.
    """

    owner: str
    auc: float | None = None
    error: str | None = None
    epochs: int = 0
    seconds: float = 0.0
    crashed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is being trained, or was when its process died."""
        return self.auc is None and self.error is None


@dataclass(frozen=True)
class Trial:
    """One setting of the space.

    Attributes:
        index: counts the trials from 0; names the folder.
        optuna: Optuna's id.
        state: of its first seed: given up is ``pruned``.
        values: by ``key.path``.
        seeds: by number, the first being 0.
        repeats: its recipe on fresh splits, by the split's number.
        curve: validation AUC by epoch, as the pruner saw it.
        given_up: whether the pruner has spoken against it.
    """

    index: int
    optuna: int
    state: State
    values: Values
    seeds: Mapping[int, Seed]
    repeats: Mapping[int, Seed]
    curve: Mapping[int, float]
    given_up: bool = False

    @property
    def unfinished(self) -> list[int]:
        """Seeds that are being trained, or were when their process died."""
        first = [0] if self.state == "running" else []
        return first + [seed for seed, found in self.seeds.items() if seed and found.is_open]

    @property
    def aucs(self) -> list[float]:
        """AUC of each seed that is finished."""
        return [found.auc for _, found in sorted(self.seeds.items()) if found.auc is not None]


class Book:
    """Reads and writes the storage of one search.

    Args:
        storage: where it is kept.
        name: of the study.
        definition: what the search is.
        owner: token of this process.
    """

    def __init__(self, storage: "BaseStorage", name: str, definition: Definition, owner: str) -> None:
        self.name = name
        self._definition = definition
        self._owner = owner
        self._storage = storage
        self._study = open_study(storage, name, pruner=make_pruner(definition.pruner, definition.epochs))

    @property
    def study(self) -> "Study":
        """For Optuna's own evaluators."""
        return self._study

    def trials(self) -> list[Trial]:
        """All trials, in their order."""
        further = self._study.user_attrs
        found = [_trial(one, further) for one in self._study.get_trials(deepcopy=False) if _counts(one)]
        return sorted(found, key=lambda trial: trial.index)

    def begin(self) -> Trial:
        """Choose the next trial and make it this process's own."""
        self._remove_halves()
        index = sum(_counts(one) for one in self._study.get_trials(deepcopy=False))
        listed = self._definition.listed
        if index < len(listed):
            self._study.enqueue_trial({key: label(value) for key, value in listed[index].items()})
        asked, values = self._draw(index)
        asked.set_user_attr("seed 0", {"owner": self._owner})
        asked.set_user_attr("values", values)
        asked.set_user_attr("index", index)  # the last: without it the trial does not count
        return next(trial for trial in self.trials() if trial.index == index)

    def _draw(self, index: int) -> "tuple[OptunaTrial, Values]":
        """Ask the sampler, again where a trial had these values: the same training would give the same AUC."""
        from optuna.trial import TrialState

        tried = self._tried(self.trials())
        for again in range(_DRAWS):
            asked, values = self._ask(index, again)
            if key_of(values) not in tried:
                return asked, values
            self._study.tell(asked.number, state=TrialState.FAIL)
        definition = self._definition
        if rest := [one for one in definition.space.settings or () if key_of(one) not in tried]:
            chosen = random.Random(f"{definition.seed} {index}").choice(rest)
            self._study.enqueue_trial({key: label(value) for key, value in chosen.items()})
        return self._ask(index, _DRAWS)

    def _ask(self, index: int, again: int) -> "tuple[OptunaTrial, Values]":
        self._study.sampler = make_sampler(self._definition.sampler, self._definition.seed, index, again)
        asked = self._study.ask()
        return asked, self._definition.space.suggest(asked)

    def has_all(self, trials: Sequence[Trial]) -> bool:
        """Whether every setting of the space has been tried."""
        settings, tried = self._definition.space.settings, self._tried(trials)
        return settings is not None and all(key_of(one) in tried for one in settings)

    @staticmethod
    def _tried(trials: Sequence[Trial]) -> set[Key]:
        return {key_of(trial.values) for trial in trials}

    def begin_seed(self, trial: Trial, seed: int) -> None:
        """Make a further seed of a trial, or one that a dead process left, this process's own."""
        self._write(trial, seed, Seed(self._owner))

    def begin_repeat(self, trial: Trial, number: int) -> None:
        """Make the training of a trial's recipe on a fresh split this process's own."""
        self.finish_repeat(trial, number, Seed(self._owner))

    def finish_repeat(self, trial: Trial, number: int, result: Seed) -> None:
        """Write down what a fresh split gave."""
        self._study.set_user_attr(_key(trial.index, "split", number), _content(result))

    def finish(self, trial: Trial, seed: int, result: Seed, *, given_up: bool = False) -> None:
        """Write down what a seed of a trial gave.

        A trial that failed or was given up in its first seed is told to the sampler as bad, so that it looks elsewhere.
        """
        from optuna.trial import TrialState

        self._write(trial, seed, result)
        if seed == 0:
            number = self._storage.get_trial_number_from_id(trial.optuna)
            self._study.sampler = make_sampler(self._definition.sampler, self._definition.seed, trial.index)
            if result.auc is None or given_up:
                self._study.tell(number, state=TrialState.PRUNED)
            else:
                self._study.tell(number, result.auc)

    @property
    def ending(self) -> str | None:
        """Why no further trial is worth it, once that has been found."""
        found: str | None = self._study.user_attrs.get("ending")
        return found

    @ending.setter
    def ending(self, reason: str) -> None:
        if reason != self.ending:  # a journal grows by each word
            self._study.set_user_attr("ending", reason)

    @property
    def looked_at(self) -> int:
        """How many trials were known when it was last asked whether another is worth it."""
        found: int = self._study.user_attrs.get("looked at", 0)
        return found

    @looked_at.setter
    def looked_at(self, known: int) -> None:
        self._study.set_user_attr("looked at", known)

    def _write(self, trial: Trial, seed: int, result: Seed) -> None:
        if seed == 0:
            self._storage.set_trial_user_attr(trial.optuna, "seed 0", _content(result))
        else:
            self._study.set_user_attr(_key(trial.index, "seed", seed), _content(result))

    def _remove_halves(self) -> None:
        """Trials that a process began and died over before they had values."""
        from optuna.trial import TrialState

        for one in self._study.get_trials(deepcopy=False):
            if not _counts(one) and not one.state.is_finished():
                if one.state == TrialState.WAITING:
                    self._storage.set_trial_state_values(one._trial_id, TrialState.RUNNING)
                self._study.tell(one.number, state=TrialState.FAIL)


def _counts(one: "FrozenTrial") -> bool:
    return "index" in one.user_attrs


def _trial(one: "FrozenTrial", further: Mapping[str, Any]) -> Trial:
    index: int = one.user_attrs["index"]
    seeds = {0: Seed(**one.user_attrs["seed 0"])} | _noted(further, index, "seed")
    return Trial(
        index,
        one._trial_id,
        _state(one, seeds[0]),
        one.user_attrs["values"],
        dict(sorted(seeds.items())),
        _noted(further, index, "split"),
        one.intermediate_values,
        GIVEN_UP in one.user_attrs,
    )


def _key(index: int, kind: str, number: int | str) -> str:
    return f"trial {index} {kind} {number}"


def _content(result: Seed) -> dict[str, Any]:
    return {key: value for key, value in vars(result).items() if value is not None}


def _noted(further: Mapping[str, Any], index: int, kind: str) -> dict[int, Seed]:
    """What the study's attributes say of a trial, by number."""
    start = _key(index, kind, "")
    return {
        int(key.removeprefix(start)): Seed(**found) for key, found in further.items() if key.startswith(start)
    }


def _state(one: "FrozenTrial", first: Seed) -> State:
    if not one.state.is_finished():
        return "running"
    if first.error is not None:
        return "failed"
    return "complete" if one.state.name == "COMPLETE" else "pruned"
