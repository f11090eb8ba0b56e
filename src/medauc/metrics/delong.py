"""DeLong's variance of the AUC, in O(N log N) by one sort and in float64 throughout.

All of it rests on one array, the influence of each sample on the AUC: products of the influences on two AUCs
add up to their covariance, and squares of sums of influences to the variance of a sum over labels.
"""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import BoolArray, FloatArray, check_binary
from medauc.metrics._placement import won_pairs
from medauc.metrics.auc_interval import (
    Scale,
    check_scale,
    hoeffding_interval,
    normal_interval,
    score_interval,
)
from medauc.metrics.estimate import Estimate


def delong_influence(target: ArrayLike, score: ArrayLike) -> FloatArray:
    """Influence of each sample on the AUC, scaled so that the squares add up to DeLong's variance.

    For a positive i it is ``(V10_i - AUC) / sqrt(m (m - 1))`` and for a negative j
    ``(V01_j - AUC) / sqrt(n (n - 1))``, with m positives, n negatives and the structural components
    V10, V01 of DeLong et al.: the share of the other class that the sample is ranked correctly against.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        score: Real numbers, shape ``(N,)``.

    Returns:
        Shape ``(N,)``.

    Raises:
        ValueError: Fewer than two samples in a class; or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845; by ranks: Sun & Xu, IEEE Signal
        Processing Letters 21 (2014) 1389-1393.

    >>> round(float((delong_influence([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) ** 2).sum()), 12)
    0.125
    """
    return _auc_and_influence(*check_binary(target, score))[1]


def delong_variance(target: ArrayLike, score: ArrayLike) -> float:
    """DeLong's estimate of the variance of :func:`medauc.metrics.roc_auc`.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        score: Real numbers, shape ``(N,)``.

    Returns:
        The variance; 0 exactly for perfect ranking (AUC 0 or 1) and for constant scores.

    Raises:
        ValueError: See :func:`delong_influence`.

    >>> round(delong_variance([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 12)
    0.125
    """
    return float(np.square(delong_influence(target, score)).sum())


def delong_covariance(target: ArrayLike, scores: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """AUCs of several scores of the same samples, and their covariance, in O(M N log N).

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        scores: Real numbers, one row a model, shape ``(M, N)``.

    Returns:
        ``(aucs, covariance)``, of shapes ``(M,)`` and ``(M, M)``.

    Raises:
        ValueError: ``scores`` is not ``(M, N)``; or see :func:`delong_influence`.

    Source:
        See :func:`delong_influence`.

    >>> aucs, covariance = delong_covariance([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8], [1, 3, 2, 4]])
    >>> aucs.tolist(), covariance.round(12).tolist()
    ([0.75, 0.75], [[0.125, 0.125], [0.125, 0.125]])
    """
    aucs, influence = aucs_and_influences(target, scores)
    return aucs, influence @ influence.T


def delong_interval(
    target: ArrayLike, score: ArrayLike, level: float = 0.95, scale: Scale = "score"
) -> Estimate:
    """AUC with its confidence interval.

    ``"score"`` is :func:`medauc.metrics.score_interval` with DeLong's variance. Over 20,000 draws of binormal
    scores for each of 144 settings, 20 to 500 positives, prevalence 0.1 to 0.5 and AUC 0.6 to 0.98, it covers the
    truth in 93.9% to 96.2% (benchmarks/results/coverage.json); where 20 positives vary twice as much as 180
    negatives, in 90% at AUC 0.95. ``"logit"`` is the normal interval on the logit scale, down to 90% and 84%
    there. ``"linear"`` is the normal interval, clipped to [0, 1], as most software has it (R's pROC, for
    one): down to 80% and 77%.

    Where DeLong's variance says nothing, that is where it is 0 (AUC 0 or 1, constant scores) or a class
    has one sample, each of them is :func:`hoeffding_interval`: true whatever the distribution, hence wide.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        level: Confidence, in (0, 1).
        scale: ``"score"``, ``"logit"`` or ``"linear"``.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: ``level`` or ``scale`` out of range; or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Logit scale: Pepe, The Statistical Evaluation of Medical Tests (2003), section 5.2.

    >>> [round(x, 3) for x in delong_interval([0, 0, 1, 0, 1, 1], [1, 2, 3, 4, 5, 6])]
    [0.889, 0.38, 0.987]
    >>> [round(x, 3) for x in delong_interval([0, 0, 1, 1], [1, 2, 3, 4])]  # nothing to estimate from
    [1.0, 0.158, 1.0]
    """
    check_scale(scale)
    targets, scores = check_binary(target, score)
    m = int(targets.sum())
    n = targets.size - m
    if min(m, n) < 2:
        auc = float(won_pairs(targets, scores)[targets].mean() / n)
        return Estimate(auc, *hoeffding_interval(auc, 1, level))
    auc, influence = _auc_and_influence(targets, scores)
    of_positives, of_negatives = (float(np.square(influence[part]).sum()) for part in (targets, ~targets))
    variance = of_positives + of_negatives
    if scale != "score" or variance == 0.0:
        return normal_interval(auc, variance, min(m, n), level, scale)
    degrees = variance**2 / (of_positives**2 / (m - 1) + of_negatives**2 / (n - 1))  # Satterthwaite's
    low, high = score_interval(auc, variance, m, n, degrees, level)
    return Estimate(auc, float(low), float(high))


def aucs_and_influences(target: ArrayLike, scores: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """AUC and :func:`delong_influence` of each row of ``scores``, of shapes ``(M,)`` and ``(M, N)``.

    >>> aucs, influence = aucs_and_influences([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8]])
    >>> aucs.tolist(), influence.shape
    ([0.75], (1, 4))
    """
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"scores need the shape (M, N) with M of 1 or more, got {rows.shape}")
    results = [_auc_and_influence(*check_binary(target, row)) for row in rows]
    return np.array([auc for auc, _ in results]), np.array([influence for _, influence in results])


def _auc_and_influence(targets: BoolArray, scores: FloatArray) -> tuple[float, FloatArray]:
    m = int(targets.sum())
    n = targets.size - m
    if min(m, n) < 2:
        raise ValueError(f"DeLong's variance needs two samples of each class, got {m} positive, {n} negative")
    won = won_pairs(targets, scores)  # exact, so perfect ranking has variance 0
    won_by_positives = float(won[targets].sum())
    influence = np.where(
        targets,
        (won - won_by_positives / m) / (n * np.sqrt(m * (m - 1.0))),
        (won - won_by_positives / n) / (m * np.sqrt(n * (n - 1.0))),
    )
    return won_by_positives / (m * n), influence
