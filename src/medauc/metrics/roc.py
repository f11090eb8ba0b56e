"""The receiver operating characteristic: curve, area, confidence band."""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, check_binary, check_share
from medauc.metrics._placement import won_pairs
from medauc.metrics.proportion import wilson_interval


def roc_auc(target: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Counted by one sort (Mann-Whitney U), exact for up to about 10^7 samples.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, higher = more positive, shape ``(N,)``.

    Returns:
        The area, in [0, 1].

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`; a single class is an error.

    Source:
        Hanley & McNeil, Radiology 143 (1982) 29-36.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    targets, scores = check_binary(target, score)
    positives = int(targets.sum())
    return float(won_pairs(targets, scores)[targets].sum()) / (positives * (targets.size - positives))


def roc_curve(target: ArrayLike, score: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Every point of the empirical ROC curve.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.

    Returns:
        ``(fpr, tpr, threshold)``, each of shape ``(K + 1,)`` for K distinct scores: rates in [0, 1] of
        the samples with ``score >= threshold``. The first point is (0, 0) with threshold ``inf``,
        the last is (1, 1).

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    >>> fpr, tpr, threshold = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> fpr.tolist(), tpr.tolist(), threshold.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0], [inf, 0.8, 0.4, 0.35, 0.1])
    """
    false_positives, true_positives, threshold = cumulative_counts(target, score)
    return false_positives / false_positives[-1], true_positives / true_positives[-1], threshold


def cumulative_counts(target: ArrayLike, score: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Count false and true positives at each distinct threshold, from the strictest to the laxest.

    Returns:
        ``(false_positives, true_positives, threshold)``, each of shape ``(K + 1,)``; the first
        threshold is ``inf`` (nothing called positive), the last calls everything positive.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    >>> [column.tolist() for column in cumulative_counts([0, 1, 1], [1.0, 1.0, 2.0])]
    [[0.0, 0.0, 1.0], [0.0, 1.0, 2.0], [inf, 2.0, 1.0]]
    """
    targets, scores = check_binary(target, score)
    order = np.argsort(-scores, kind="stable")
    targets, scores = targets[order], scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), scores.size - 1)
    true_positives = np.cumsum(targets, dtype=np.float64)[last_of_tie]
    false_positives = last_of_tie + 1 - true_positives
    return (
        np.append(0.0, false_positives),
        np.append(0.0, true_positives),
        np.append(np.inf, scores[last_of_tie]),
    )


def roc_band(
    target: ArrayLike, score: ArrayLike, level: float = 0.95, points: int = 201
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pointwise confidence band of the ROC curve.

    At each threshold, FPR and TPR each get a Wilson interval of confidence ``sqrt(level)``; both
    classes being independent samples, the rectangle they span holds the true (FPR, TPR) of that
    threshold with confidence ``level``. The band is the envelope of these rectangles. It needs no
    resampling and, unlike a bootstrap band, does not shrink to nothing in the corners. It is
    pointwise: the whole curve lies inside with less than ``level``.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        level: Confidence, in (0, 1).
        points: Number of false positive rates, evenly spaced over [0, 1].

    Returns:
        ``(fpr, low, high)``, each of shape ``(points,)``: bounds of TPR at each FPR.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Hilgers, Methods of Information in Medicine 30 (1991) 96-101, with Wilson's interval in place
        of the exact binomial one.

    >>> fpr, low, high = roc_band([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], points=3)
    >>> bool((low <= [0, 0.75, 1]).all() and (high >= [0.5, 0.75, 1]).all())
    True
    """
    side = np.sqrt(check_share(level, "level"))
    false_positives, true_positives, _ = cumulative_counts(target, score)
    fpr_low, fpr_high = wilson_interval(false_positives, false_positives[-1], side)
    tpr_low, tpr_high = wilson_interval(true_positives, true_positives[-1], side)
    fpr = np.linspace(0.0, 1.0, points)
    low = np.interp(fpr, np.append(0.0, fpr_high), np.append(0.0, tpr_low))
    high = np.interp(fpr, np.append(fpr_low, 1.0), np.append(tpr_high, 1.0))
    return fpr, low, high
