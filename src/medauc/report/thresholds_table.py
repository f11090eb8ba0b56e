"""What every threshold does on test, precomputed for the slider of the page: no statistics in JavaScript."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medauc.metrics import roc_curve, wilson_interval
from medauc.metrics.proportion import group_index, ratio_estimate

MOST_THRESHOLDS = 400
MOST_BY_GROUP = 100  # intervals by group are computed one by one

Masks = NDArray[np.bool_]  # (threshold, sample)
Bounds = list[list[float] | None]


def thresholds_table(
    target: NDArray[np.int8],
    score: NDArray[np.float64],
    level: float,
    keep: Sequence[float] = (),
    groups: NDArray[np.str_] | None = None,
    most: int = MOST_THRESHOLDS,
) -> dict[str, Any]:
    """Counts and Wilson intervals at thresholds from the strictest to the laxest.

    Args:
        target: 0 or 1, shape ``(N,)``, both present.
        score: Real numbers, shape ``(N,)``.
        level: Confidence of the intervals.
        keep: Thresholds that must be among them: those that validation chose.
        groups: Whose sample it is, shape ``(N,)``, where samples of a group may be alike.
        most: Thresholds that the table may have; with groups at most 100.

    Returns:
        Lists by name: ``threshold``, ``tp``, ``fp``, and bounds of ``sensitivity``, ``specificity``, ``ppv``,
        ``npv``, ``flagged`` as pairs (null where undefined); numbers ``positives``, ``negatives``, ``level``;
        ``chosen``, the places of ``keep``. At the first threshold, unless one of ``keep`` is above it,
        nothing is called positive; at the last everything.

    >>> table = thresholds_table(np.array([0, 1, 0, 1], np.int8), np.array([1.0, 2.0, 3.0, 4.0]), 0.95, [2.5])
    >>> table["tp"], table["fp"], table["threshold"][table["chosen"][0]]
    ([0, 1, 1, 1, 2, 2], [0, 0, 1, 1, 1, 2], 2.5)
    """
    thresholds = _thresholds(target, score, keep, most if groups is None else min(most, MOST_BY_GROUP))
    positives, negatives = np.sort(score[target == 1]), np.sort(score[target == 0])
    tp = len(positives) - np.searchsorted(positives, thresholds)
    fp = len(negatives) - np.searchsorted(negatives, thresholds)
    fn, tn = len(positives) - tp, len(negatives) - fp
    if groups is None:
        bounds = {
            name: _wilson(*counts, level)
            for name, counts in {
                "sensitivity": (tp, tp + fn),
                "specificity": (tn, tn + fp),
                "ppv": (tp, tp + fp),
                "npv": (tn, tn + fn),
                "flagged": (tp + fp, tp + fp + tn + fn),
            }.items()
        }
    else:
        bounds = _by_group(target == 1, score, thresholds, groups, level)
    return {
        "threshold": thresholds.tolist(),
        "tp": tp.tolist(),
        "fp": fp.tolist(),
        "positives": len(positives),
        "negatives": len(negatives),
        "level": level,
        **bounds,
        "chosen": [int(np.flatnonzero(thresholds == value)[0]) for value in keep],
    }


def _thresholds(
    target: NDArray[np.int8], score: NDArray[np.float64], keep: Sequence[float], most: int
) -> NDArray[np.float64]:
    _, _, candidates = roc_curve(target, score)
    nothing = np.nextafter(score.max(), np.inf)  # above every score
    found = np.unique(np.append(candidates[np.isfinite(candidates)], nothing))[::-1]
    places = np.linspace(0, len(found) - 1, min(len(found), most - len(keep))).round().astype(int)
    return np.unique(np.concatenate([found[places], np.asarray(keep, dtype=np.float64)]))[::-1]


def _wilson(successes: NDArray[np.intp], trials: NDArray[np.intp], level: float) -> Bounds:
    low, high = wilson_interval(np.where(trials > 0, successes, 0), np.maximum(trials, 1), level)
    return [_pair(a, b) if n > 0 else None for a, b, n in zip(low, high, trials, strict=True)]


def _by_group(
    is_positive: NDArray[np.bool_],
    score: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    groups: NDArray[np.str_],
    level: float,
) -> dict[str, Bounds]:
    index = group_index(groups, score.size)
    place = np.arange(score.size) if index is None else index

    def interval(of: Callable[[Masks], Masks], among: Callable[[Masks], Masks]) -> Bounds:
        made: Bounds = []
        for threshold in thresholds:
            called = score >= threshold
            inside = among(called)
            totals = np.bincount(place, of(called) & inside), np.bincount(place, inside).astype(np.float64)
            found = ratio_estimate(totals[0].astype(np.float64), totals[1], level)
            made.append(_pair(found.low, found.high) if inside.any() else None)
        return made

    return {
        "sensitivity": interval(lambda called: called, lambda called: is_positive),
        "specificity": interval(lambda called: ~called, lambda called: ~is_positive),
        "ppv": interval(lambda called: is_positive, lambda called: called),
        "npv": interval(lambda called: ~is_positive, lambda called: ~called),
        "flagged": interval(lambda called: called, np.ones_like),
    }


def _pair(low: float, high: float) -> list[float]:
    return [round(float(low), 5), round(float(high), 5)]
