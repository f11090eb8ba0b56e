"""From an AUC and its variance to an interval, and what to say when there is no variance to go by."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri, owens_t, rel_entr, stdtrit

from medauc.metrics._inputs import FloatArray, check_share
from medauc.metrics.estimate import Estimate

Scale = Literal["score", "logit", "linear"]

FEW_CASES = 5  # with fewer of a class an estimated variance says next to nothing
_PRIOR = 3.0  # weight of the binormal variance, in squared deviations observed


def check_scale(scale: str) -> None:
    """Refuse a scale that is none."""
    if scale not in ("score", "logit", "linear"):
        raise ValueError(f"scale must be 'score', 'logit' or 'linear', got {scale!r}")


def binormal_variance(auc: ArrayLike, positives: ArrayLike, negatives: ArrayLike) -> FloatArray:
    """Variance of the empirical AUC when both classes are normal with one standard deviation.

    Args:
        auc: True AUC, in [0, 1]; any shape.
        positives: Number of positives; any shape that broadcasts.
        negatives: Number of negatives.

    Returns:
        The exact variance, of the broadcast shape; 0 at AUC 0 and 1.

    Source:
        Variance of the Mann-Whitney statistic (Birnbaum, 1956) with ``P(X1 > Y, X2 > Y)``, a bivariate normal
        probability of correlation 1/2, by Owen's T function, Ann. Math. Stat. 27 (1956) 1075-1090.

    >>> float(binormal_variance(0.5, 10, 20))  # (m + n + 1) / (12 m n), the variance under no difference
    0.01291666...
    """
    theta = np.asarray(auc, dtype=np.float64)
    m, n = np.asarray(positives, dtype=np.float64), np.asarray(negatives, dtype=np.float64)
    spread = theta * (1.0 - theta)
    shared = spread - 2.0 * owens_t(ndtri(theta), 3.0**-0.5)  # covariance of two pairs with a common member
    return np.asarray(np.maximum(spread + (m + n - 2.0) * shared, 0.0) / (m * n))


def score_interval(
    auc: ArrayLike,
    variance: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    degrees: ArrayLike | None = None,
    level: float = 0.95,
) -> tuple[FloatArray, FloatArray]:
    """Score interval of AUCs whose variances were estimated.

    It holds every truth t with ``(auc - t)^2 <= z^2 r V(t)``. V is :func:`binormal_variance`, which says how the
    variance changes with the truth; the ratio r of the estimated variance to V(auc) says by how much
    the data disagree with the model. A few skewed placements estimate a variance badly, and
    too small where it matters, so r is raised to ``(3 + d r) / (3 + d)`` if that is more, with
    ``d = degrees * 4 auc (1 - auc)``: pulled upwards to 1 in small samples and near AUC 1, and
    left alone in large ones.

    Args:
        auc: Observed, in (0, 1); any shape.
        variance: Estimated, above 0; any shape that broadcasts.
        positives: Number of positives.
        negatives: Number of negatives.
        degrees: Degrees of freedom of the variance; ``None`` is the size of the smaller class less 1.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)``, of the broadcast shape, in [0, 1].

    Raises:
        ValueError: ``level`` outside (0, 1), an AUC outside (0, 1) or a variance that is not positive.

    Source:
        Score intervals of the AUC: Mee, J. Am. Stat. Assoc. 85 (1990) 793-800; Newcombe, Stat. Med. 25 (2006)
        559-573, method 5. Moderated variance: Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) article 3.
        The upward pull and its weight are medauc's own; coverage is in benchmarks/results/coverage.json.

    >>> low, high = score_interval(0.9, 0.0012, 40, 60)
    >>> round(float(low), 3), round(float(high), 3)
    (0.802, 0.947)
    """
    theta, spread = np.asarray(auc, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    m, n = np.asarray(positives, dtype=np.float64), np.asarray(negatives, dtype=np.float64)
    if not ((theta > 0) & (theta < 1)).all() or not (spread > 0).all():
        raise ValueError("a score interval needs AUCs strictly between 0 and 1 and positive variances")
    z = float(ndtri(0.5 + check_share(level, "level") / 2))
    freedom = np.minimum(m, n) - 1.0 if degrees is None else np.asarray(degrees, dtype=np.float64)
    ratio = moderated(spread / binormal_variance(theta, m, n), 1.0, freedom, theta)
    allowed = z * z * ratio
    edges = np.array([0.0, 1.0]).reshape(2, *np.ones(np.ndim(allowed), dtype=int))
    inside, outside = np.broadcast_arrays(theta, edges + np.zeros_like(allowed))
    for _ in range(54):  # bisection to the last bit of a float64
        middle = (inside + outside) / 2
        accepted = np.square(middle - theta) <= allowed * binormal_variance(middle, m, n)
        inside, outside = np.where(accepted, middle, inside), np.where(accepted, outside, middle)
    return outside[0], outside[1]


def moderated(
    variance: FloatArray | float,
    model: FloatArray | float,
    degrees: FloatArray | float,
    value: FloatArray | float,
) -> FloatArray:
    """Raise ``variance`` to its mean with ``model``, weighted by ``degrees * 4 value (1 - value)`` and 3.

    >>> float(moderated(0.5, 1.0, 3.0, 0.5)), float(moderated(1.5, 1.0, 3.0, 0.5))
    (0.75, 1.5)
    """
    observed = np.asarray(degrees) * 4.0 * value * (1.0 - np.asarray(value))
    return np.maximum(variance, (_PRIOR * model + observed * variance) / (_PRIOR + observed))


def hoeffding_interval(auc: float, pairs: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of an AUC that holds for any distribution of scores.

    ``pairs = min(m, n)`` disjoint positive-negative pairs can be formed, and the AUC is a mean over all
    ways of forming them, so ``P(AUC >= x) <= exp(-pairs KL(x | truth))`` for x above the truth. The
    interval holds every truth for which neither tail falls below ``(1 - level) / 2``. At AUC 1 it
    is ``(((1 - level) / 2) ** (1 / pairs), 1)``, the Clopper-Pearson bound of ``pairs`` successes in a row; no
    bound that counts all m n pairs would hold, since a share of ``1 - t`` of the smaller class that ranks below
    everything else goes unseen with probability ``t ** min(m, n)``.

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


def normal_interval(
    auc: float,
    variance: float,
    pairs: int,
    level: float,
    scale: Scale,
    degrees: float = np.inf,
) -> Estimate:
    """AUC with its normal (or Student's t) interval on the logit or the linear scale (``"score"`` is the logit one).

    Where the variance is 0, this is :func:`hoeffding_interval` with ``pairs``.

    >>> [round(x, 3) for x in normal_interval(0.8, 0.0025, 40, 0.95, "logit")]
    [0.8, 0.684, 0.881]
    """
    half = float(stdtrit(degrees, 0.5 + check_share(level, "level") / 2)) * variance**0.5
    if variance == 0.0:
        return Estimate(auc, *hoeffding_interval(auc, pairs, level))
    if scale == "linear":
        return Estimate(auc, max(0.0, auc - half), min(1.0, auc + half))
    centre, spread = float(logit(auc)), half / (auc * (1.0 - auc))
    return Estimate(auc, float(expit(centre - spread)), float(expit(centre + spread)))


def _least_truth(auc: float, slack: float) -> float:
    """Find the truth t <= ``auc`` with ``KL(auc | t) = slack``."""
    if auc in (0.0, 1.0):
        return auc * float(np.exp(-slack))

    def excess(truth: float) -> float:
        divergence = rel_entr(auc, truth) + rel_entr(1.0 - auc, 1.0 - truth)
        return float(divergence) - slack

    tiny = 1e-300  # the divergence is infinite at 0 itself; a root below this is 0 to all purposes
    return float(brentq(excess, tiny, auc)) if excess(tiny) > 0.0 else 0.0
