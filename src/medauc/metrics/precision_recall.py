"""Precision against recall: curve, average precision, its interval."""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, check_binary
from medauc.metrics.bootstrap import blocks, percentile_interval
from medauc.metrics.roc import cumulative_counts


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

    >>> ap, low, high = average_precision_interval([0, 0, 0, 1, 1, 1], [1, 2, 5, 3, 4, 6])
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
    drawn = np.empty(replicates)
    for block in blocks(replicates, thresholds.size + 1):
        rows = block.stop - block.start
        true_step = rng.multinomial(positives, hits / positives, size=rows)
        false_step = rng.multinomial(negatives, gaps / negatives, size=rows)[:, :-1]
        called_true, called_false = np.cumsum(true_step, axis=1), np.cumsum(false_step, axis=1)
        precision = called_true / np.maximum(called_true + called_false, 1)
        drawn[block] = (true_step * precision).sum(axis=1) / positives
    return average_precision(targets, scores), *percentile_interval(drawn, level)
