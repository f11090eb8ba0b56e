"""Whether probabilities are right on average: calibration in the large, slope, bins, a test."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import betaincinv, expit, logit, ndtr, ndtri
from scipy.stats import rankdata

from medauc.metrics._inputs import BoolArray, FloatArray, IntArray, check_probability, check_share
from medauc.metrics._logistic import fit_intercept, fit_logistic, negative_log_likelihood
from medauc.metrics.estimate import UNDEFINED, Estimate


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
        ValueError: See :func:`medauc.metrics._inputs.check_probability`.

    >>> predicted, observed, count = reliability_curve([0, 1, 1, 1], [0.2, 0.4, 0.8, 0.8], bins=2)
    >>> predicted.round(3).tolist(), observed.tolist(), count.tolist()
    ([0.3, 0.8], [0.5, 1.0], [2.0, 2.0])
    """
    targets, probabilities = check_probability(target, probability)
    index = equal_mass_bins(probabilities, bins)
    count = np.bincount(index).astype(np.float64)
    return np.bincount(index, probabilities) / count, np.bincount(index, targets) / count, count


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
        ValueError: See :func:`medauc.metrics._inputs.check_probability`.

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
        target: 0 or 1, shape ``(N,)``, N of 2 or more for an interval below 1.
        probability: In [0, 1], shape ``(N,)``.
        bins: Number of bins at most.
        level: Confidence, in (0, 1).
        seed: Equal seeds give equal intervals.

    Returns:
        ``(error, low, high)``, clipped to [0, 1].

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_probability`.

    >>> error, low, high = calibration_error_interval([0, 1, 0, 1] * 9, [0.25, 0.25, 0.75, 0.75] * 9)
    >>> low <= error <= high
    True
    """
    targets, probabilities = check_probability(target, probability)
    index, gap, n = equal_mass_bins(probabilities, bins), probabilities - targets, targets.size
    mean = np.bincount(index, gap) / n
    if n == 1:
        return float(abs(mean[0])), 0.0, 1.0
    # A sample has a gap in its own bin and 0 in the others.
    covariance = (np.diag(np.bincount(index, gap * gap) / n) - np.outer(mean, mean)) / (n - 1)
    noise = np.random.default_rng(seed).multivariate_normal(np.zeros(len(covariance)), covariance, 4000)
    radius = float(np.quantile(np.abs(noise).sum(axis=1), check_share(level, "level")))
    value = float(np.abs(mean).sum())
    return value, max(0.0, value - radius), min(1.0, value + radius)


def debiased_calibration_error(target: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Root mean squared gap of equal-mass bins, with the part that noise adds taken off.

    Noise in the share of positives of a bin of n samples adds ``share (1 - share) / (n - 1)`` to the squared
    gap, in expectation; without it a calibrated score has an error near 0 whatever the number of samples.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``.
        bins: Number of bins at most; bins of one sample are left out, since they do not show their noise.

    Returns:
        The error, in [0, 1]; 0 where the noise explains all gaps, ``nan`` if every bin has one sample.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Bröcker, Clim. Dyn. 39 (2012) 655-667; Kumar, Liang & Ma, NeurIPS 2019.

    >>> debiased_calibration_error([0, 1, 0, 1], [0.25, 0.25, 0.75, 0.75])
    0.0
    >>> round(debiased_calibration_error([0] * 50 + [1] * 50, [0.25] * 50 + [0.75] * 50), 3)
    0.25
    """
    predicted, observed, count = reliability_curve(target, probability, bins)
    usable = count > 1
    if not usable.any():
        return float("nan")
    predicted, observed, count = predicted[usable], observed[usable], count[usable]
    squared = np.square(predicted - observed) - observed * (1 - observed) / (count - 1)
    return float(max(0.0, squared @ count / count.sum()) ** 0.5)


def calibration_intercept(target: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Calibration in the large: what added to every logit makes expected and observed positives equal.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``; kept off 0 and 1 by the machine epsilon, to have a logit.
        level: Confidence, in (0, 1).

    Returns:
        The intercept and its profile likelihood interval; 0 is right, above 0 the probabilities are too
        low. Without positives ``-inf``, without negatives ``inf``, and one bound is infinite.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Cox, Biometrika 45 (1958) 562-565; Van Calster et al., BMC Med. 17 (2019) 230.

    >>> [round(x, 2) for x in calibration_intercept([0, 0, 1, 1] * 20, [0.2, 0.2, 0.6, 0.6] * 20)]
    [0.49, 0.01, 0.97]
    """
    targets, margin = _margins(target, probability)
    wanted = targets.astype(np.float64)

    def deviance(intercept: float) -> float:
        return 2 * negative_log_likelihood(margin + intercept, wanted)

    if targets.all() or not targets.any():
        return _likelihood_interval(deviance, np.inf if targets.all() else -np.inf, 0.0, 1.0, level)
    value = fit_intercept(margin, int(targets.sum()))
    chance = expit(margin + value)
    error = float(np.sum(chance * (1 - chance))) ** -0.5
    return _likelihood_interval(deviance, value, deviance(value), error, level)


def calibration_slope(target: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Slope of a logistic regression of the outcome on the logit of the probability.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``; kept off 0 and 1 by the machine epsilon, to have a logit.
        level: Confidence, in (0, 1).

    Returns:
        The slope and its profile likelihood interval; 1 is right, below 1 the probabilities are too extreme.
        Where a probability separates the classes the slope is ``inf`` (``-inf`` the wrong way round) and so
        is one bound. Undefined for equal probabilities and for a single class.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Cox, Biometrika 45 (1958) 562-565; Van Calster et al., BMC Med. 17 (2019) 230.

    >>> calibration_slope([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.7, 0.8]).value
    inf
    >>> too_extreme = calibration_slope([0, 0, 0, 1, 0, 1, 1, 1] * 9, ([0.1] * 4 + [0.9] * 4) * 9)
    >>> [round(x, 2) for x in too_extreme]
    [0.5, 0.27, 0.76]
    """
    targets, margin = _margins(target, probability)
    share = check_share(level, "level")
    if targets.all() or not targets.any() or np.ptp(margin) == 0.0:
        return UNDEFINED
    wanted, positives, spread = targets.astype(np.float64), int(targets.sum()), float(margin.std())
    scaled = (margin - margin.mean()) / spread

    def deviance(slope: float) -> float:
        offset = slope * scaled
        return 2 * negative_log_likelihood(offset + fit_intercept(offset, positives), wanted)

    limit = _separated(targets, scaled)
    if limit is not None:
        found = _likelihood_interval(deviance, *limit, 1.0, share)
    else:
        weights, information = fit_logistic(np.column_stack((scaled, np.ones_like(scaled))), wanted)
        value = float(weights[0])
        error = float(np.linalg.inv(information)[0, 0]) ** 0.5
        found = _likelihood_interval(deviance, value, deviance(value), error, share)
    return Estimate(*(bound / spread for bound in found))


def observed_expected_ratio(target: ArrayLike, probability: ArrayLike, level: float = 0.95) -> Estimate:
    """Observed over expected number of positives.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``.
        level: Confidence, in (0, 1).

    Returns:
        The ratio, 1 is right, and a normal interval of its logarithm with the variance of a ratio of two
        means. Without positives the upper bound is that of Clopper and Pearson for their share over the mean
        probability. ``inf`` or undefined if every probability is 0.

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Debray et al., BMJ 356 (2017) i6460, whose variance takes the expected number for fixed; ratio of means:
        Cochran, Sampling Techniques (1977), chapter 6.

    >>> [round(x, 3) for x in observed_expected_ratio([0, 1, 0, 1] * 25, [0.25, 0.5, 0.25, 0.6] * 25)]
    [1.25, 1.105, 1.415]
    """
    targets, probabilities = check_probability(target, probability)
    tail = 0.5 + check_share(level, "level") / 2
    observed, expected = int(targets.sum()), float(probabilities.sum())
    if expected == 0.0:
        return Estimate(np.inf, 0.0, np.inf) if observed else UNDEFINED
    ratio = observed / expected
    if observed == 0:
        share = float(betaincinv(1, targets.size, tail))
        return Estimate(0.0, 0.0, share * targets.size / expected)
    error = float(np.linalg.norm(targets - ratio * probabilities)) / observed
    factor = float(np.exp(ndtri(tail) * error))
    return Estimate(ratio, ratio / factor, ratio * factor)


def spiegelhalter_test(target: ArrayLike, probability: ArrayLike) -> tuple[float, float]:
    """Test of the hypothesis that every probability is right.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``.

    Returns:
        ``(z, p)``: standard normal under the hypothesis, and the two-sided p value. z above 0: the Brier score
        is larger than the probabilities promise (too extreme). ``(0.0, 1.0)`` where the test sees nothing
        (every probability 0, 1 or 1/2, and right); ``(inf, 0.0)`` if an outcome of probability 0 came about.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Spiegelhalter, Stat. Med. 5 (1986) 421-433.

    >>> z, p = spiegelhalter_test([0, 1, 0, 1] * 9, [0.02, 0.98, 0.9, 0.9] * 9)
    >>> round(z, 2), p < 0.01
    (4.64, True)
    """
    targets, probabilities = check_probability(target, probability)
    if np.any(np.where(targets, probabilities, 1.0 - probabilities) == 0.0):
        return float("inf"), 0.0
    lean = 1.0 - 2.0 * probabilities
    variance = float((lean**2 * probabilities * (1.0 - probabilities)).sum())
    if variance == 0.0:
        return 0.0, 1.0
    z = float((targets - probabilities) @ lean) / variance**0.5
    return z, 2.0 * float(ndtr(-abs(z)))


def equal_mass_bins(probability: FloatArray, bins: int) -> IntArray:
    """Bin of each sample, 0 to K - 1, of nearly equal size; equal probabilities share a bin, none is empty.

    >>> equal_mass_bins(np.array([0.3, 0.1, 0.1]), 2).tolist()
    [1, 0, 0]
    """
    place = (rankdata(probability) - 0.5) / probability.size  # midranks keep ties together
    return np.unique(np.floor(place * bins).astype(np.intp), return_inverse=True)[1]


def _margins(target: ArrayLike, probability: ArrayLike) -> tuple[BoolArray, FloatArray]:
    targets, probabilities = check_probability(target, probability)
    return targets, finite_logit(probabilities)


def finite_logit(probability: FloatArray) -> FloatArray:
    """Logits of probabilities that are kept off 0 and 1 by the machine epsilon.

    >>> finite_logit(np.array([0.0, 0.5])).round(2).tolist()
    [-36.04, 0.0]
    """
    least = np.finfo(np.float64).eps
    return np.asarray(logit(np.clip(probability, least, 1.0 - least)))


def _separated(target: BoolArray, margin: FloatArray) -> tuple[float, float] | None:
    """Infinite slope and the deviance it approaches, if a threshold separates the classes (ties on it allowed)."""
    for sign in (1.0, -1.0):
        edge = float((sign * margin[target]).min())
        if (sign * margin[~target]).max() <= edge:
            on_edge = target[sign * margin == edge]
            share = float(on_edge.mean())
            entropy = -sum(x * np.log(x) for x in (share, 1.0 - share) if x > 0)
            return sign * np.inf, 2 * on_edge.size * float(entropy)
    return None


def _likelihood_interval(
    deviance: Callable[[float], float], value: float, least: float, error: float, level: float
) -> Estimate:
    """Where the deviance lies less than a chi-square quantile above its least; ``value`` may be infinite."""
    z = float(ndtri(0.5 + check_share(level, "level") / 2))

    def excess(place: float) -> float:
        # The root of the deviance is close to straight, so that few steps find the bound.
        return math.sqrt(max(deviance(place) - least, 0.0)) - z

    inside = value
    if np.isinf(value):
        inside = float(np.sign(value))
        while excess(inside) >= 0.0:
            inside *= 2

    def bound(direction: float) -> float:
        if value == direction * np.inf:
            return value
        near, step = inside, 1.2 * z * error
        while excess(far := near + direction * step) < 0.0:
            near, step = far, 2 * step
        return float(brentq(excess, min(near, far), max(near, far), xtol=1e-8 * error))

    return Estimate(value, bound(-1.0), bound(1.0))
