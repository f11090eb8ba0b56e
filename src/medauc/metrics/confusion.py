"""What a threshold does: the confusion table and every figure that follows from it, with intervals.

A sample is called positive when ``score >= threshold``. Threshold and scores must come from different
data (threshold from validation, scores from test), or the intervals promise too much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import t as student

from medauc.metrics._inputs import BoolArray, FloatArray, IntArray, check_pairs, check_share
from medauc.metrics.estimate import UNDEFINED, Estimate
from medauc.metrics.proportion import (
    IntervalMethod,
    check_method,
    group_index,
    mover,
    proportion_estimate,
    ratio_estimate,
)

# Cells of the table in the order tp, fp, tn, fn; sets of cells as 0/1 vectors.
_TP, _TN = np.array([1.0, 0, 0, 0]), np.array([0, 0, 1.0, 0])
_POSITIVE, _NEGATIVE = np.array([1.0, 0, 0, 1]), np.array([0, 1.0, 1, 0])
_FLAGGED, _CLEARED = np.array([1.0, 1, 0, 0]), np.array([0, 0, 1.0, 1])
_RIGHT, _NOT_TN, _ALL = np.array([1.0, 0, 1, 0]), np.array([1.0, 1, 0, 1]), np.ones(4)


@dataclass(frozen=True)
class ConfusionCounts:
    """Numbers of true and false positives and negatives at one threshold."""

    tp: int
    fp: int
    tn: int
    fn: int


@dataclass(frozen=True)
class AtPrevalence:
    """What the same sensitivity and specificity give where a share ``prevalence`` is positive."""

    prevalence: float
    ppv: Estimate
    npv: Estimate
    flagged_per_1000: Estimate


@dataclass(frozen=True)
class Confusion:
    """A confusion table and its figures, each with its interval; undefined ones (0/0) are ``nan``.

    Attributes:
        counts: The four cells.
        level: Confidence of every interval.
        interval: Which interval the proportions have.
        sensitivity: Share of positives called positive.
        specificity: Share of negatives called negative.
        ppv: Share of positives among those called positive, at the prevalence of these data.
        npv: Share of negatives among those called negative, at the prevalence of these data.
        accuracy: Share of right calls.
        balanced_accuracy: Mean of sensitivity and specificity.
        f1: Harmonic mean of PPV and sensitivity.
        mcc: Matthews' correlation, in [-1, 1].
        lr_positive: Likelihood ratio of a positive call, sensitivity / (1 - specificity); ``inf`` without
            false positives.
        lr_negative: Likelihood ratio of a negative call, (1 - sensitivity) / specificity.
        odds_ratio: Diagnostic odds ratio, ``lr_positive / lr_negative``.
        flagged_per_1000: Positive calls in 1,000 samples such as these.
        at_prevalence: Figures at a stated prevalence; ``None`` if none was stated.
    """

    counts: ConfusionCounts
    level: float
    interval: IntervalMethod
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    accuracy: Estimate
    balanced_accuracy: Estimate
    f1: Estimate
    mcc: Estimate
    lr_positive: Estimate
    lr_negative: Estimate
    odds_ratio: Estimate
    flagged_per_1000: Estimate
    at_prevalence: AtPrevalence | None = None


def confusion_counts(target: ArrayLike, score: ArrayLike, threshold: float) -> ConfusionCounts:
    """Count right and wrong calls at ``threshold``.

    Args:
        target: 0 or 1, shape ``(N,)``; one class alone is allowed.
        score: Real numbers, shape ``(N,)``.
        threshold: Scores at or above it are called positive.

    Returns:
        The four counts.

    Raises:
        ValueError: ``threshold`` is ``nan``; or see :func:`medauc.metrics._inputs.check_pairs`.

    >>> confusion_counts([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.4)
    ConfusionCounts(tp=1, fp=1, tn=1, fn=1)
    """
    return _as_counts(np.bincount(_cells(*check_pairs(target, score), threshold), minlength=4))


def confusion(
    target: ArrayLike,
    score: ArrayLike,
    threshold: float,
    *,
    level: float = 0.95,
    interval: IntervalMethod = "wilson",
    prevalence: float | None = None,
    groups: ArrayLike | None = None,
) -> Confusion:
    """Count calls at ``threshold`` and give every figure with its interval.

    Proportions (sensitivity, specificity, PPV, NPV, accuracy, flagged) have ``interval``; so has F1, since
    F1 / (2 - F1) is the proportion tp / (tp + fp + fn). Balanced accuracy and the flagged at a stated
    prevalence combine the intervals of sensitivity and specificity (MOVER). Ratios have normal intervals
    of their logarithm by the delta method; with an empty cell 1/2 is added to every cell for the interval,
    which is then extended to the value. PPV and NPV at a stated prevalence follow from the likelihood
    ratios, bounds included, which is Mercaldo's logit interval. MCC has a normal interval on Fisher's
    scale (inverse hyperbolic tangent) with the delta-method variance of a table drawn from one population.

    With ``groups`` samples of a group may be alike: proportions as in
    :func:`medauc.metrics.clustered_proportion`, variances from the totals of groups, Student's t with
    (groups - 1) degrees of freedom in place of the normal, and sensitivity and specificity correlated.

    Args:
        target: 0 or 1, shape ``(N,)``; with one class alone the figures that need the other are undefined.
        score: Real numbers, shape ``(N,)``.
        threshold: Scores at or above it are called positive.
        level: Confidence, in (0, 1).
        interval: ``"wilson"`` or ``"clopper-pearson"``.
        prevalence: Share of positives where the test will be used, in (0, 1).
        groups: Name of each sample's group (patient), shape ``(N,)``.

    Returns:
        The table and its figures.

    Raises:
        ValueError: ``level`` or ``prevalence`` outside (0, 1), an unknown ``interval``, no samples, ``threshold``
            is ``nan``, ``groups`` of another shape; or see :func:`medauc.metrics._inputs.check_pairs`.

    Source:
        Likelihood ratios: Simel, Samsa & Matchar, J. Clin. Epidemiol. 44 (1991) 763-770. PPV and NPV:
        Mercaldo, Lau & Zhou, Stat. Med. 26 (2007) 2170-2183. Odds ratio: Woolf, Ann. Hum. Genet. 19
        (1955) 251-253. MCC: Bishop, Fienberg & Holland, Discrete Multivariate Analysis (1975), ch. 11.

    >>> found = confusion([0, 0, 0, 1, 1, 1], [1, 2, 5, 3, 4, 6], 3.0, prevalence=0.01)
    >>> found.counts
    ConfusionCounts(tp=3, fp=1, tn=2, fn=0)
    >>> round(found.sensitivity.low, 3), round(found.specificity.value, 3)
    (0.439, 0.667)
    >>> round(found.at_prevalence.ppv.value, 3)
    0.029
    """
    targets, scores = check_pairs(target, score)
    cells = _cells(targets, scores, threshold)
    index = None if groups is None else group_index(groups, targets.size)
    totals = None
    if index is not None:
        totals = np.bincount(index * 4 + cells, minlength=4 * (int(index.max()) + 1)).reshape(-1, 4)
    return _figures(np.bincount(cells, minlength=4), totals, level, interval, prevalence)


def confusion_from_counts(
    counts: ConfusionCounts,
    *,
    level: float = 0.95,
    interval: IntervalMethod = "wilson",
    prevalence: float | None = None,
) -> Confusion:
    """Give the figures of :func:`confusion` for a table that is already counted, a published one for example.

    Raises:
        ValueError: A negative count, no samples; or see :func:`confusion`.

    >>> found = confusion_from_counts(ConfusionCounts(tp=90, fp=20, tn=80, fn=10))
    >>> [round(x, 2) for x in found.lr_positive]
    [4.5, 3.02, 6.7]
    """
    cells = np.array([counts.tp, counts.fp, counts.tn, counts.fn])
    if cells.min() < 0:
        raise ValueError(f"counts cannot be negative, got {counts}")
    return _figures(cells, None, level, interval, prevalence)


def _cells(target: BoolArray, score: FloatArray, threshold: float) -> IntArray:
    if np.isnan(threshold):
        raise ValueError("the threshold is not a number")
    return np.where(score >= threshold, np.where(target, 0, 1), np.where(target, 3, 2))


def _as_counts(cells: IntArray) -> ConfusionCounts:
    return ConfusionCounts(*(int(cell) for cell in cells))


def _figures(
    cells: IntArray,
    totals: IntArray | None,
    level: float,
    interval: IntervalMethod,
    prevalence: float | None,
) -> Confusion:
    if not cells.sum():
        raise ValueError("a confusion table needs at least one sample")
    table = _Table(cells.astype(np.float64), totals, check_share(level, "level"), check_method(interval))
    if prevalence is not None:
        check_share(prevalence, "prevalence")
    jaccard, flagged = table.proportion(_TP, _NOT_TN), table.proportion(_FLAGGED, _ALL)
    return Confusion(
        counts=_as_counts(cells),
        level=level,
        interval=interval,
        sensitivity=table.proportion(_TP, _POSITIVE),
        specificity=table.proportion(_TN, _NEGATIVE),
        ppv=table.proportion(_TP, _FLAGGED),
        npv=table.proportion(_TN, _CLEARED),
        accuracy=table.proportion(_RIGHT, _ALL),
        balanced_accuracy=table.rates(0.5, 0.5),
        f1=Estimate(*(2 * share / (1 + share) for share in jaccard)),
        mcc=table.mcc(),
        lr_positive=table.ratio((0, _POSITIVE), (1, _NEGATIVE)),
        lr_negative=table.ratio((3, _POSITIVE), (2, _NEGATIVE)),
        odds_ratio=table.ratio((0, np.eye(4)[3]), (1, np.eye(4)[2])),
        flagged_per_1000=Estimate(*(1000 * share for share in flagged)),
        at_prevalence=None if prevalence is None else _at_prevalence(table, prevalence),
    )


def _at_prevalence(table: "_Table", prevalence: float) -> AtPrevalence:
    odds = prevalence / (1 - prevalence)
    positive = table.ratio((0, _POSITIVE), (1, _NEGATIVE))
    negative = table.ratio((3, _POSITIVE), (2, _NEGATIVE))
    # 1 - specificity enters as -specificity plus a constant.
    value, low, high = table.rates(prevalence, prevalence - 1)
    return AtPrevalence(
        prevalence=prevalence,
        ppv=Estimate(*(_share_of_odds(odds * ratio) for ratio in positive)),
        npv=Estimate(*(1 - _share_of_odds(odds * negative[bound]) for bound in (0, 2, 1))),
        flagged_per_1000=Estimate(*(1000 * (share + 1 - prevalence) for share in (value, low, high))),
    )


def _share_of_odds(odds: float) -> float:
    return 1.0 if odds == np.inf else odds / (1 + odds)


@dataclass(frozen=True)
class _Table:
    """Counts of the cells, shape ``(4,)``, with those of each group, shape ``(G, 4)``, where samples cluster."""

    cells: FloatArray
    totals: IntArray | None
    level: float
    method: IntervalMethod

    def proportion(self, part: FloatArray, whole: FloatArray) -> Estimate:
        if self.totals is None:
            return proportion_estimate(
                float(self.cells @ part), float(self.cells @ whole), self.level, self.method
            )
        return ratio_estimate(self.totals @ part, self.totals @ whole, self.level, self.method)

    def rates(self, of_sensitivity: float, of_specificity: float) -> Estimate:
        """Weighted sum of sensitivity and specificity."""
        pair = self.proportion(_TP, _POSITIVE), self.proportion(_TN, _NEGATIVE)
        combined = mover(*pair, (of_sensitivity, of_specificity), self._correlation())
        return Estimate(*(float(part) for part in combined))

    def ratio(self, upper: tuple[int, FloatArray], lower: tuple[int, FloatArray]) -> Estimate:
        """``(cell / cells of its set) / (cell / cells of its set)``, on the logarithmic scale."""

        def logarithm(cells: FloatArray) -> float:
            top, bottom = (cells[cell] / (cells @ whole) for cell, whole in (upper, lower))
            return float(np.log(top) - np.log(bottom))

        with np.errstate(divide="ignore", invalid="ignore"):
            value = logarithm(self.cells)
        if np.isnan(value):
            return UNDEFINED
        cells = self._padded()
        gradient = np.zeros(4)
        for sign, (cell, whole) in ((1, upper), (-1, lower)):
            gradient[cell] += sign / cells[cell]
            gradient -= sign * whole / (cells @ whole)
        half = self._quantile() * self._variance(gradient, cells) ** 0.5
        centre = logarithm(cells)
        low, high = min(value, centre - half), max(value, centre + half)
        return Estimate(*(float(np.exp(bound)) for bound in (value, low, high)))

    def mcc(self) -> Estimate:
        if 0 in (self.cells @ _POSITIVE, self.cells @ _NEGATIVE):
            return UNDEFINED
        one_sided = 0 in (self.cells @ _FLAGGED, self.cells @ _CLEARED)
        value = 0.0 if one_sided else _mcc(self.cells)[0]  # calls all alike tell nothing: 0 by convention
        cells = self._padded()
        centre, gradient = _mcc(cells)
        half = self._quantile() * self._variance(gradient, cells) ** 0.5 / (1 - centre**2)
        low, high = (float(np.tanh(np.arctanh(centre) + sign * half)) for sign in (-1, 1))
        return Estimate(value, min(value, low), max(value, high))

    def _padded(self) -> FloatArray:
        return self.cells if self.cells.all() else self.cells + 0.5

    def _variance(self, gradient: FloatArray, cells: FloatArray) -> float:
        """Delta-method variance of a figure that does not change when all cells grow in proportion."""
        if self.totals is None:
            return float(cells @ np.square(gradient))
        groups = len(self.totals)
        if not self.cells.all():  # an empty cell says nothing of likeness within groups: each counts as one
            return float(cells @ np.square(gradient)) * float(self.cells.sum()) / groups
        return groups / max(groups - 1, 1) * float(np.square(self.totals @ gradient).sum())

    def _quantile(self) -> float:
        tail = 0.5 + self.level / 2
        if self.totals is None:
            return float(ndtri(tail))
        groups = len(self.totals)
        return float(student.ppf(tail, groups - 1)) if groups > 1 else np.inf

    def _correlation(self) -> float:
        """Correlation of sensitivity and specificity, which share groups."""
        if self.totals is None or 0 in (self.cells @ _POSITIVE, self.cells @ _NEGATIVE):
            return 0.0
        residuals = []
        for part, whole in ((_TP, _POSITIVE), (_TN, _NEGATIVE)):
            share = self.cells @ part / (self.cells @ whole)
            residuals.append(self.totals @ (part - share * whole))
        norm = float(np.sqrt(np.prod([residual @ residual for residual in residuals])))
        return float(residuals[0] @ residuals[1]) / norm if norm > 0 else 0.0


def _mcc(cells: FloatArray) -> tuple[float, FloatArray]:
    """Matthews' correlation of a table and its gradient by the cells."""
    tp, fp, tn, fn = cells
    sides = np.stack((_POSITIVE, _NEGATIVE, _FLAGGED, _CLEARED))
    margins = sides @ cells
    root = float(np.sqrt(np.prod(margins)))
    value = float((tp * tn - fp * fn) / root)
    return value, np.array([tn, -fn, tp, -fp]) / root - value / 2 * (1 / margins) @ sides
