"""What every threshold does on test, precomputed for the slider of the page: no statistics in JavaScript."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medauc.metrics import roc_curve, wilson_interval

MOST_THRESHOLDS = 400


def thresholds_table(
    target: NDArray[np.int8], score: NDArray[np.float64], level: float, keep: list[float]
) -> dict[str, Any]:
    """Counts and Wilson intervals at thresholds from the strictest to the laxest.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        level: Confidence of the intervals.
        keep: Thresholds that must be among them: those that validation chose.

    Returns:
        Lists by name: ``threshold``, ``tp``, ``fp``, and bounds ``sensitivity``, ``specificity``, ``ppv``, ``npv`` as
        pairs (null where undefined); numbers ``positives``, ``negatives``, and ``chosen``: places of ``keep``.
    """
    positives, negatives = np.sort(score[target == 1]), np.sort(score[target == 0])
    _, _, candidates = roc_curve(target, score)
    found = np.unique(np.concatenate([candidates[np.isfinite(candidates)], _nothing(score)]))[::-1]
    thinned = found[
        np.unique(np.linspace(0, len(found) - 1, MOST_THRESHOLDS - len(keep)).round().astype(int))
    ]
    thresholds = np.unique(np.concatenate([thinned, keep]))[::-1]
    tp = len(positives) - np.searchsorted(positives, thresholds)
    fp = len(negatives) - np.searchsorted(negatives, thresholds)
    fn, tn = len(positives) - tp, len(negatives) - fp
    return {
        "threshold": thresholds.tolist(),
        "tp": tp.tolist(),
        "fp": fp.tolist(),
        "positives": len(positives),
        "negatives": len(negatives),
        "sensitivity": _bounds(tp, tp + fn, level),
        "specificity": _bounds(tn, tn + fp, level),
        "ppv": _bounds(tp, tp + fp, level),
        "npv": _bounds(tn, tn + fn, level),
        "flagged": _bounds(tp + fp, tp + fp + tn + fn, level),
        "chosen": [int(np.flatnonzero(thresholds == value)[0]) for value in keep],
    }


def _nothing(score: NDArray[np.float64]) -> list[float]:
    """A threshold above every score, where nothing is called positive."""
    return [float(np.nextafter(score.max(), np.inf))]


def _bounds(successes: NDArray[np.intp], trials: NDArray[np.intp], level: float) -> list[list[float] | None]:
    low, high = wilson_interval(np.where(trials > 0, successes, 0), np.maximum(trials, 1), level)
    return [
        [round(float(a), 4), round(float(b), 4)] if n > 0 else None
        for a, b, n in zip(low, high, trials, strict=True)
    ]
