"""Which single features go with which label, by patient, whatever a model makes of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from medauc.audit.features import Feature
from medauc.metrics import Estimate, clustered_interval, holm
from medauc.metrics.clustered import carriers, clustered_factors

RISK = 0.01  # over all features and labels together, by Holm's method
LEAST_CASES = 20  # patients of each class
LEAST_OF_LEVEL = 10  # samples with and without a level
MOST_SAMPLES = 20_000  # looked at; a random draw of that many stands for more


@dataclass(frozen=True)
class Association:
    """One feature (a quantity, or one level of a category) and one label.

    Attributes:
        feature: its name.
        level: of a category; None for a quantity.
        label: which label.
        n: samples.
        auc: of the feature as a score of the label, with its interval by patient; below 0.5 it goes against it.
        p: two-sided, for 0.5.
        p_adjusted: by Holm's method over all that were tested.
    """

    feature: str
    level: str | None
    label: str
    n: int
    auc: Estimate
    p: float
    p_adjusted: float

    @property
    def strength(self) -> float:
        """Distance of the AUC's interval from 0.5; 0 where it holds 0.5."""
        return max(self.auc.low - 0.5, 0.5 - self.auc.high, 0.0)


def find_associations(
    features: Sequence[Feature],
    targets: NDArray[np.int64],
    label_names: Sequence[str],
    groups: NDArray[np.str_],
    seed: int = 0,
) -> list[Association]:
    """Test every feature against every label; those beyond chance are returned, strongest first.

    Args:
        features: of N samples.
        targets: in {0, 1}, -1 for unknown, shape (N, L).
        label_names: L names.
        groups: patients, shape (N,); a patient's samples are not independent (Obuchowski's variance).
        seed: of the draw from more than 20,000 samples.

    >>> rng = np.random.default_rng(0)
    >>> target = np.repeat([0, 1], 100)
    >>> width = Feature("width", "acquisition", rng.normal(size=200) + target)
    >>> noise = Feature("noise", "acquisition", rng.normal(size=200))
    >>> found = find_associations([width, noise], target[:, None], ["tumour"], np.arange(200).astype(str))
    >>> [(one.feature, one.label, round(one.auc.value, 2)) for one in found]
    [('width', 'tumour', 0.74)]
    """
    rows = np.arange(len(groups))
    if len(rows) > MOST_SAMPLES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_SAMPLES, replace=False))
    tested = [
        found
        for label, target in zip(label_names, targets.T, strict=True)
        for feature in features
        for level, score in _scores(feature)
        if (found := _test(feature.name, level, label, target[rows], score[rows], groups[rows])) is not None
    ]
    if not tested:
        return []
    adjusted = holm([found.p for found in tested])
    kept = [
        Association(**(vars(found) | {"p_adjusted": float(p)}))
        for found, p in zip(tested, adjusted, strict=True)
        if p < RISK
    ]
    return sorted(kept, key=lambda found: -found.strength)


def _scores(feature: Feature) -> Iterator[tuple[str | None, NDArray[np.float64]]]:
    """The quantity itself, or one score a level; of two levels one is enough."""
    if feature.levels is None:
        yield None, feature.values
        return
    used = [place for place in range(len(feature.levels)) if (feature.values == place).any()]
    for place in used[:1] if len(used) == 2 else used:
        yield feature.levels[place], (feature.values == place).astype(np.float64)


def _test(
    feature: str,
    level: str | None,
    label: str,
    target: NDArray[np.int64],
    score: NDArray[np.float64],
    groups: NDArray[np.str_],
) -> Association | None:
    """AUC and p; None where there are too few cases or nothing varies."""
    known = (target >= 0) & np.isfinite(score)
    target, score, groups = target[known], score[known], groups[known]
    if not len(target) or min(carriers(target, groups)) < LEAST_CASES or len(np.unique(score)) < 2:
        return None
    if level is not None and not LEAST_OF_LEVEL <= score.sum() <= len(score) - LEAST_OF_LEVEL:
        return None
    aucs, factors = clustered_factors(target, score[None], groups)
    error = float(np.linalg.norm(factors))
    z = (float(aucs[0]) - 0.5) / error if error > 0 else float(np.sign(aucs[0] - 0.5)) * 40.0
    p = 2.0 * float(ndtr(-abs(z)))
    return Association(feature, level, label, len(target), clustered_interval(target, score, groups), p, p)
