"""Repeated validation: the winner, and the recipe that the search started from, on splits that chose nothing."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from medauc.data import Dataset
from medauc.data.folds import assign_folds, most_folds
from medauc.errors import InputError
from medauc.evaluation.figures import Figure
from medauc.metrics import Estimate, resampled_mean
from medauc.search.book import Trial
from medauc.search.definition import Definition, KeptAside
from medauc.search.document import Repeated
from medauc.search.race import ranking
from medauc.training.origin import require_unseen

_LEVEL = 0.95
_FEWEST, _MOST = 2, 20  # folds, one of which is judged
_METHOD = "corrected resampled t interval over fresh splits of train and validation"
_REFERENCE = "Nadeau & Bengio, Mach. Learn. 52 (2003) 239"


@dataclass(frozen=True, eq=False)
class FreshSplits:
    """Random splits of train and validation together, stratified, patients whole; no trial was judged by any of them.

    Attributes:
        dataset: its train and validation are split anew.
        definition: what the search is.
    """

    dataset: Dataset
    definition: Definition
    _drawn: dict[int, KeptAside] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def refusal(self) -> str | None:
        """Why there are none, if so."""
        section = self.definition.asked.base.ensemble
        column = section.folds_by or section.folds_order_by
        if self.definition.folds is not None and column is not None:
            return f"folds go by {column}, of which there is but one division"
        try:
            for weights in self.definition.weights:
                require_unseen(Path(weights), self.dataset.name, self.dataset.md5)
        except InputError:
            return "model.weights has seen training images, which fresh splits would judge by"
        return None

    @cached_property
    def folds(self) -> int:
        """Of so many equal parts one is judged by: about as many samples as the search judged by at a time."""
        if self.definition.folds is not None:
            return self.definition.folds
        wanted = round(self.samples / len(self.dataset.val))
        return max(_FEWEST, min(wanted, most_folds(self.dataset), _MOST))

    @property
    def samples(self) -> int:
        """Samples that are split."""
        return len(self.dataset.train) + len(self.dataset.val)

    def part(self, number: int) -> KeptAside:
        """The split of that number, from 0; drawn once.

        Raises:
            InputError: a class would be absent from one side.
        """
        if number not in self._drawn:
            # The folds of a search itself have the seed 0.
            self._drawn[number] = KeptAside(0, assign_folds(self.dataset, self.folds, seed=number + 1))
        return self._drawn[number]


def judged_anew(trials: Sequence[Trial], definition: Definition) -> list[Trial]:
    """The best trial by now, then the recipe that the search started from, where that is another trial.

    Args:
        trials: all, in their order.
        definition: what the search is.
    """
    complete = {trial.index: trial for trial in trials if trial.state == "complete"}
    if not complete:
        return []
    winner = complete[ranking({index: trial.aucs for index, trial in complete.items()})[0]]
    start = trials[0] if definition.starts_with_base and trials[0].state != "failed" else None
    return [winner] if start is None or start is winner else [winner, start]


def repeated_validation(
    winner: Trial, start: Trial | None, found: float, splits: FreshSplits
) -> Repeated | None:
    """What the fresh splits say of a winner; None before one is finished.

    Args:
        winner: the trial that won.
        start: the trial with the recipe that the search started from, the winner itself maybe; None if there is none.
        found: the winner's AUC in the search.
        splits: made them.
    """
    own = _aucs(winner)
    if not own:
        return None
    base = {} if start is None or start is winner else _aucs(start)
    gains = [own[number] - base[number] for number in own if number in base]
    ratio = 1 / (splits.folds - 1)
    values = list(own.values())
    mean = resampled_mean(values, ratio, _LEVEL)
    return Repeated(
        aucs=values,
        start=list(base.values()),
        mean=_figure(mean, splits.samples, lowest=0.0),
        sd=statistics.stdev(values) if len(values) > 1 else None,
        optimism=found - mean.value,
        gain=_figure(resampled_mean(gains, ratio, _LEVEL), splits.samples, lowest=-1.0) if gains else None,
    )


def _aucs(trial: Trial) -> dict[int, float]:
    return {number: one.auc for number, one in sorted(trial.repeats.items()) if one.auc is not None}


def _figure(found: Estimate, samples: int, lowest: float) -> Figure:
    value, *bounds = found
    low, high = (None if np.isnan(bound) else float(np.clip(bound, lowest, 1.0)) for bound in bounds)
    return Figure(
        value=value, low=low, high=high, level=_LEVEL, n=samples, method=_METHOD, reference=_REFERENCE
    )
