"""Bootstrap intervals of any statistic of targets and scores, fast for the AUC and average precision."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from medauc.metrics._inputs import BoolArray, FloatArray, check_binary, check_share
from medauc.metrics.estimate import Estimate
from medauc.metrics.precision_recall import average_precision
from medauc.metrics.proportion import group_index
from medauc.metrics.roc import roc_auc

Statistic = Callable[[BoolArray, FloatArray], float]
Weights = NDArray[np.float64]  # how often each sample counts, one row a replicate

_BLOCK = 4_000_000  # numbers held at once: 32 MB of float64
_JACKKNIFE = 1000  # at most so many units are left out, in turn; larger samples leave out batches


def bootstrap_interval(
    target: ArrayLike,
    score: ArrayLike,
    statistic: Statistic = roc_auc,
    *,
    method: Literal["bca", "percentile"] = "bca",
    groups: ArrayLike | None = None,
    stratified: bool = True,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Value of a statistic with its bootstrap interval.

    Samples, or whole groups where ``groups`` are given, are drawn with replacement, by default within
    strata: positives and negatives; groups with a positive and groups without. A replicate that lacks a class is
    drawn anew. :func:`medauc.metrics.roc_auc` and :func:`medauc.metrics.average_precision` are computed for many
    replicates at once from one sort; any other statistic is called once a replicate.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        statistic: Called with booleans and float64 scores, both of shape ``(N',)`` with both classes.
        method: ``"bca"``: corrected for bias and for skewness (the latter by the jackknife over the units that are
            drawn, in at most 1000 batches); ``"percentile"``: plain quantiles.
        groups: Whose sample it is, shape ``(N,)``; ``None``: samples are drawn one by one.
        stratified: Keep the number of units of each stratum; ``False`` lets prevalence vary as in cohort sampling.
        replicates: Number of replicates.
        level: Confidence, in (0, 1).
        seed: Equal seeds give equal intervals.

    Returns:
        ``(value, low, high)``. If all replicates are equal (a perfect ranking, say) resampling says nothing and
        the bounds are ``nan``.

    Raises:
        ValueError: An argument out of range, a class in fewer than two units; or see
            :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Efron, J. Am. Stat. Assoc. 82 (1987) 171-185; several strata: Davison & Hinkley, Bootstrap Methods and
        their Application (1997), section 5.3.

    >>> y, s = [0] * 6 + [1] * 6, [1, 2, 3, 4, 6, 9, 5, 7, 8, 10, 11, 12]
    >>> auc, low, high = bootstrap_interval(y, s)
    >>> round(auc, 3), low < auc < high
    (0.889, True)
    """
    if method not in ("bca", "percentile") or replicates < 1:
        raise ValueError(
            f"method must be 'bca' or 'percentile' and replicates positive, got {method!r}, {replicates}"
        )
    targets, scores = check_binary(target, score)
    check_share(level, "level")
    index = None if groups is None else group_index(groups, targets.size)
    unit = np.arange(targets.size) if index is None else index
    strata = _strata(targets, unit, stratified)
    weighted = _weighted_statistic(targets, scores, statistic)
    rng = np.random.default_rng(seed)
    drawn = np.empty(replicates)
    for block in blocks(replicates, 3 * targets.size):
        drawn[block] = weighted(_draw(rng, targets, unit, strata, block.stop - block.start))
    value = float(statistic(targets, scores))
    if np.ptp(drawn) == 0.0:
        return Estimate(value, np.nan, np.nan)
    if method == "percentile":
        return Estimate(value, *percentile_interval(drawn, level))
    return Estimate(value, *bca_interval(value, drawn, _jackknife(weighted, unit, strata), level))


def percentile_interval(replicates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Interval between the ``(1 - level) / 2`` quantiles at both ends of bootstrap replicates.

    Args:
        replicates: The statistic in each replicate, shape ``(B,)``.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)``.

    Raises:
        ValueError: ``level`` outside (0, 1).

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    >>> percentile_interval(range(101), level=0.5)
    (25.0, 75.0)
    """
    tail = (1.0 - check_share(level, "level")) / 2
    low, high = np.quantile(np.asarray(replicates, dtype=np.float64), (tail, 1.0 - tail))
    return float(low), float(high)


def bca_interval(
    value: float, replicates: ArrayLike, shifts: ArrayLike, level: float = 0.95
) -> tuple[float, float]:
    """Bias-corrected and accelerated interval of bootstrap replicates.

    Args:
        value: The statistic on the sample itself.
        replicates: The statistic in each replicate, shape ``(B,)``.
        shifts: Jackknife: by how much leaving each unit out lowers the statistic, less the mean of its stratum,
            shape ``(U,)``.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)``, quantiles of the replicates.

    Raises:
        ValueError: ``level`` outside (0, 1).

    Source:
        Efron, J. Am. Stat. Assoc. 82 (1987) 171-185, equations 2.3 and 7.3.

    >>> bca_interval(50.0, range(101), [-1.0, 0.0, 1.0], level=0.5)  # neither bias nor skewness
    (25.0, 75.0)
    """
    drawn, change = np.asarray(replicates, dtype=np.float64), np.asarray(shifts, dtype=np.float64)
    tail = (1.0 - check_share(level, "level")) / 2
    below = (np.mean(drawn < value) + np.mean(drawn <= value)) / 2  # ties count half
    edge = 0.5 / drawn.size  # a value beyond all replicates: as far out as their number can tell
    bias = float(ndtri(np.clip(below, edge, 1.0 - edge)))
    spread = float(np.square(change).sum())
    skew = float((change**3).sum()) / (6.0 * spread**1.5) if spread > 0.0 else 0.0
    ends = bias + ndtri(np.array([tail, 1.0 - tail]))
    low, high = np.quantile(drawn, ndtr(bias + ends / np.maximum(1.0 - skew * ends, 1e-6)))
    return float(low), float(high)


def blocks(replicates: int, width: int) -> Iterator[slice]:
    """Split ``replicates`` rows of ``width`` numbers into slices that fit in memory.

    >>> list(blocks(5, 2_000_000))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, _BLOCK // max(1, width))
    for start in range(0, replicates, rows):
        yield slice(start, min(start + rows, replicates))


