"""Precision against recall: curve, average precision, its interval."""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, check_binary, check_share
from medauc.metrics.auc_interval import FEW_CASES, hoeffding_interval, normal_interval
from medauc.metrics.clustered import carriers, group_numbers, independent_pairs
from medauc.metrics.estimate import Estimate
from medauc.metrics.multilabel import summed_squares
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


def average_precision_baseline(target: ArrayLike) -> float:
    """Average precision that a useless score has on many samples: the prevalence.

    Args:
        target: 0 or 1, shape ``(N,)``.

    Returns:
        The share of positives.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    >>> average_precision_baseline([0, 0, 0, 1])
    0.25
    """
    targets, _ = check_binary(target, np.zeros(np.size(target)))
    return float(targets.mean())


def average_precision_interval(
    target: ArrayLike, score: ArrayLike, level: float = 0.95, groups: ArrayLike | None = None
) -> Estimate:
    """Average precision with its confidence interval, at the prevalence of these samples.

    Variance from the influence of each sample on the numbers of true and false positives at every threshold
    (positives and negatives as two samples, prevalence as given; summed by group where there are groups), and
    Student's t interval on the logit scale, with one degree of freedom less than there are positives (groups with
    positives). Of binormal draws with 20 to 200 positives, nominal 95% covered 92% to 96%
    (benchmarks/results/coverage.json).

    Where that tells little, that is where the ranking is perfect or a class has fewer than
    ``FEW_CASES`` (5) samples, the lower bound is the least average precision that any ranking has whose
    AUC is at the lower bound of :func:`medauc.metrics.hoeffding_interval`, and the upper bound is
    1: true, hence wide.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        level: Confidence, in (0, 1).
        groups: Whose sample it is, shape ``(N,)``; ``None``: all samples are independent.

    Returns:
        ``(average_precision, low, high)``.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Logit scale: Boyd, Eng & Page, ECML PKDD 2013, LNCS 8190, 451-466.

    >>> y, s = [0] * 6 + [1] * 6, [1, 2, 3, 4, 6, 9, 5, 7, 8, 10, 11, 12]
    >>> [round(x, 3) for x in average_precision_interval(y, s)]
    [0.897, 0.445, 0.99]
    """
    targets, scores = check_binary(target, score)
    groups = None if groups is None else group_numbers(groups, targets.size)
    value, auc = average_precision(targets, scores), roc_auc(targets, scores)
    pairs = independent_pairs(targets, groups)
    variance = summed_squares(average_precision_influence(targets, scores), groups) if pairs >= 2 else 0.0
    if auc == 1.0 or pairs < FEW_CASES or variance == 0.0:
        auc_low, _ = hoeffding_interval(auc, pairs, level)
        return Estimate(value, min(value, least_average_precision(auc_low, float(targets.mean()))), 1.0)
    return normal_interval(value, variance, pairs, level, "logit", carriers(targets, groups)[0] - 1)


def average_precision_influence(target: ArrayLike, score: ArrayLike) -> FloatArray:
    """Influence of each sample on average precision, scaled so that the squares add up to its variance.

    With prevalence p, true and false positive rates T and F, precision is ``p T / (p T + (1 - p) F)`` and average
    precision its mean over positives. A positive adds its own precision and what it does to T at every threshold at
    or below its score, a negative what it does to F there; both less their mean, over ``sqrt(m (m - 1))`` and
    ``sqrt(n (n - 1))`` for m positives and n negatives.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        score: Real numbers, shape ``(N,)``.

    Returns:
        Shape ``(N,)``; sums to 0 within each class.

    Raises:
        ValueError: Fewer than two samples in a class; or see :func:`medauc.metrics._inputs.check_binary`.

    >>> influence = average_precision_influence([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0])
    >>> influence.round(3).tolist()
    [0.079, -0.118, -0.079, 0.118]
    """
    targets, scores = check_binary(target, score)
    false_positives, true_positives, threshold = (column[1:] for column in cumulative_counts(targets, scores))
    m, n = true_positives[-1], false_positives[-1]
    if min(m, n) < 2:
        raise ValueError(
            f"the variance needs two samples of each class, got {m:.0f} positive, {n:.0f} negative"
        )
    called = true_positives + false_positives
    positives_here = np.diff(true_positives, prepend=0.0)
    slope = positives_here / np.square(called)  # of the sum of precisions, per true or false positive
    of_true, of_false = (
        np.cumsum((slope * count)[::-1])[::-1] for count in (false_positives, -true_positives)
    )
    place = np.searchsorted(-threshold, -scores)
    precision = true_positives / called
    raw = np.where(targets, (precision + of_true)[place], n / m * of_false[place])
    influence: FloatArray = np.where(
        targets,
        (raw - raw[targets].mean()) / np.sqrt(m * (m - 1)),
        (raw - raw[~targets].mean()) / np.sqrt(n * (n - 1)),
    )
    return influence


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
