"""Intervals of proportions: of independent trials, of clustered ones, and of sums of two."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, ndtri
from scipy.stats import t as student

from medauc.metrics._inputs import FloatArray, IntArray, check_pairs, check_share
from medauc.metrics.estimate import UNDEFINED, Estimate

IntervalMethod = Literal["wilson", "clopper-pearson"]


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Wilson's score interval of a proportion, without continuity correction.

    Args:
        successes: Number of successes, 0 to ``trials``; any shape.
        trials: Number of trials, at least 1; any shape that broadcasts.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)`` in [0, 1], of the broadcast shape. With 0 successes ``low`` is exactly 0, with
        ``trials`` successes ``high`` is exactly 1.

    Raises:
        ValueError: A count outside its range, or ``level`` outside (0, 1).

    Source:
        Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.

    >>> low, high = wilson_interval(45, 50)
    >>> round(float(low), 4), round(float(high), 4)
    (0.7864, 0.9565)
    """
    k, n = _check_counts(successes, trials, "wilson_interval")
    return _wilson(k, n, check_share(level, "level"))


def clopper_pearson_interval(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's exact interval of a proportion: it never covers less often than ``level``.

    Args:
        successes: Number of successes, 0 to ``trials``; any shape.
        trials: Number of trials, at least 1; any shape that broadcasts.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)`` in [0, 1], of the broadcast shape.

    Raises:
        ValueError: A count outside its range, or ``level`` outside (0, 1).

    Source:
        Clopper & Pearson, Biometrika 26 (1934) 404-413.

    >>> low, high = clopper_pearson_interval(45, 50)
    >>> round(float(low), 4), round(float(high), 4)
    (0.7819, 0.9667)
    """
    k, n = _check_counts(successes, trials, "clopper_pearson_interval")
    return _clopper_pearson(k, n, check_share(level, "level"))


def proportion_estimate(
    successes: float, trials: float, level: float = 0.95, method: IntervalMethod = "wilson"
) -> Estimate:
    """Proportion of independent trials with its interval; undefined without trials.

    Args:
        successes: Number of successes, 0 to ``trials``.
        trials: Number of trials, 0 or more.
        level: Confidence, in (0, 1).
        method: ``"wilson"``, right on average over proportions, or ``"clopper-pearson"``, never too narrow.

    Returns:
        The proportion and its interval, in [0, 1].

    Raises:
        ValueError: A count outside its range, ``level`` outside (0, 1), or an unknown method.

    >>> proportion_estimate(9, 9, method="clopper-pearson").low
    0.6637...
    >>> proportion_estimate(0, 0).is_defined
    False
    """
    interval = _METHODS[check_method(method)]
    check_share(level, "level")
    if trials == 0:
        return UNDEFINED
    low, high = interval(*_check_counts(successes, trials, "proportion_estimate"), level)
    return Estimate(successes / trials, float(low), float(high))


def clustered_proportion(
    success: ArrayLike, groups: ArrayLike, level: float = 0.95, method: IntervalMethod = "wilson"
) -> Estimate:
    """Proportion of samples, with an interval that knows that samples of a group (patient) are alike.

    The variance is that of a ratio of group totals; it turns the number of samples into an effective
    number, which then enters Wilson's or Clopper and Pearson's interval, widened for few groups as
    Student's t with (groups - 1) degrees of freedom is wider than the normal. Alike samples never count
    for more than independent ones. A proportion of 0 or 1 says nothing of how alike samples of a group
    are: each group counts as one. With a single group the interval is [0, 1].

    Args:
        success: 0 or 1 for each sample, shape ``(N,)``.
        groups: Name of each sample's group, shape ``(N,)``.
        level: Confidence, in (0, 1).
        method: See :func:`proportion_estimate`.

    Returns:
        The share of successes over all samples and its interval, in [0, 1].

    Raises:
        ValueError: Shapes differ, no samples, ``level`` outside (0, 1), or an unknown method.

    Source:
        Rao & Scott, Biometrics 48 (1992) 577-585; Korn & Graubard, Survey Methodology 24 (1998) 193-201;
        with Wilson's interval: Dean & Pagano, J. Surv. Stat. Methodol. 3 (2015) 484-503.

    >>> patient = [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    >>> alike = clustered_proportion([1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0], patient)
    >>> alone = proportion_estimate(8, 12)
    >>> alike.value == alone.value, alike.low < alone.low, alike.high > alone.high
    (True, True, True)
    """
    successes, _ = check_pairs(success, np.zeros(np.shape(success)))
    index = group_index(groups, successes.size)
    if not successes.size:
        raise ValueError("clustered_proportion needs at least one sample")
    if index is None:
        return proportion_estimate(int(successes.sum()), successes.size, level, method)
    totals, sizes = np.bincount(index, successes), np.bincount(index)
    return ratio_estimate(totals.astype(np.float64), sizes.astype(np.float64), level, method)


def ratio_estimate(
    successes: FloatArray, trials: FloatArray, level: float = 0.95, method: IntervalMethod = "wilson"
) -> Estimate:
    """Like :func:`clustered_proportion`, from the totals of each group, shape ``(G,)``.

    >>> totals = ratio_estimate(np.array([3.0, 0.0, 3.0, 2.0]), np.array([3.0, 3.0, 3.0, 3.0]))
    >>> [round(x, 3) for x in totals]
    [0.667, 0.131, 0.964]
    """
    interval, n, k = _METHODS[check_method(method)], float(trials.sum()), float(successes.sum())
    if n == 0:
        return UNDEFINED
    size = _effective_size(successes, trials, level)
    if size == 0.0:
        return Estimate(k / n, 0.0, 1.0)
    low, high = interval(np.asarray(k / n * size), np.asarray(size), level)
    return Estimate(k / n, float(low), float(high))


def mover(
    first: tuple[FloatArray, FloatArray, FloatArray] | Estimate,
    second: tuple[FloatArray, FloatArray, FloatArray] | Estimate,
    weights: tuple[ArrayLike, ArrayLike] = (1.0, 1.0),
    correlation: ArrayLike = 0.0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Interval of a weighted sum of two estimates from the intervals of each (square-and-add).

    Args:
        first: ``(value, low, high)``, numbers or arrays of one shape.
        second: The same for the second estimate.
        weights: Factor of each estimate; may be negative.
        correlation: Correlation of the two estimates, in [-1, 1].

    Returns:
        ``(value, low, high)`` of ``weights[0] * first + weights[1] * second``.

    Source:
        Newcombe, Stat. Med. 17 (1998) 873-890; any sum, correlation: Zou & Donner, Stat. Med. 27 (2008)
        1693-1702.

    >>> [float(x) for x in mover(Estimate(0.5, 0.2, 0.7), Estimate(0.25, -0.15, 0.4), (1, -1))]
    [0.25, -0.085..., 0.697...]
    """
    (a, a_low, a_high), (b, b_low, b_high) = _scale(first, weights[0]), _scale(second, weights[1])
    rho = np.asarray(correlation) * np.sign(weights[0]) * np.sign(weights[1])

    def reach(one: FloatArray, other: FloatArray) -> FloatArray:
        # Rounding may leave a perfectly balanced pair a hair below zero.
        return np.asarray(np.sqrt(np.maximum(one * one + other * other + 2 * rho * one * other, 0.0)))

    value = a + b
    return value, value - reach(a - a_low, b - b_low), value + reach(a_high - a, b_high - b)


def group_index(groups: ArrayLike, samples: int) -> IntArray | None:
    """Number of each sample's group, 0 to G - 1, shape ``(N,)``; ``None`` where every group has one sample.

    Raises:
        ValueError: ``groups`` does not name one group for each sample.

    >>> group_index(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    names = np.asarray(groups)
    if names.shape != (samples,):
        raise ValueError(f"groups needs the shape ({samples},) of the targets, got {names.shape}")
    unique, index = np.unique(names, return_inverse=True)
    return None if unique.size == samples else index


def check_method(method: str) -> IntervalMethod:
    """Return ``method`` if it names an interval of a proportion."""
    if method not in _METHODS:
        raise ValueError(f"the interval must be 'wilson' or 'clopper-pearson', got {method!r}")
    return method  # type: ignore[return-value]


def _effective_size(successes: FloatArray, trials: FloatArray, level: float) -> float:
    groups, n = int((trials > 0).sum()), float(trials.sum())
    if groups < 2:
        return 0.0
    share = float(successes.sum()) / n
    variance = groups / (groups - 1) * float(np.square(successes - share * trials).sum()) / n**2
    # Residuals of a proportion of 0 or 1 are all 0; elsewhere alike samples may not outweigh independent ones.
    size = (
        float(groups) if share in (0.0, 1.0) else share * (1 - share) / max(variance, share * (1 - share) / n)
    )
    tail = 0.5 + check_share(level, "level") / 2
    return size * float(ndtri(tail) / student.ppf(tail, groups - 1)) ** 2


def _wilson(k: FloatArray, n: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    z = float(ndtri(0.5 + level / 2))
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1.0))
    return low, high


def _clopper_pearson(k: FloatArray, n: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    tail = (1.0 - level) / 2
    low = np.where(k == 0, 0.0, betaincinv(np.where(k == 0, 1.0, k), n - k + 1, tail))
    high = np.where(k == n, 1.0, betaincinv(k + 1, np.where(k == n, 1.0, n - k), 1.0 - tail))
    return low, high


_METHODS = {"wilson": _wilson, "clopper-pearson": _clopper_pearson}


def _scale(
    estimate: tuple[FloatArray, FloatArray, FloatArray] | Estimate, weight: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    value, one, other = (np.asarray(weight) * part for part in estimate)
    return value, np.minimum(one, other), np.maximum(one, other)


def _check_counts(successes: ArrayLike, trials: ArrayLike, name: str) -> tuple[FloatArray, FloatArray]:
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if not ((n >= 1) & (k >= 0) & (k <= n)).all():
        raise ValueError(f"{name} needs 0 <= successes <= trials and at least one trial")
    return k, n