def _strata(targets: BoolArray, unit: NDArray[np.intp], stratified: bool) -> list[NDArray[np.intp]]:
    """Units drawn together, a list for each stratum; a unit is a sample or a group, numbered from 0."""
    total = int(unit.max()) + 1
    positives = np.bincount(unit, targets, total)
    carriers = int((positives > 0).sum()), int((np.bincount(unit, ~targets, total) > 0).sum())
    if min(carriers) < 2:
        raise ValueError(f"resampling needs each class in two units, got {carriers[0]} and {carriers[1]}")
    if not stratified:
        return [np.arange(total)]
    return [np.flatnonzero(chosen) for chosen in (positives > 0, positives == 0) if chosen.any()]


def _draw(
    rng: np.random.Generator,
    targets: BoolArray,
    unit: NDArray[np.intp],
    strata: list[NDArray[np.intp]],
    rows: int,
) -> Weights:
    """How often each sample was drawn, shape ``(rows, N)``; both classes occur in every row."""
    count = np.zeros((rows, int(unit.max()) + 1))
    for members in strata:
        picked = (
            rng.integers(members.size, size=(rows, members.size)) + members.size * np.arange(rows)[:, None]
        )
        count[:, members] = np.bincount(picked.ravel(), minlength=rows * members.size).reshape(rows, -1)
    weights = count if targets.size == count.shape[1] else count[:, unit]
    positives = weights @ targets
    lacking = np.flatnonzero((positives == 0) | (positives == weights.sum(axis=1)))
    if lacking.size:
        weights[lacking] = _draw(rng, targets, unit, strata, lacking.size)
    return weights


def _jackknife(
    weighted: Callable[[Weights], FloatArray], unit: NDArray[np.intp], strata: list[NDArray[np.intp]]
) -> FloatArray:
    """Mean of the stratum less the statistic without each unit (each batch of units, if there are many)."""
    total = int(unit.max()) + 1
    changes = []
    for members in strata:
        batch = np.full(total, -1)
        number = min(members.size, max(2, _JACKKNIFE * members.size // total))
        batch[members] = np.arange(members.size) % number
        left = np.concatenate(
            [
                weighted((batch[unit] != np.arange(block.start, block.stop)[:, None]).astype(np.float64))
                for block in blocks(number, 3 * unit.size)
            ]
        )
        left = left[np.isfinite(left)]  # without its only carrier a class is gone
        changes.append(left.mean() - left)
    return np.concatenate(changes)


def _weighted_statistic(
    targets: BoolArray, scores: FloatArray, statistic: Statistic
) -> Callable[[Weights], FloatArray]:
    if statistic not in (roc_auc, average_precision):
        return lambda weights: np.array([_of_copies(targets, scores, row, statistic) for row in weights])
    order = np.argsort(-scores, kind="stable")
    strictest = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0.0))  # first of each run of ties
    runs = None if strictest.size == scores.size else strictest
    positive = targets[order]

    def counts(weights: Weights) -> tuple[FloatArray, FloatArray]:
        ordered = weights[:, order]
        true, false = ordered * positive, ordered * ~positive
        if runs is None:
            return true, false
        return np.add.reduceat(true, runs, axis=1), np.add.reduceat(false, runs, axis=1)

    def auc(weights: Weights) -> FloatArray:
        true, false = counts(weights)
        above = np.cumsum(true, axis=1) - true / 2  # positives ranked above each run of negatives
        with np.errstate(invalid="ignore"):
            return np.asarray(np.einsum("bk,bk->b", above, false) / (true.sum(axis=1) * false.sum(axis=1)))

    def precision(weights: Weights) -> FloatArray:
        true, false = counts(weights)
        called_true = np.cumsum(true, axis=1)
        called = called_true + np.cumsum(false, axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(
                np.einsum("bk,bk->b", true, called_true / np.maximum(called, 1.0)) / true.sum(axis=1)
            )

    return auc if statistic is roc_auc else precision


def _of_copies(targets: BoolArray, scores: FloatArray, weights: FloatArray, statistic: Statistic) -> float:
    rows = np.repeat(np.arange(targets.size), weights.astype(np.intp))
    if targets[rows].all() or not targets[rows].any():
        return np.nan
    return float(statistic(targets[rows], scores[rows]))
