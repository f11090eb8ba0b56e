"""Sensitivity at a given specificity and the reverse, when the threshold comes from the same samples."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import binom

from medauc.metrics._inputs import FloatArray, check_binary, check_share
from medauc.metrics.estimate import Estimate


def sensitivity_at_specificity(
    target: ArrayLike, score: ArrayLike, specificity: float = 0.90, level: float = 0.95
) -> Estimate:
    """Largest sensitivity among thresholds with at least ``specificity`` on these samples, with its interval.

    Unlike the interval of a proportion at a threshold fixed beforehand, this one counts the error of the threshold:
    of n negatives, the number above the threshold whose true specificity is the wanted one is binomial, hence so is its
    place among them, and the share of positives above each place gives mean and variance V of the sensitivity due to
    the threshold. The interval holds every rate t with ``(mean - t)^2 <= z^2 (t (1 - t) / m + V)``: Wilson's,
    widened by V. Over binormal samples of 20 to 500 a class, sensitivities of 0.1 to 0.99 and specificities of
    0.8 to 0.95, nominal 95% covered 94% of them or more, and 99% where few negatives decide.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        specificity: Wanted share of negatives called negative, in (0, 1).
        level: Confidence, in (0, 1).

    Returns:
        ``(sensitivity, low, high)``; the sensitivity is that of
        :func:`medauc.metrics.threshold_at_specificity` on the same samples.

    Raises:
        ValueError: ``specificity`` or ``level`` out of range; or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Threshold and rate as two sources of error: Linnet, Clin. Chem. 33 (1987) 251-258; Platt, Hanley & Yang,
        Stat. Med. 19 (2000) 313-322; Wilson's interval: Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.

    >>> y, s = [0] * 10 + [1] * 10, [*range(10), *range(5, 15)]
    >>> [round(x, 3) for x in sensitivity_at_specificity(y, s, 0.8)]
    [0.7, 0.213, 0.972]
    """
    targets, scores = check_binary(target, score)
    return _rate_at(scores[targets], scores[~targets], check_share(specificity, "specificity"), level)


def specificity_at_sensitivity(
    target: ArrayLike, score: ArrayLike, sensitivity: float = 0.95, level: float = 0.95
) -> Estimate:
    """Largest specificity among thresholds with at least ``sensitivity`` on these samples, with its interval.

    :func:`sensitivity_at_specificity` with the classes exchanged.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        sensitivity: Wanted share of positives called positive, in (0, 1).
        level: Confidence, in (0, 1).

    Returns:
        ``(specificity, low, high)``.

    Raises:
        ValueError: ``sensitivity`` or ``level`` out of range; or see :func:`medauc.metrics._inputs.check_binary`.

    >>> y, s = [0] * 10 + [1] * 10, [*range(10), *range(5, 15)]
    >>> [round(x, 3) for x in specificity_at_sensitivity(y, s, 0.8)]
    [0.7, 0.213, 0.972]
    """
    targets, scores = check_binary(target, score)
    return _rate_at(-scores[~targets], -scores[targets], check_share(sensitivity, "sensitivity"), level)


def _rate_at(hits: FloatArray, others: FloatArray, share: float, level: float) -> Estimate:
    """Share of ``hits`` above the quantile of ``others`` that leaves ``share`` of them at or below it."""
    z = float(ndtri(0.5 + check_share(level, "level") / 2))
    m, n = hits.size, others.size
    above_each = m - np.searchsorted(np.sort(hits), np.sort(others), side="right")
    # Entry k: hits above the threshold that has just k of the others above it, from the strictest side.
    reach = np.concatenate(([0], above_each[::-1], [m])) / m
    allowed = int(np.floor(n * (1.0 - share) * (1.0 + 1e-12)))
    value = float(reach[allowed + 1])
    weight = binom.pmf(np.arange(n + 1), n, 1.0 - share)
    rate = (reach[:-1] + reach[1:]) / 2  # the true threshold lies anywhere between two of the others
    centre = float(weight @ rate)
    variance = float(weight @ np.square(rate - centre))
    a, b, c = 1.0 + z * z / m, centre + z * z / (2 * m), centre**2 - z * z * variance
    half = np.sqrt(max(b * b - a * c, 0.0))
    low, high = max(0.0, float((b - half) / a)), min(1.0, float((b + half) / a))
    return Estimate(value, min(low, value), max(high, value))
