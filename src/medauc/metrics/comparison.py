"""Whether AUCs of the same samples differ: two models, or any number at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr, ndtri
from scipy.stats import rankdata

from medauc.metrics._inputs import FloatArray, check_share
from medauc.metrics.clustered import clustered_factors, independent_pairs
from medauc.metrics.delong import aucs_and_influences
from medauc.metrics.multiplicity import holm


@dataclass(frozen=True)
class AucTests:
    """Paired comparison of M models: each model, each of the K = M (M - 1) / 2 pairs, and all at once.

    Attributes:
        aucs: AUC of each model, shape ``(M,)``.
        covariance: Their covariance, shape ``(M, M)``.
        first: Index of the first model of each pair, shape ``(K,)``, as is all that follows.
        second: Index of the second.
        difference: AUC of the first less AUC of the second.
        low: Lower bound of the difference, unadjusted for the number of pairs.
        high: Upper bound.
        z: Difference in standard errors.
        p: Two-sided p-value.
        p_holm: The same, adjusted over the pairs.
        chi2: Statistic of the test that all AUCs are equal.
        df: Its degrees of freedom: the rank of the differences' covariance, M - 1 at most.
        p_overall: Its p-value.
    """

    aucs: FloatArray
    covariance: FloatArray
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    difference: FloatArray
    low: FloatArray
    high: FloatArray
    z: FloatArray
    p: FloatArray
    p_holm: FloatArray
    chi2: float
    df: int
    p_overall: float


def delong_test(target: ArrayLike, score_a: ArrayLike, score_b: ArrayLike) -> tuple[float, float]:
    """Paired test whether two scores of the same samples have equal AUC.

    Scores that rank every sample alike give (0, 1). Where the variance is 0 although the AUCs differ (a perfect
    score against a constant one, say), p is Hoeffding's bound for the mean over ``min(m, n)`` disjoint
    positive-negative pairs, ``2 exp(-min(m, n) difference^2 / 2)``, and z the normal quantile of that p.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        score_a: Real numbers, shape ``(N,)``.
        score_b: Real numbers, shape ``(N,)``.

    Returns:
        ``(z, p)``: z is positive when ``score_a`` has the larger AUC, p is two-sided.

    Raises:
        ValueError: See :func:`medauc.metrics.delong_influence`.

    Source:
        DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845; Hoeffding, J. Am. Stat. Assoc. 58 (1963)
        13-30, section 5.

    >>> z, p = delong_test([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], [3, 2, 4, 1, 6, 5])
    >>> round(z, 3), round(p, 3)
    (0.894, 0.371)
    """
    one, other = (np.asarray(score, dtype=np.float64) for score in (score_a, score_b))
    if one.shape != other.shape:
        raise ValueError(
            f"two scores of the same samples need one shape (N,), got {one.shape} and {other.shape}"
        )
    result = delong_tests(target, np.stack((one, other)))
    return float(result.z[0]), float(result.p[0])


def delong_tests(
    target: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> AucTests:
    """Paired tests of two or more models that scored the same samples.

    Each pair: difference with its normal interval, z, p, and p adjusted by Holm's method. All at once: the
    chi-square test of the M - 1 differences, by a generalised inverse, so models that repeat or determine
    one another lower the degrees of freedom; when none is left, p is 1. A pair whose variance is 0 is
    judged by Hoeffding's bounds (see :func:`delong_test`), and where such differences make the chi-square test blind,
    the overall p is the smallest Holm-adjusted one. Two scores that rank every sample alike differ by exactly 0.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        scores: Real numbers, one row a model, shape ``(M, N)`` with M of 2 or more.
        groups: Whose sample it is (the patient), shape ``(N,)``: Obuchowski's clustered covariance, which needs
            each class in two groups. ``None``: all samples are independent.
        level: Confidence of the intervals, in (0, 1).

    Returns:
        The tests.

    Raises:
        ValueError: Fewer than two models, ``level`` outside (0, 1); or see
            :func:`medauc.metrics.delong_covariance` and :func:`medauc.metrics.clustered_covariance`.

    Source:
        DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845, equation 5; Holm, Scand. J. Stat. 6 (1979)
        65-70; groups: Obuchowski, Biometrics 53 (1997) 567-578.

    >>> result = delong_tests([0, 0, 0, 1, 1, 1], [[1, 2, 4, 3, 5, 6], [3, 2, 4, 1, 6, 5], [2, 4, 8, 6, 10, 12]])
    >>> result.difference.round(3).tolist(), result.p.round(3).tolist(), result.p_holm.round(3).tolist()
    ([0.222, 0.0, -0.222], [0.371, 1.0, 0.371], [1.0, 1.0, 1.0])
    >>> round(result.chi2, 3), result.df, round(result.p_overall, 3)  # the third model repeats the first
    (0.8, 1, 0.371)
    """
    check_share(level, "level")
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"scores need the shape (M, N) with M of 2 or more, got {rows.shape}")
    aucs, factors = (
        aucs_and_influences(target, rows) if groups is None else clustered_factors(target, rows, groups)
    )

    def alike(one: int, other: int) -> bool:
        return np.array_equal(rankdata(rows[one]), rankdata(rows[other]))

    return compare_aucs(aucs, factors, independent_pairs(target, groups), alike, level)


def compare_aucs(
    aucs: FloatArray, factors: FloatArray, pairs: int, alike: Callable[[int, int], bool], level: float
) -> AucTests:
    """Test AUCs, or means of AUCs, of covariance ``factors @ factors.T``.

    Args:
        aucs: Shape ``(M,)``.
        factors: Shape ``(M, F)``.
        pairs: Disjoint positive-negative pairs behind each AUC, for Hoeffding's bounds.
        alike: Tells whether two models, given by their index, rank every sample alike; asked where it matters.
        level: Confidence of the intervals, in (0, 1).

    >>> factors = np.array([[0.03, 0.0], [0.0, 0.04]])
    >>> result = compare_aucs(np.array([0.8, 0.7]), factors, 50, lambda i, j: False, 0.95)
    >>> round(float(result.z[0]), 12), round(float(result.low[0]), 4)
    (2.0, 0.002)
    """
    tail = 1.0 - check_share(level, "level")
    first, second = np.triu_indices(aucs.size, k=1)
    difference = aucs[first] - aucs[second]
    error = np.array([np.linalg.norm(factors[i] - factors[j]) for i, j in zip(first, second, strict=True)])
    z = difference / np.where(error > 0.0, error, 1.0)
    p = 2.0 * ndtr(-np.abs(z))
    half = -float(ndtri(tail / 2)) * error
    for k in np.flatnonzero(error == 0.0):
        p[k] = min(1.0, 2.0 * float(np.exp(-pairs * difference[k] ** 2 / 2)))
        z[k] = -np.sign(difference[k]) * ndtri(p[k] / 2)
        if not alike(first[k], second[k]):
            half[k] = float(np.sqrt(2.0 * np.log(2.0 / tail) / pairs))
    p_holm = holm(p)
    chi2, df, blind = _wald(aucs, factors)
    p_overall = float(p_holm.min()) if blind else float(chdtrc(df, chi2)) if df else 1.0
    return AucTests(
        aucs=aucs,
        covariance=factors @ factors.T,
        first=first,
        second=second,
        difference=difference,
        low=np.maximum(difference - half, -1.0),
        high=np.minimum(difference + half, 1.0),
        z=z,
        p=p,
        p_holm=p_holm,
        chi2=chi2,
        df=df,
        p_overall=p_overall,
    )


def _wald(aucs: FloatArray, factors: FloatArray) -> tuple[float, int, bool]:
    """Statistic and rank for "all AUCs are equal", and whether a difference lies where the variance is 0."""
    contrasts, shift = factors[1:] - factors[0], aucs[1:] - aucs[0]
    values, vectors = np.linalg.eigh(contrasts @ contrasts.T)
    used = values > values[-1] * len(values) * 1e-12
    along = vectors.T @ shift
    blind = bool(np.linalg.norm(along[~used]) > 1e-9)
    return float(np.sum(along[used] ** 2 / values[used])), int(used.sum()), blind
