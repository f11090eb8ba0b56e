"""The leaders race: whose lead may be the luck of a seed is trained with further seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.stats import t as student

MOST = 5  # trials in a race; each costs as many trainings as there are seeds
_LEVEL = 0.95

Results = Mapping[int, Sequence[float]]  # AUC of each seed, by trial


class Spread(NamedTuple):
    """Standard deviation between seeds, pooled over trials, and its degrees of freedom."""

    sd: float
    degrees: int


def seed_spread(results: Results) -> Spread | None:
    """How much seeds differ; None before any trial has two.

    >>> seed_spread({0: [0.80, 0.82], 1: [0.70, 0.72], 2: [0.9]})
    Spread(sd=0.01414..., degrees=2)
    """
    several = [aucs for aucs in results.values() if len(aucs) > 1]
    degrees = sum(len(aucs) - 1 for aucs in several)
    if not degrees:
        return None
    squares = sum(statistics.variance(aucs) * (len(aucs) - 1) for aucs in several)
    return Spread(math.sqrt(squares / degrees), degrees)


def ranking(results: Results) -> list[int]:
    """Trials by mean AUC, best first; of equal ones the earlier."""
    return sorted(results, key=lambda trial: (-round(statistics.fmean(results[trial]), 12), trial))


def contenders(results: Results) -> list[int]:
    """The leader, then up to four more whose difference from it has an interval (95%, Student's t) that holds 0.

    Seeds vary equally much in all trials, it is assumed; before any has two, all of the best five contend.

    >>> contenders({0: [0.80, 0.81], 1: [0.80, 0.79], 2: [0.60, 0.61]})
    [0, 1]
    """
    leader, *others = ranking(results)[:MOST]
    spread = seed_spread(results)
    if spread is None:
        return [leader, *others]
    factor = float(student.ppf(0.5 + _LEVEL / 2, spread.degrees)) * spread.sd
    best, seeds = statistics.fmean(results[leader]), len(results[leader])
    return [leader] + [
        trial
        for trial in others
        if best - statistics.fmean(results[trial]) <= factor * math.sqrt(1 / seeds + 1 / len(results[trial]))
    ]


def next_seed(results: Results, taken: Mapping[int, int], most: int, among: int = MOST) -> int | None:
    """Whose turn it is to be trained with one more seed; None when the leader is alone, or all have enough.

    Args:
        results: finished seeds.
        taken: how many seeds of each trial are finished, failed or being trained.
        most: seeds of a trial.
        among: only the best so many.

    >>> next_seed({0: [0.80, 0.81], 1: [0.80]}, {0: 2, 1: 1}, most=3)
    1
    """
    if not results:
        return None
    racing = contenders(results)[:among]
    open_ = [trial for trial in racing if taken[trial] < most]
    if len(racing) == 1 or not open_:
        return None
    return min(open_, key=lambda trial: (taken[trial], racing.index(trial)))


def leader_error(results: Results) -> float | None:
    """Standard error of the leader's mean AUC over seeds; None before any trial has two."""
    spread = seed_spread(results)
    if spread is None:
        return None
    return spread.sd / math.sqrt(len(results[ranking(results)[0]]))
