"""Area under a part of the ROC curve: low false positive rates, high true positive rates, or both."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from medauc.metrics._inputs import BoolArray, FloatArray, check_binary
from medauc.metrics._placement import won_pairs
from medauc.metrics.auc_interval import hoeffding_interval, moderated, normal_interval
from medauc.metrics.estimate import Estimate
from medauc.metrics.roc import roc_auc, roc_curve


def partial_auc(
    target: ArrayLike,
    score: ArrayLike,
    max_fpr: float | None = None,
    min_tpr: float | None = None,
    standardized: bool = True,
) -> float:
    """Area under the part of the ROC curve with FPR <= ``max_fpr`` and above TPR = ``min_tpr``.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        max_fpr: Largest false positive rate of interest, in (0, 1]; ``None`` is 1.
        min_tpr: Smallest true positive rate of interest, in [0, 1); ``None`` is 0.
        standardized: Map the area linearly so that chance gives 0.5 and perfect ranking 1 (McClish).

    Returns:
        The standardised area, at most 1; or the raw one, in [0, max_fpr * (1 - min_tpr)].

    Raises:
        ValueError: A bound lies outside its range; or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        McClish, Medical Decision Making 9 (1989) 190-195; both bounds at once: Yang et al.,
        "Two-way partial AUC and its properties", Stat. Methods Med. Res. 28 (2019) 184-195.

    >>> partial_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], max_fpr=0.5, standardized=False)
    0.25
    """
    right, floor = _check_bounds(max_fpr, min_tpr)
    area, _, _ = _area(target, score, right, floor)
    return _standardize(area, right, floor) if standardized else area


def partial_auc_interval(
    target: ArrayLike,
    score: ArrayLike,
    max_fpr: float | None = None,
    min_tpr: float | None = None,
    standardized: bool = True,
    level: float = 0.95,
) -> Estimate:
    """Partial AUC with its confidence interval.

    The variance is DeLong's with placements clipped to the region: a positive counts with
    ``clip(V10, 1 - max_fpr, 1 - u)``, u being the FPR at which the curve rises through ``min_tpr``, and a negative with
    ``clip(V01, min_tpr, TPR at max_fpr)``. That is the influence function of the area, the estimated ends of the
    region included. As in :func:`medauc.metrics.score_interval`, it is raised to its mean with the variance that
    binormal scores of that AUC have, if that is more. Student's t interval of the share of the region's area on the
    logit scale, with Satterthwaite's degrees of freedom from the samples within the region. Nominal 95% covered 93%
    or more of binormal draws with 20 to 200 positives and regions down to a tenth (benchmarks/results/coverage.json).

    Where the variance is 0 or a class has one sample, the bounds follow from those of the whole AUC
    (:func:`medauc.metrics.hoeffding_interval`): no more area can be lost, or won, in a part than in the whole.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        max_fpr: Largest false positive rate of interest, in (0, 1]; ``None`` is 1.
        min_tpr: Smallest true positive rate of interest, in [0, 1); ``None`` is 0.
        standardized: As in :func:`partial_auc`; the bounds are mapped like the value.
        level: Confidence, in (0, 1).

    Returns:
        ``(partial_auc, low, high)``.

    Raises:
        ValueError: ``level`` or a bound out of range; or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        He & Escobar, Stat. Med. 27 (2008) 5291-5308 (one-way); Yang et al. (2019), cited at :func:`partial_auc`.

    >>> y, s = [0] * 6 + [1] * 6, [1, 2, 3, 4, 6, 9, 5, 7, 8, 10, 11, 12]
    >>> [round(x, 3) for x in partial_auc_interval(y, s, max_fpr=0.5)]
    [0.852, 0.415, 0.992]
    """
    right, floor = _check_bounds(max_fpr, min_tpr)
    targets, scores = check_binary(target, score)
    area, left, top = _area(targets, scores, right, floor)
    best = right * (1.0 - floor)
    variance, degrees = _clipped_variance(targets, scores, (1.0 - right, 1.0 - left), (floor, top))
    if variance > 0.0 and 0.0 < area < best:
        m, n = int(targets.sum()), int((~targets).sum())
        model = _binormal_variance(roc_auc(targets, scores), m, n, right, floor)
        raised = float(moderated(variance, model, degrees, area / best)) / best**2
        bounds = [best * x for x in normal_interval(area / best, raised, 1, level, "logit", degrees)[1:]]
    else:
        pairs = int(min(targets.sum(), (~targets).sum()))
        low, high = hoeffding_interval(roc_auc(targets, scores), pairs, level)
        bounds = [max(0.0, best - (1.0 - low)), min(best, high)]
    if standardized:
        return Estimate(*(_standardize(x, right, floor) for x in (area, *bounds)))
    return Estimate(area, *bounds)


def _check_bounds(max_fpr: float | None, min_tpr: float | None) -> tuple[float, float]:
    right, floor = 1.0 if max_fpr is None else float(max_fpr), 0.0 if min_tpr is None else float(min_tpr)
    if not 0.0 < right <= 1.0:
        raise ValueError(f"max_fpr must lie in (0, 1], got {max_fpr}")
    if not 0.0 <= floor < 1.0:
        raise ValueError(f"min_tpr must lie in [0, 1), got {min_tpr}")
    return right, floor


def _area(target: ArrayLike, score: ArrayLike, right: float, floor: float) -> tuple[float, float, float]:
    """Raw area, the FPR where the curve rises through ``floor``, and the TPR at FPR ``right``."""
    fpr, tpr, _ = roc_curve(target, score)
    left, top = float(np.interp(floor, tpr, fpr)), float(np.interp(right, fpr, tpr))
    if left >= right:
        return 0.0, left, top
    inside = (fpr <= right) & (tpr >= floor)
    x = np.concatenate(([left], fpr[inside], [right]))
    y = np.concatenate(([floor], tpr[inside], [top]))
    return float(np.trapezoid(y - floor, x)), left, top


def _standardize(area: float, right: float, floor: float) -> float:
    chance, best = max(0.0, right - floor) ** 2 / 2, right * (1.0 - floor)
    return 0.5 * (1.0 + (area - chance) / (best - chance))


def _binormal_variance(auc: float, m: int, n: int, right: float, floor: float) -> float:
    """Variance of the area for normal scores of that AUC: of clipped placements at evenly spaced quantiles."""
    distance = float(ndtri(np.clip(auc, 1e-9, 1.0 - 1e-9))) * 2.0**0.5
    normal = ndtri((np.arange(400) + 0.5) / 400)
    left, top = ndtr(ndtri(floor) - distance), ndtr(distance + ndtri(right))
    of_positives = np.clip(ndtr(normal + distance), min(1.0 - right, 1.0 - left), 1.0 - left)
    of_negatives = np.clip(ndtr(distance - normal), min(floor, top), top)
    return float(of_positives.var() / m + of_negatives.var() / n)


def _clipped_variance(
    targets: BoolArray,
    scores: FloatArray,
    of_positives: tuple[float, float],
    of_negatives: tuple[float, float],
) -> tuple[float, float]:
    """DeLong's variance with clipped placements, and its degrees of freedom; (0, 1) if it cannot be had."""
    m, n = int(targets.sum()), int((~targets).sum())
    if min(m, n) < 2 or of_positives[0] >= of_positives[1] or of_negatives[0] >= of_negatives[1]:
        return 0.0, 1.0
    won = won_pairs(targets, scores)
    first = float(np.clip(won[targets] / n, *of_positives).var(ddof=1)) / m
    second = float(np.clip(won[~targets] / m, *of_negatives).var(ddof=1)) / n
    # Samples beyond the region are clipped alike, so only those within tell how much they vary.
    m_within, n_within = m * (1.0 - of_negatives[0]), n * (1.0 - of_positives[0])
    variance = first + second
    spread = first**2 / max(m_within - 1.0, 1.0) + second**2 / max(n_within - 1.0, 1.0)
    return variance, variance**2 / spread if variance else 1.0
