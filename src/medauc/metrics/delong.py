"""DeLong's variance of the AUC, in O(N log N) by midranks and in float64 throughout.

All of it rests on one array, the influence of each sample on the AUC: squares of influences add up to
the variance, squares of differences of influences to the variance of a difference of two AUCs, and
squares of mean influences to the variance of a mean over labels.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, ndtri, rel_entr
from scipy.stats import rankdata

from medauc.metrics._inputs import FloatArray, check_binary, check_share
from medauc.metrics.roc import roc_auc

Scale = Literal["logit", "linear"]

FEW_CASES = 5  # with fewer of a class, 95% intervals that rest on estimated variance cover 70% to 87%


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
        DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845; midranks: Sun & Xu, IEEE Signal
        Processing Letters 21 (2014) 1389-1393.

    >>> round(float((delong_influence([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) ** 2).sum()), 12)
    0.125
    """
    targets, scores = check_binary(target, score)
    m = int(targets.sum())
    n = targets.size - m
    if min(m, n) < 2:
        raise ValueError(f"DeLong's variance needs two samples of each class, got {m} positive, {n} negative")
    # Counts of correctly ranked pairs are exact (halves of integers), so perfect ranking has variance 0.
    overall = rankdata(scores)
    won = np.empty(targets.size)
    won[targets] = overall[targets] - rankdata(scores[targets])
    won[~targets] = m - (overall[~targets] - rankdata(scores[~targets]))
    influence = np.empty(targets.size)
    influence[targets] = (won[targets] - won[targets].mean()) / n / np.sqrt(m * (m - 1))
    influence[~targets] = (won[~targets] - won[~targets].mean()) / m / np.sqrt(n * (n - 1))
    return influence


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


def delong_interval(
    target: ArrayLike, score: ArrayLike, level: float = 0.95, scale: Scale = "logit"
) -> tuple[float, float, float]:
    """AUC with its confidence interval.

    Normal interval with DeLong's variance, on the logit scale (stays inside (0, 1) and covers better
    near 1) or on the linear one (clipped to [0, 1]). Where that variance says nothing, that is where
    it is 0 (AUC 0 or 1, constant scores) or a class has one sample, the interval is
    :func:`hoeffding_interval`: true whatever the distribution, hence wide. With few samples of a class,
    nominal 95% cover less on the logit scale (binormal scores, 200 negatives, AUC 0.7 and 0.9): 72% and
    70% with 2 positives, 90% and 80% with 5, 93% and 89% with 10, 96% and 96% with 50.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        level: Confidence, in (0, 1).
        scale: ``"logit"`` or ``"linear"``.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: ``level`` or ``scale`` out of range; or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Logit scale: Pepe, The Statistical Evaluation of Medical Tests (2003), section 5.2.

    >>> [round(x, 3) for x in delong_interval([0, 0, 1, 0, 1, 1], [1, 2, 3, 4, 5, 6])]
    [0.889, 0.261, 0.995]
    >>> [round(x, 3) for x in delong_interval([0, 0, 1, 1], [1, 2, 3, 4])]  # nothing to estimate from
    [1.0, 0.158, 1.0]
    """
    targets, scores = check_binary(target, score)
    smaller = min(int(targets.sum()), int((~targets).sum()))
    variance = delong_variance(targets, scores) if smaller >= 2 else 0.0
    return _interval(roc_auc(targets, scores), variance, smaller, level, scale)


def macro_auc_interval(
    targets: ArrayLike, scores: ArrayLike, level: float = 0.95, scale: Scale = "logit"
) -> tuple[float, float, float]:
    """Mean AUC over labels that share their samples, with its confidence interval.

    The influence of a sample on the mean is the mean of its influences on the labels, so the
    correlation between labels is accounted for. With one label this is :func:`delong_interval`.

    Args:
        targets: 0, 1 or -1 (unknown: the sample is left out of that label), shape ``(N, L)``; at least
            two samples of each class in each label.
        scores: Real numbers, shape ``(N, L)``.
        level: Confidence, in (0, 1).
        scale: ``"logit"`` or ``"linear"``.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: Shapes differ or are not ``(N, L)``; or see :func:`delong_influence`.

    >>> y = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> [round(x, 3) for x in macro_auc_interval(y, [[1, 1], [4, 2], [3, 3], [8, 8]])]
    [0.75, 0.069, 0.992]
    """
    target_table, score_table = np.asarray(targets), np.asarray(scores, dtype=np.float64)
    if target_table.ndim != 2 or target_table.shape != score_table.shape or not target_table.shape[1]:
        shapes = f"{target_table.shape} and {score_table.shape}"
        raise ValueError(f"targets and scores need one shape (N, L) with L of 1 or more, got {shapes}")
    aucs, smaller = [], []
    influence = np.zeros(len(target_table))
    for target, score in zip(target_table.T, score_table.T, strict=True):
        known = target != -1
        aucs.append(roc_auc(target[known], score[known]))
        influence[known] += delong_influence(target[known], score[known])
        smaller.append(min(int((target == 1).sum()), int((target == 0).sum())))
    variance = float(np.square(influence / len(aucs)).sum())
    return _interval(float(np.mean(aucs)), variance, min(smaller), level, scale)


