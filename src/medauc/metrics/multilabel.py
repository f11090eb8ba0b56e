"""AUC of several labels at once: their mean, or all decisions pooled."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medauc.metrics._inputs import FloatArray
from medauc.metrics.auc_interval import Scale, check_scale, normal_interval
from medauc.metrics.clustered import clustered_interval, independent_pairs
from medauc.metrics.delong import delong_influence, delong_interval
from medauc.metrics.estimate import Estimate
from medauc.metrics.proportion import group_index
from medauc.metrics.roc import roc_auc


def macro_auc_interval(
    targets: ArrayLike,
    scores: ArrayLike,
    level: float = 0.95,
    scale: Scale = "score",
    groups: ArrayLike | None = None,
) -> Estimate:
    """Mean AUC over labels that share their samples, with its confidence interval.

    The influence of a sample on the mean is the mean of its influences on the labels, so the
    correlation between labels is accounted for; with ``groups``, influences are summed by group before they are
    squared. The interval is normal on the logit scale (``"linear"``: on the linear one). With one label it is
    :func:`medauc.metrics.delong_interval`, or :func:`medauc.metrics.clustered_interval`.

    Args:
        targets: 0, 1 or -1 (unknown: the sample is left out of that label), shape ``(N, L)``; at least
            two samples of each class in each label.
        scores: Real numbers, shape ``(N, L)``.
        level: Confidence, in (0, 1).
        scale: ``"score"`` (which needs the variance of a single AUC, so it is ``"logit"`` for a mean), ``"logit"``
            or ``"linear"``.
        groups: Whose sample it is, shape ``(N,)``; ``None``: all samples are independent.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: Shapes differ or are not ``(N, L)``; or see :func:`medauc.metrics.delong_influence`.

    >>> y = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> [round(x, 3) for x in macro_auc_interval(y, [[1, 1], [4, 2], [3, 3], [8, 8]])]
    [0.75, 0.069, 0.992]
    """
    check_scale(scale)
    target_table, score_table = _check_tables(targets, scores)
    if target_table.shape[1] == 1:
        known = target_table[:, 0] != -1
        target, score = target_table[known, 0], score_table[known, 0]
        if groups is None:
            return delong_interval(target, score, level, scale)
        return clustered_interval(target, score, np.asarray(groups)[known], level, scale)
    owner = np.arange(len(target_table)) if groups is None else np.asarray(groups)
    aucs, pairs = [], []
    influence = np.zeros(len(target_table))
    for target, score in zip(target_table.T, score_table.T, strict=True):
        known = target != -1
        aucs.append(roc_auc(target[known], score[known]))
        influence[known] += delong_influence(target[known], score[known]) / target_table.shape[1]
        pairs.append(independent_pairs(target[known], owner[known]))
    variance = summed_squares(influence, groups)
    return normal_interval(float(np.mean(aucs)), variance, min(pairs), level, scale)


def micro_auc_interval(
    targets: ArrayLike, scores: ArrayLike, level: float = 0.95, groups: ArrayLike | None = None
) -> Estimate:
    """AUC of all decisions pooled: any positive sample-label pair against any negative one.

    It compares scores across labels, so it rewards scores that share one scale and depends on how common the labels
    are. The L decisions on one sample are dependent: the interval is
    :func:`medauc.metrics.clustered_interval` with a group a sample (or with ``groups``).

    Args:
        targets: 0, 1 or -1 (unknown: left out), shape ``(N, L)``.
        scores: Real numbers on one scale, shape ``(N, L)``.
        level: Confidence, in (0, 1).
        groups: Whose sample it is, shape ``(N,)``; ``None``: all samples are independent.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: Shapes differ or are not ``(N, L)``; or see :func:`medauc.metrics.clustered_interval`.

    >>> y = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> [round(x, 3) for x in micro_auc_interval(y, [[1, 1], [4, 2], [3, 3], [8, 8]])]
    [0.781, 0.236, 0.969]
    """
    target_table, score_table = _check_tables(targets, scores)
    samples, labels = target_table.shape
    if groups is not None and np.shape(groups) != (samples,):
        raise ValueError(f"groups needs the shape ({samples},) of the samples, got {np.shape(groups)}")
    owner = np.repeat(np.arange(samples) if groups is None else np.asarray(groups), labels)
    known = target_table.ravel() != -1
    return clustered_interval(target_table.ravel()[known], score_table.ravel()[known], owner[known], level)


def summed_squares(influence: FloatArray, groups: ArrayLike | None) -> float:
    """Variance from influences: squares of their sums by group, of themselves without groups.

    >>> summed_squares(np.array([1.0, 2.0, 3.0]), None), summed_squares(np.array([1.0, 2.0, 3.0]), [7, 7, 8])
    (14.0, 18.0)
    """
    index = None if groups is None else group_index(groups, influence.size)
    return float(np.square(influence if index is None else np.bincount(index, influence)).sum())


def _check_tables(targets: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
    target_table, score_table = np.asarray(targets), np.asarray(scores, dtype=np.float64)
    if target_table.ndim != 2 or target_table.shape != score_table.shape or not target_table.shape[1]:
        shapes = f"{target_table.shape} and {score_table.shape}"
        raise ValueError(f"targets and scores need one shape (N, L) with L of 1 or more, got {shapes}")
    return target_table, score_table
