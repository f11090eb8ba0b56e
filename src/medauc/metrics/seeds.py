"""One method, several training seeds, one test set: how well it does, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from medauc.metrics._inputs import FloatArray, check_share
from medauc.metrics.auc_interval import hoeffding_interval, score_interval
from medauc.metrics.clustered import clustered_factors, independent_pairs
from medauc.metrics.delong import aucs_and_influences
from medauc.metrics.estimate import Estimate


@dataclass(frozen=True)
class SeedSummary:
    """AUC over training seeds.

    Attributes:
        auc: Mean over seeds, with the interval that counts both the seeds and the test cases as samples.
        aucs: AUC of each seed, shape ``(S,)``.
        spread: Standard deviation of ``aucs``.
        seed_sd: The part of it that is due to seeds: test-case noise that seeds do not share taken out.
        case_sd: Standard error of the mean AUC that is due to the test cases, seeds as they are.
        degrees: Degrees of freedom of the interval.
    """

    auc: Estimate
    aucs: FloatArray
    spread: float
    seed_sd: float
    case_sd: float
    degrees: float


def seed_interval(
    target: ArrayLike, scores: ArrayLike, level: float = 0.95, groups: ArrayLike | None = None
) -> SeedSummary:
    """Mean AUC over training runs that differ in their seed, with an interval for new seeds and new cases.

    Model: AUC of seed s = expected AUC + effect of the seed + effect of the cases (shared by all seeds)
    + effect of the cases on that seed alone, the effects independent. With c the mean covariance of two seeds' AUCs
    (DeLong's, or Obuchowski's with ``groups``) and s^2 the variance of the S AUCs, the mean has
    variance ``c + s^2 / S``, since s^2 holds the seeds' own variance and the unshared case noise in just that
    proportion; at least the case variance of the mean as it stands.
    The interval is :func:`medauc.metrics.score_interval` with Student's t in place of z,
    degrees of freedom ``(c + s^2 / S)^2 / ((s^2 / S)^2 / (S - 1))``. This is the method of Obuchowski and
    Rockette for several readers of one modality, with seeds as readers.

    Args:
        target: 0 or 1, shape ``(N,)``, at least two of each.
        scores: Real numbers, one row a run, shape ``(S, N)`` with S of 2 or more.
        level: Confidence, in (0, 1).
        groups: Whose sample it is, shape ``(N,)``; ``None``: all samples are independent.

    Returns:
        The summary.

    Raises:
        ValueError: Fewer than two runs, ``level`` outside (0, 1); or see :func:`medauc.metrics.delong_covariance` and
            :func:`medauc.metrics.clustered_covariance`.

    Source:
        Obuchowski & Rockette, Commun. Stat. Simul. 24 (1995) 285-308; degrees of freedom: Hillis, Stat. Med. 26
        (2007) 596-619.

    >>> y = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> result = seed_interval(y, [[1, 2, 3, 5, 4, 6, 7, 8], [2, 1, 6, 3, 4, 5, 7, 8], [1, 3, 2, 4, 5, 7, 6, 8]])
    >>> [round(x, 3) for x in result.auc], round(result.spread, 3)
    ([0.938, 0.537, 0.992], 0.062)
    """
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2:
        raise ValueError(f"scores need the shape (S, N) with S of 2 or more, got {rows.shape}")
    aucs, factors = (
        aucs_and_influences(target, rows) if groups is None else clustered_factors(target, rows, groups)
    )
    found = mean_over_seeds(aucs, factors)
    pairs = independent_pairs(target, groups)
    if found.variance > 0.0:
        targets = np.asarray(target)
        z, t = (
            float(stdtrit(freedom, 0.5 + check_share(level, "level") / 2))
            for freedom in (np.inf, found.degrees)
        )
        positives = int(targets.sum())
        low, high = score_interval(
            found.mean, found.variance * (t / z) ** 2, positives, targets.size - positives, pairs - 1, level
        )
        auc = Estimate(found.mean, float(low), float(high))
    else:
        auc = Estimate(found.mean, *hoeffding_interval(found.mean, pairs, level))
    return SeedSummary(
        auc=auc,
        aucs=aucs,
        spread=found.spread,
        seed_sd=found.seed_sd,
        case_sd=found.case_sd,
        degrees=found.degrees,
    )


@dataclass(frozen=True)
class SeedMean:
    """Mean of a figure over S training seeds whose test cases are shared; attributes as in :class:`SeedSummary`."""

    mean: float
    variance: float
    spread: float
    seed_sd: float
    case_sd: float
    degrees: float


def mean_over_seeds(values: FloatArray, factors: FloatArray) -> SeedMean:
    """The model of :func:`seed_interval` for any figure that has influences: an AUC, a mean, a difference.

    Args:
        values: The figure of each seed, shape ``(S,)`` with S of 2 or more.
        factors: Influences of the cases, shape ``(S, F)``; ``factors @ factors.T`` is the covariance due to cases.

    >>> found = mean_over_seeds(np.array([0.8, 0.9]), np.array([[0.03], [0.03]]))  # cases shift both seeds alike
    >>> round(found.mean, 6), round(found.seed_sd, 6), round(found.case_sd, 6)
    (0.85, 0.070711, 0.03)
    """
    count = len(values)
    covariance = factors @ factors.T
    of_mean = float(covariance.mean())
    own = float(np.trace(covariance)) / count
    shared = (of_mean * count - own) / (count - 1)
    observed = float(values.var(ddof=1))
    of_seeds = max(0.0, observed - (own - shared))
    variance = of_mean + of_seeds / count
    between = observed / count
    degrees = (count - 1) * max(variance / between, 1.0) ** 2 if between > 0.0 else np.inf
    return SeedMean(
        mean=float(values.mean()),
        variance=variance,
        spread=observed**0.5,
        seed_sd=of_seeds**0.5,
        case_sd=of_mean**0.5,
        degrees=float(degrees),
    )