def hoeffding_interval(auc: float, pairs: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of an AUC that holds for any distribution of scores.

    ``pairs = min(m, n)`` disjoint positive-negative pairs can be formed, and the AUC is a mean over all
    ways of forming them, so ``P(AUC >= x) <= exp(-pairs KL(x | truth))`` for x above the truth. The
    interval holds every truth for which neither tail falls below ``(1 - level) / 2``. At AUC 1 it
    is ``(((1 - level) / 2) ** (1 / pairs), 1)``, the Clopper-Pearson bound of ``pairs`` successes in a row.

    Args:
        auc: Observed AUC, in [0, 1].
        pairs: Size of the smaller class, at least 1.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)``, in [0, 1].

    Raises:
        ValueError: An argument lies outside its range.

    Source:
        Hoeffding, J. Am. Stat. Assoc. 58 (1963) 13-30, theorem 1 and section 5.

    >>> [round(x, 4) for x in hoeffding_interval(1.0, 30)]
    [0.8843, 1.0]
    """
    if not 0.0 <= auc <= 1.0 or pairs < 1:
        raise ValueError(f"need an AUC in [0, 1] and at least one pair, got {auc} and {pairs}")
    slack = -float(np.log((1.0 - check_share(level, "level")) / 2)) / pairs
    return _least_truth(auc, slack), 1.0 - _least_truth(1.0 - auc, slack)


def delong_test(target: ArrayLike, score_a: ArrayLike, score_b: ArrayLike) -> tuple[float, float]:
    """Paired test whether two scores of the same samples have equal AUC.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        score_a: Real numbers, shape ``(N,)``.
        score_b: Real numbers, shape ``(N,)``.

    Returns:
        ``(z, p)``: z is positive when ``score_a`` has the larger AUC, p is two-sided. Scores that rank
        every sample alike give (0, 1). Where the variance is 0 although the AUCs differ (one perfect,
        one perfectly wrong) the test is undefined and both are NaN.

    Raises:
        ValueError: See :func:`delong_influence`.

    Source:
        DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845.

    >>> z, p = delong_test([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], [3, 2, 4, 1, 6, 5])
    >>> round(z, 3), round(p, 3)
    (0.894, 0.371)
    """
    difference = roc_auc(target, score_a) - roc_auc(target, score_b)
    error = float(
        np.sqrt(np.square(delong_influence(target, score_a) - delong_influence(target, score_b)).sum())
    )
    if error == 0.0:
        return (0.0, 1.0) if difference == 0.0 else (float("nan"), float("nan"))
    z = difference / error
    return z, float(2.0 * ndtr(-abs(z)))


def _least_truth(auc: float, slack: float) -> float:
    """Find the truth t <= ``auc`` with ``KL(auc | t) = slack``."""
    if auc in (0.0, 1.0):
        return auc * float(np.exp(-slack))

    def excess(truth: float) -> float:
        divergence = rel_entr(auc, truth) + rel_entr(1.0 - auc, 1.0 - truth)
        return float(divergence) - slack

    tiny = 1e-300  # the divergence is infinite at 0 itself; a root below this is 0 to all purposes
    return float(brentq(excess, tiny, auc)) if excess(tiny) > 0.0 else 0.0


def _interval(
    auc: float, variance: float, smaller: int, level: float, scale: Scale
) -> tuple[float, float, float]:
    if scale not in ("logit", "linear"):
        raise ValueError(f"scale must be 'logit' or 'linear', got {scale!r}")
    half = float(ndtri(0.5 + check_share(level, "level") / 2)) * variance**0.5
    if variance == 0.0:
        return auc, *hoeffding_interval(auc, smaller, level)
    if scale == "linear":
        return auc, max(0.0, auc - half), min(1.0, auc + half)
    centre, spread = float(logit(auc)), half / (auc * (1.0 - auc))
    return auc, float(expit(centre - spread)), float(expit(centre + spread))
