"""Precision against recall: curve, average precision, its interval."""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, check_binary, check_share
from medauc.metrics.auc_interval import FEW_CASES, hoeffding_interval
from medauc.metrics.bootstrap import blocks, percentile_interval
from medauc.metrics.roc import cumulative_counts, roc_auc


def precision_recall_curve(target: ArrayLike, score: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision and recall at every distinct threshold, from the strictest to the laxest.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.

    Returns:
        ``(precision, recall, threshold)``, each of shape ``(K,)`` for K distinct scores; the last point
        has recall 1 and the prevalence as precision.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    >>> precision, recall, threshold = precision_recall_curve([0, 0, 1, 1], [1, 3, 2, 4])
    >>> precision.round(3).tolist(), recall.tolist(), threshold.tolist()
    ([1.0, 0.5, 0.667, 0.5], [0.5, 0.5, 1.0, 1.0], [4.0, 3.0, 2.0, 1.0])
    """
    false_positives, true_positives, threshold = (column[1:] for column in cumulative_counts(target, score))
    return true_positives / (true_positives + false_positives), true_positives / true_positives[-1], threshold


def average_precision(target: ArrayLike, score: ArrayLike) -> float:
    """Area under the precision-recall steps: mean precision over positives, each at its own threshold.

    A useless score gives about the prevalence.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.

    Returns:
        The average precision, in (0, 1].

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    precision, recall, _ = precision_recall_curve(target, score)
    return float(np.diff(recall, prepend=0.0) @ precision)


def average_precision_interval(
    target: ArrayLike, score: ArrayLike, level: float = 0.95, replicates: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Average precision with the percentile interval of a bootstrap stratified by class.

    Positives and negatives are redrawn separately, so every replicate keeps the prevalence on which
    average precision depends. Only the number of negatives between neighbouring positives matters,
    and those counts are drawn directly (multinomial): the cost grows with positives, not samples.

    Where redrawing tells little, that is where the ranking is perfect or a class has fewer than
    ``FEW_CASES`` (5) samples, the lower bound is the least average precision that any ranking has whose
    AUC is at the lower bound of :func:`medauc.metrics.delong.hoeffding_interval`, and the upper bound is
    1: true, hence wide.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        level: Confidence, in (0, 1).
        replicates: Number of bootstrap replicates.
        seed: Equal seeds give equal intervals.

    Returns:
        ``(average_precision, low, high)``.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    >>> ap, low, high = average_precision_interval([0] * 6 + [1] * 6, [1, 2, 3, 4, 6, 9, 5, 7, 8, 10, 11, 12])
    >>> low < ap < high
    True
    """
    targets, scores = check_binary(target, score)
    thresholds, hits = np.unique(-scores[targets], return_counts=True)  # ascending, so strictest first
    gaps = np.bincount(
        np.searchsorted(thresholds, -scores[~targets], side="left"), minlength=thresholds.size + 1
    )
    positives, negatives = int(hits.sum()), int(gaps.sum())
    rng = np.random.default_rng(seed)
    value, auc = average_precision(targets, scores), roc_auc(targets, scores)
    if auc == 1.0 or min(positives, negatives) < FEW_CASES:
        auc_low, _ = hoeffding_interval(auc, min(positives, negatives), level)
        return value, min(value, least_average_precision(auc_low, positives / targets.size)), 1.0
    drawn = np.empty(replicates)
    for block in blocks(replicates, thresholds.size + 1):
        rows = block.stop - block.start
        true_step = rng.multinomial(positives, hits / positives, size=rows)
        false_step = rng.multinomial(negatives, gaps / negatives, size=rows)[:, :-1]
        called_true, called_false = np.cumsum(true_step, axis=1), np.cumsum(false_step, axis=1)
        precision = called_true / np.maximum(called_true + called_false, 1)
        drawn[block] = (true_step * precision).sum(axis=1) / positives
    return value, *percentile_interval(drawn, level)


def least_average_precision(auc: float, prevalence: float) -> float:
    """Least average precision that goes with an AUC, for any distribution of scores.

    Average precision is ``integral of p u / (p u + (1 - p) F(u)) du`` over the true positive rate u, with
    prevalence p and F(u) the false positive rate; its minimum under ``integral of F = 1 - auc`` has
    ``F(u) = max(0, c sqrt(u) - p u) / (1 - p)``.

    Args:
        auc: In [0, 1].
        prevalence: In (0, 1).

    Returns:
        The bound, in (0, 1]; 1 for ``auc`` 1. Not always attained, since F must not fall.

    Raises:
        ValueError: An argument lies outside its range.

    >>> round(least_average_precision(0.9, 0.5), 4)
    0.7418
    """
    if not 0.0 <= auc <= 1.0:
        raise ValueError(f"auc must lie in [0, 1], got {auc}")
    p = check_share(prevalence, "prevalence")
    misranked = (1.0 - auc) * (1.0 - p)
    reach = float(np.sqrt(6.0 * misranked / p))  # F is above 0 up to this true positive rate
    return 1.0 - reach / 3.0 if reach <= 1.0 else p / (2.25 * misranked + 1.125 * p)
