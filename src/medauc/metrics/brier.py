"""Proper scores of probabilities: Brier, its parts and its skill, log loss."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from medauc.metrics._inputs import FloatArray, check_probability, check_share
from medauc.metrics.calibration import equal_mass_bins
from medauc.metrics.estimate import UNDEFINED, Estimate


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
    targets, probabilities = check_probability(target, probability)
    return float(np.square(probabilities - targets).mean())


def brier_interval(target: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Brier score with the normal interval of a mean of N squared errors, clipped to [0, 1].

    Args:
        target: 0 or 1, shape ``(N,)``, N of 2 or more.
        probability: In [0, 1], shape ``(N,)``.
        level: Confidence, in (0, 1).

    Returns:
        The score and its interval.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`brier_score`.

    >>> [round(x, 4) for x in brier_interval([0, 1, 0, 1], [0.1, 0.7, 0.4, 0.9])]
    [0.0675, 0.0, 0.1383]
    """
    targets, probabilities = check_probability(target, probability)
    return _mean_interval(np.square(probabilities - targets), level, 1.0)


def log_loss_interval(target: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Mean negative log-likelihood in nats, with the normal interval of a mean, not below 0.

    Args:
        target: 0 or 1, shape ``(N,)``, N of 2 or more for an interval.
        probability: In [0, 1], shape ``(N,)``; kept off 0 and 1 by the machine epsilon, as scikit-learn does.
        level: Confidence, in (0, 1).

    Returns:
        The loss, 0 or more, and its interval.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Good, J. R. Stat. Soc. B 14 (1952) 107-114.

    >>> round(log_loss_interval([0, 1], [0.5, 0.5]).value, 6)
    0.693147
    """
    targets, probabilities = check_probability(target, probability)
    least = np.finfo(np.float64).eps
    chance = np.clip(np.where(targets, probabilities, 1.0 - probabilities), least, 1.0 - least)
    return _mean_interval(-np.log(chance), level, np.inf)


@dataclass(frozen=True)
class BrierDecomposition:
    """Parts of a Brier score: ``brier = reliability - resolution + uncertainty + within_bins``.

    Attributes:
        brier: The score.
        reliability: Mean squared gap between mean probability and share of positives of a bin; 0 is best.
        resolution: Variance of the share of positives between bins; larger is better.
        uncertainty: Variance of the outcome, ``prevalence * (1 - prevalence)``.
        within_bins: Variance of the probabilities within bins less twice their covariance with the outcome;
            0 where all probabilities of a bin are equal.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


def brier_decomposition(target: ArrayLike, probability: ArrayLike, bins: int = 10) -> BrierDecomposition:
    """Split the Brier score into reliability, resolution, uncertainty and what binning hides.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``.
        bins: Number of bins at most, of (nearly) equal size; equal probabilities share a bin.

    Returns:
        The parts, which add up exactly.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Murphy, J. Appl. Meteorol. 12 (1973) 595-600; within bins: Stephenson, Coelho & Jolliffe, Weather
        Forecast. 23 (2008) 752-757.

    >>> parts = brier_decomposition([0, 0, 1, 1], [0.25, 0.25, 0.25, 0.75], bins=2)
    >>> round(parts.reliability, 4), round(parts.resolution, 4), parts.uncertainty, parts.within_bins
    (0.0208, 0.0833, 0.25, 0.0)
    """
    targets, probabilities = check_probability(target, probability)
    index = equal_mass_bins(probabilities, bins)
    count = np.bincount(index)
    predicted, observed = np.bincount(index, probabilities) / count, np.bincount(index, targets) / count
    prevalence, share = float(targets.mean()), count / targets.size
    spread, rest = probabilities - predicted[index], targets - observed[index]
    return BrierDecomposition(
        brier=float(np.square(probabilities - targets).mean()),
        reliability=float(share @ np.square(predicted - observed)),
        resolution=float(share @ np.square(observed - prevalence)),
        uncertainty=prevalence * (1 - prevalence),
        within_bins=float((spread * spread - 2 * spread * rest).mean()),
    )


def brier_skill(target: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Share by which the Brier score beats that of the prevalence given to everyone.

    Args:
        target: 0 or 1, shape ``(N,)``, N of 2 or more for an interval.
        probability: In [0, 1], shape ``(N,)``.
        level: Confidence, in (0, 1).

    Returns:
        ``1 - brier / (prevalence (1 - prevalence))``, at most 1, 0 for no skill, with a normal interval by the
        delta method. Undefined for a single class.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Murphy, J. Appl. Meteorol. 12 (1973) 215-223; scaled Brier score: Steyerberg et al., Epidemiology 21
        (2010) 128-138.

    >>> [round(x, 3) for x in brier_skill([0, 1, 0, 1] * 9, [0.1, 0.7, 0.4, 0.9] * 9)]
    [0.73, 0.647, 0.813]
    """
    targets, probabilities = check_probability(target, probability)
    prevalence = float(targets.mean())
    reference, squares = prevalence * (1 - prevalence), np.square(probabilities - targets)
    if reference == 0.0:
        check_share(level, "level")
        return UNDEFINED
    ratio = float(squares.mean()) / reference
    # What each sample adds to the skill, to first order: its error, and its pull on the prevalence.
    pull = ratio * (1 - 2 * prevalence) * (targets.astype(np.float64) - prevalence)
    influence = (pull - squares) / reference
    mean, low, high = _mean_interval(influence, level, np.inf, -np.inf)
    return Estimate(1 - ratio, 1 - ratio + low - mean, min(1.0, 1 - ratio + high - mean))


def _mean_interval(values: FloatArray, level: float, most: float, least: float = 0.0) -> Estimate:
    z, value = float(ndtri(0.5 + check_share(level, "level") / 2)), float(values.mean())
    half = z * float(values.std(ddof=1)) / values.size**0.5 if values.size > 1 else np.inf
    return Estimate(value, max(least, value - half), min(most, value + half))
