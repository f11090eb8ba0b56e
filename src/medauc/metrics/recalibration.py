"""Maps from scores to probabilities, fitted on validation data: Platt, temperature, beta, isotonic.

None of them ever swaps two samples (Platt's map with a negative slope turns the whole order round, which
says that the score ranks the wrong way). The parametric maps are fitted to Platt's smoothed targets, which
keeps them finite when the classes are separable or few; the isotonic map is clipped to the same two values.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import chain, combinations
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.special import expit, log_expit, logit

from medauc.metrics._inputs import BoolArray, FloatArray, IntArray, check_binary
from medauc.metrics._logistic import fit_logistic, negative_log_likelihood, smoothed_targets
from medauc.metrics.proportion import group_index

CalibrationMethod = Literal["platt", "temperature", "beta", "isotonic", "auto"]


@dataclass(frozen=True)
class CalibrationMap(ABC):
    """A map from scores to probabilities in [0, 1]; made by :func:`fit_calibration`."""

    method: ClassVar[str]

    @abstractmethod
    def apply(self, score: ArrayLike) -> FloatArray:
        """Probabilities of scores, of the same shape."""

    def to_dict(self) -> dict[str, Any]:
        """Return the method and its parameters as plain numbers and lists, ready for JSON.

        >>> PlattMap(slope=2.0, intercept=-1.0).to_dict()
        {'method': 'platt', 'slope': 2.0, 'intercept': -1.0}
        """
        return {"method": self.method, **asdict(self)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "CalibrationMap":
        """Rebuild a map from what :meth:`to_dict` returned.

        Raises:
            ValueError: Unknown method, or parameters that are not those of the method.

        >>> CalibrationMap.from_dict({"method": "temperature", "inverse": 0.5}).apply([0.0]).tolist()
        [0.5]
        """
        kinds = {kind.method: kind for kind in (PlattMap, TemperatureMap, BetaMap, IsotonicMap)}
        parameters = dict(values)
        method = parameters.pop("method", None)
        if method not in kinds:
            raise ValueError(f"calibration method must be one of {', '.join(kinds)}, got {method!r}")
        try:
            return kinds[method](**parameters)
        except TypeError:
            wanted = ", ".join(field.name for field in fields(kinds[method]))
            raise ValueError(f"calibration by {method} has {wanted}, got {', '.join(parameters)}") from None


@dataclass(frozen=True)
class PlattMap(CalibrationMap):
    """``1 / (1 + exp(-(slope * score + intercept)))``."""

    slope: float
    intercept: float
    method: ClassVar[str] = "platt"

    def apply(self, score: ArrayLike) -> FloatArray:
        """Probabilities of scores, of the same shape."""
        return platt_apply(score, self.slope, self.intercept)


@dataclass(frozen=True)
class TemperatureMap(CalibrationMap):
    """``1 / (1 + exp(-inverse * score))``; ``inverse`` is 1 / temperature, 0 or more."""

    inverse: float
    method: ClassVar[str] = "temperature"

    @property
    def temperature(self) -> float:
        """What scores are divided by; ``inf`` if the score does not help.

        >>> TemperatureMap(inverse=0.25).temperature
        4.0
        """
        return 1.0 / self.inverse if self.inverse else float("inf")

    def apply(self, score: ArrayLike) -> FloatArray:
        """Probabilities of scores, of the same shape."""
        return platt_apply(score, self.inverse, 0.0)


@dataclass(frozen=True)
class BetaMap(CalibrationMap):
    """``1 / (1 + exp(-(a ln q - b ln(1 - q) + c)))`` with ``q = 1 / (1 + exp(-score))``; a, b are 0 or more."""

    a: float
    b: float
    c: float
    method: ClassVar[str] = "beta"

    def apply(self, score: ArrayLike) -> FloatArray:
        """Probabilities of scores, of the same shape."""
        scores = np.asarray(score, dtype=np.float64)
        return np.asarray(expit(self.a * log_expit(scores) - self.b * log_expit(-scores) + self.c))


@dataclass(frozen=True)
class IsotonicMap(CalibrationMap):
    """Straight lines between knots (``scores`` and ``probabilities``, both rising), constant outside."""

    scores: list[float]
    probabilities: list[float]
    method: ClassVar[str] = "isotonic"

    def apply(self, score: ArrayLike) -> FloatArray:
        """Probabilities of scores, of the same shape."""
        return np.asarray(np.interp(np.asarray(score, dtype=np.float64), self.scores, self.probabilities))


def fit_calibration(
    target: ArrayLike,
    score: ArrayLike,
    method: CalibrationMethod = "platt",
    *,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> CalibrationMap:
    """Fit a map from scores to probabilities.

    * ``"platt"``: slope and intercept on the score (:func:`platt_fit`).
    * ``"temperature"``: one factor, 0 or more, on the score; right only where a score of 0 means even odds.
      A score that ranks the wrong way round gets the factor 0, that is 0.5 for every sample.
    * ``"beta"``: different slopes for high and low scores. The score first goes through the logistic
      function, since the map is defined for values in (0, 1); give the logit of a score that already is a
      probability. Slopes that would be negative are 0, found exactly by trying all subsets.
    * ``"isotonic"``: the best rising map, straight lines between its steps. It merges ranks (creates ties),
      and needs hundreds of samples.
    * ``"auto"``: the one of the four with the smallest cross-validated log loss (5 folds stratified by
      class, fewer with fewer samples of a class, whole groups held out); Platt's where a class or the groups
      that hold it are too few for 2 folds.

    Args:
        target: 0 or 1, shape ``(N,)``; validation data, never test.
        score: Real numbers, raw rather than through a sigmoid, shape ``(N,)``.
        method: See above.
        groups: Name of each sample's group (patient), shape ``(N,)``; only ``"auto"`` heeds it.
        seed: Decides the folds of ``"auto"``.

    Returns:
        The map; ``.apply(score)`` gives probabilities, ``.method`` tells which it is.

    Raises:
        ValueError: Unknown method, ``groups`` of another shape; or see
            :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Temperature: Guo, Pleiss, Sun & Weinberger, ICML 2017. Beta: Kull, Silva Filho & Flach, Electron. J.
        Stat. 11 (2017) 5052-5080. Isotonic: Zadrozny & Elkan, KDD 2002. Platt: see :func:`platt_fit`.

    >>> fitted = fit_calibration([0, 0, 1, 0, 1, 1], [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], "isotonic")
    >>> fitted.apply([-9.0, 0.0, 9.0]).tolist()
    [0.2, 0.5, 0.8]
    """
    targets, scores = check_binary(target, score)
    if method == "auto":
        method = _choose(targets, scores, groups, seed)
    if method not in _FITS:
        raise ValueError(f"method must be one of {', '.join(_FITS)}, auto, got {method!r}")
    return _FITS[method](targets, scores)


def platt_fit(target: ArrayLike, score: ArrayLike) -> tuple[float, float]:
    """Fit ``P(positive) = 1 / (1 + exp(-(slope * score + intercept)))`` by regularised maximum likelihood.

    Targets are smoothed as Platt proposed, 1 to ``(m + 1) / (m + 2)`` and 0 to ``1 / (n + 2)`` for m
    positives and n negatives, which keeps the slope finite when the classes are separable.
    Newton's method with step halving; the problem is convex.

    Args:
        target: 0 or 1, shape ``(N,)``; validation data, never test.
        score: Real numbers, shape ``(N,)``.

    Returns:
        ``(slope, intercept)``. A constant score gives slope 0. A negative slope means that the score
        ranks these samples the wrong way round.

    Raises:
        ValueError: See :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Platt, Advances in Large Margin Classifiers (1999) 61-74; Newton form: Lin, Lin & Weng, Machine
        Learning 68 (2007) 267-276.

    >>> slope, intercept = platt_fit([0, 0, 1, 0, 1, 1], [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
    >>> round(slope, 3), round(abs(intercept), 3)
    (0.63, 0.0)
    """
    targets, scores = check_binary(target, score)
    slopes, intercept = _fit_affine(scores[:, None], smoothed_targets(targets))
    return float(slopes[0]), intercept


def platt_apply(score: ArrayLike, slope: float, intercept: float) -> FloatArray:
    """Probabilities of scores, by the map that :func:`platt_fit` found.

    >>> platt_apply([0.0], 2.0, 0.0).tolist()
    [0.5]
    """
    return np.asarray(expit(slope * np.asarray(score, dtype=np.float64) + intercept))


def _fit_affine(features: FloatArray, wanted: FloatArray) -> tuple[FloatArray, float]:
    """Slopes of features, shape ``(N, K)``, and intercept; a constant feature has slope 0."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    usable = (np.ptp(features, axis=0) > 0) & (spread > 0)
    slopes = np.zeros(features.shape[1])
    scaled = (features[:, usable] - centre[usable]) / spread[usable]  # well conditioned
    if not usable.any():
        return slopes, float(logit(wanted.mean()))
    weights, _ = fit_logistic(np.column_stack((scaled, np.ones(len(features)))), wanted)
    slopes[usable] = weights[:-1] / spread[usable]
    return slopes, float(weights[-1] - slopes @ centre)


def _fit_platt(target: BoolArray, score: FloatArray) -> CalibrationMap:
    return PlattMap(*platt_fit(target, score))


def _fit_temperature(target: BoolArray, score: FloatArray) -> CalibrationMap:
    size = float(np.abs(score).max())
    if size == 0.0:
        return TemperatureMap(1.0)  # any factor leaves 0.5
    weights, _ = fit_logistic(score[:, None] / size, smoothed_targets(target))
    return TemperatureMap(max(0.0, float(weights[0]) / size))


def _fit_beta(target: BoolArray, score: FloatArray) -> CalibrationMap:
    features, wanted = np.column_stack((log_expit(score), -log_expit(-score))), smoothed_targets(target)
    best, least = BetaMap(0.0, 0.0, float(logit(wanted.mean()))), np.inf
    for chosen in chain([()], combinations((0, 1), 1), [(0, 1)]):
        found, intercept = _fit_affine(features[:, list(chosen)], wanted)
        slopes = np.zeros(2)
        slopes[list(chosen)] = found
        loss = negative_log_likelihood(features @ slopes + intercept, wanted)
        if slopes.min() >= 0.0 and loss < least:
            best, least = BetaMap(float(slopes[0]), float(slopes[1]), intercept), loss
    return best


def _fit_isotonic(target: BoolArray, score: FloatArray) -> CalibrationMap:
    scores, index, count = np.unique(score, return_inverse=True, return_counts=True)
    share = np.bincount(index, target) / count
    ends = smoothed_targets(target)
    rising = np.clip(isotonic_regression(share, weights=count).x, ends.min(), ends.max())
    step = np.diff(rising) != 0
    kept = np.append(True, step) | np.append(step, True)  # both ends of every level stretch
    return IsotonicMap(scores[kept].tolist(), rising[kept].tolist())


_FITS: dict[CalibrationMethod, Callable[[BoolArray, FloatArray], CalibrationMap]] = {
    "platt": _fit_platt,
    "temperature": _fit_temperature,
    "beta": _fit_beta,
    "isotonic": _fit_isotonic,
}


def _choose(target: BoolArray, score: FloatArray, groups: ArrayLike | None, seed: int) -> CalibrationMethod:
    fold = _folds(target, groups, seed)
    if fold is None:
        return "platt"
    losses: dict[CalibrationMethod, float] = {}
    for method, fit in _FITS.items():
        losses[method] = 0.0
        for held in range(int(fold.max()) + 1):
            inside = fold != held
            probability = fit(target[inside], score[inside]).apply(score[~inside])
            # The maps leave (0, 1) only by rounding, far from the scores they were fitted to.
            chance = np.where(target[~inside], probability, 1.0 - probability)
            losses[method] -= float(np.log(np.maximum(chance, np.finfo(np.float64).eps)).sum())
    return min(losses, key=losses.__getitem__)


def _folds(target: BoolArray, groups: ArrayLike | None, seed: int) -> IntArray | None:
    """Fold of each sample: groups with and without positives are dealt out in turn, in random order."""
    index = None if groups is None else group_index(groups, target.size)
    index = np.arange(target.size) if index is None else index
    has_positive = np.bincount(index, target) > 0
    has_negative = np.bincount(index, ~target) > 0
    folds = min(5, int(has_positive.sum()), int(has_negative.sum()))
    if folds < 2:
        return None
    order = np.lexsort((np.random.default_rng(seed).random(has_positive.size), has_positive))
    dealt = np.empty(has_positive.size, dtype=np.intp)
    dealt[order] = np.arange(order.size) % folds
    fold = dealt[index]
    # Rare: every group of a class in one fold leaves the others nothing to learn from.
    learnable = all(target[fold != held].any() and not target[fold != held].all() for held in range(folds))
    return fold if learnable else None
