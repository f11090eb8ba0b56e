"""Thresholds, to be chosen on validation data, and what they do on other data.

A sample is called positive when ``score >= threshold``. A chosen threshold lies halfway between the lowest
score called positive and the highest called negative, so it does not hinge on the last bit of a score.
"""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, check_share
from medauc.metrics.roc import cumulative_counts


def youden_threshold(target: ArrayLike, score: ArrayLike) -> float:
    """Threshold with the largest sensitivity + specificity; the highest of them if several tie.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.

    Returns:
        The threshold, always finite.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Youden, Cancer 3 (1950) 32-35.

    >>> youden_threshold([0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0])
    2.5
    """
    false_positives, true_positives, threshold = cumulative_counts(target, score)
    # Scaled to whole numbers: ties are exact, and the first maximum is the strictest threshold.
    gain = true_positives * false_positives[-1] - false_positives * true_positives[-1]
    return _midway(threshold, int(np.argmax(gain)))


def threshold_at_specificity(target: ArrayLike, score: ArrayLike, specificity: float = 0.90) -> float:
    """Threshold with the largest sensitivity among those with at least ``specificity``.

    Of several with that sensitivity, the one with the largest specificity.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        specificity: Wanted share of negatives called negative, in (0, 1).

    Returns:
        The threshold, always finite.

    Raises:
        ValueError: ``specificity`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    >>> threshold_at_specificity([0, 0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0, 5.0], 0.6)
    2.5
    """
    wanted = check_share(specificity, "specificity")
    false_positives, true_positives, threshold = cumulative_counts(target, score)
    negatives = false_positives[-1]
    allowed = np.flatnonzero((negatives - false_positives) / negatives >= wanted)
    most = true_positives[allowed[-1]]
    return _midway(threshold, int(np.argmax(true_positives == most)))


def threshold_at_sensitivity(target: ArrayLike, score: ArrayLike, sensitivity: float = 0.95) -> float:
    """Threshold with the largest specificity among those with at least ``sensitivity``.

    Of several with that specificity, the one with the largest sensitivity.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        sensitivity: Wanted share of positives called positive, in (0, 1).

    Returns:
        The threshold, always finite.

    Raises:
        ValueError: ``sensitivity`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    >>> threshold_at_sensitivity([0, 0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0, 5.0], 0.5)
    4.5
    """
    wanted = check_share(sensitivity, "sensitivity")
    false_positives, true_positives, threshold = cumulative_counts(target, score)
    first = int(np.argmax(true_positives / true_positives[-1] >= wanted))
    least = false_positives[first]
    return _midway(threshold, int(np.flatnonzero(false_positives == least)[-1]))


def threshold_at_least_cost(
    target: ArrayLike, score: ArrayLike, cost_ratio: float, prevalence: float | None = None
) -> float:
    """Threshold with the least expected cost; the highest of them if several tie.

    The expected cost of a sample, in units of a false alarm, is
    ``prevalence * (1 - sensitivity) * cost_ratio + (1 - prevalence) * (1 - specificity)``. With
    ``cost_ratio = (1 - prevalence) / prevalence`` this is :func:`youden_threshold`.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        cost_ratio: Cost of a missed positive over that of a false alarm, above 0.
        prevalence: Share of positives where the threshold will be used, in (0, 1); ``None``: as in these data.

    Returns:
        The threshold, always finite.

    Raises:
        ValueError: ``cost_ratio`` not positive and finite, ``prevalence`` outside (0, 1); or see
            :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Metz, Semin. Nucl. Med. 8 (1978) 283-298.

    >>> y, s = [0, 0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0, 5.0]
    >>> threshold_at_least_cost(y, s, 0.5), threshold_at_least_cost(y, s, 10)
    (4.5, 2.5)
    """
    if not 0.0 < cost_ratio < np.inf:
        raise ValueError(f"cost_ratio must be positive and finite, got {cost_ratio}")
    false_positives, true_positives, threshold = cumulative_counts(target, score)
    positives, negatives = true_positives[-1], false_positives[-1]
    miss = float(cost_ratio)
    if prevalence is not None:
        odds = check_share(prevalence, "prevalence") / (1 - prevalence)
        miss *= odds * negatives / positives
    cost = miss * (positives - true_positives) + false_positives
    return _midway(threshold, int(np.argmin(cost)))


def _midway(threshold: FloatArray, index: int) -> float:
    """Move the threshold at ``index`` halfway to the next lower score, staying above that score."""
    if index == 0:  # nothing is called positive
        return float(np.nextafter(threshold[1], np.inf))
    here = float(threshold[index])
    if index + 1 == threshold.size:  # everything is called positive
        return here
    below = float(threshold[index + 1])
    middle = below / 2 + here / 2
    return middle if below < middle <= here else here
