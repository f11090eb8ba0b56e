"""How good probabilities are."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import rankdata

from medauc.metrics._inputs import BoolArray, FloatArray, check_pairs, check_share


def brier_score(target: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared difference between probability and outcome; 0 is perfect.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``.

    Returns:
        The score, in [0, 1].

    Raises:
        ValueError: A probability outside [0, 1]; or see :func:`medauc.metrics._inputs.check_pairs`.

    Source:
        Brier, Monthly Weather Review 78 (1950) 1-3.

    >>> brier_score([0, 1], [0.25, 0.75])
    0.0625
    """
    targets, probabilities = _check_probability(target, probability)
    return float(np.square(probabilities - targets).mean())


def brier_interval(
    target: ArrayLike, probability: ArrayLike, level: float = 0.95
) -> tuple[float, float, float]:
    """Brier score with the normal interval of a mean of N squared errors, clipped to [0, 1].

    Args:
        target: 0 or 1, shape ``(N,)``, N of 2 or more.
        probability: In [0, 1], shape ``(N,)``.
        level: Confidence, in (0, 1).

    Returns:
        ``(brier, low, high)``.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`brier_score`.

    >>> [round(x, 4) for x in brier_interval([0, 1, 0, 1], [0.1, 0.7, 0.4, 0.9])]
    [0.0675, 0.0, 0.1383]
    """
    targets, probabilities = _check_probability(target, probability)
    squares = np.square(probabilities - targets)
    z = float(ndtri(0.5 + check_share(level, "level") / 2))
    value, half = float(squares.mean()), z * float(squares.std(ddof=1)) / squares.size**0.5
    return value, max(0.0, value - half), min(1.0, value + half)


def reliability_curve(
    target: ArrayLike, probability: ArrayLike, bins: int = 10
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean probability against observed share of positives, in bins of (nearly) equal size.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``; equal ones always share a bin.
        bins: Number of bins at most; ties and few samples leave fewer.

    Returns:
        ``(predicted, observed, count)``, each of shape ``(K,)`` with K <= ``bins``, by rising probability.

    Raises:
        ValueError: See :func:`brier_score`.

    >>> predicted, observed, count = reliability_curve([0, 1, 1, 1], [0.2, 0.4, 0.8, 0.8], bins=2)
    >>> predicted.round(3).tolist(), observed.tolist(), count.tolist()
    ([0.3, 0.8], [0.5, 1.0], [2.0, 2.0])
    """
    targets, probabilities = _check_probability(target, probability)
    membership = _equal_mass_bins(probabilities, bins)
    count = membership.sum(axis=0)
    return probabilities @ membership / count, targets @ membership / count, count


def expected_calibration_error(target: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Mean distance between probability and observed share of positives over equal-mass bins.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``.
        bins: Number of bins at most.

    Returns:
        The error, in [0, 1]. Noise in the bins adds up, so a perfectly calibrated score has an error
        above 0, of order ``sqrt(bins / N)`` times the spread of outcomes.

    Raises:
        ValueError: See :func:`brier_score`.

    Source:
        Naeini, Cooper & Hauskrecht, AAAI 2015; equal-mass bins: Nguyen & O'Connor, EMNLP 2015.

    >>> expected_calibration_error([0, 1, 0, 1], [0.25, 0.25, 0.75, 0.75])
    0.25
    """
    predicted, observed, count = reliability_curve(target, probability, bins)
    return float(np.abs(predicted - observed) @ count / count.sum())


def calibration_error_interval(
    target: ArrayLike, probability: ArrayLike, bins: int = 10, level: float = 0.95, seed: int = 0
) -> tuple[float, float, float]:
    """Expected calibration error with a conservative interval.

    The error is the L1 norm of the gaps of the bins, and noise in the gaps can only push the plain value
    up, which misleads a bootstrap of it (percentile intervals missed the truth of a calibrated score in
    at least 299 of 300 simulated sets). Here a ball around the gaps, which holds the true gaps with
    confidence ``level``, bounds the true error by value -+ radius; the radius is the quantile of the L1 norm
    of normal noise with the covariance of the gaps, from 4000 seeded draws.

    Args:
        target: 0 or 1, shape ``(N,)``, N of 2 or more.
        probability: In [0, 1], shape ``(N,)``.
        bins: Number of bins at most.
        level: Confidence, in (0, 1).
        seed: Equal seeds give equal intervals.

    Returns:
        ``(error, low, high)``, clipped to [0, 1].

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`brier_score`.

    >>> error, low, high = calibration_error_interval([0, 1, 0, 1] * 9, [0.25, 0.25, 0.75, 0.75] * 9)
    >>> low <= error <= high
    True
    """
    targets, probabilities = _check_probability(target, probability)
    gaps = (probabilities - targets)[:, None] * _equal_mass_bins(probabilities, bins)
    covariance = np.atleast_2d(np.cov(gaps, rowvar=False)) / len(gaps)
    noise = np.random.default_rng(seed).multivariate_normal(np.zeros(len(covariance)), covariance, 4000)
    radius = float(np.quantile(np.abs(noise).sum(axis=1), check_share(level, "level")))
    value = float(np.abs(gaps.mean(axis=0)).sum())
    return value, max(0.0, value - radius), min(1.0, value + radius)


def _equal_mass_bins(probability: FloatArray, bins: int) -> FloatArray:
    """Membership of samples in bins, one-hot, shape ``(N, K)``; empty bins are left out."""
    place = (rankdata(probability) - 0.5) / probability.size  # midranks keep ties together
    _, index = np.unique(np.floor(place * bins).astype(np.intp), return_inverse=True)
    return np.eye(int(index.max()) + 1)[index]


def _check_probability(target: ArrayLike, probability: ArrayLike) -> tuple[BoolArray, FloatArray]:
    targets, probabilities = check_pairs(target, probability)
    if not targets.size or not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("probabilities must lie in [0, 1], and at least one is needed")
    return targets, probabilities
