"""What each split is made of, and where splits differ by more than chance."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, kruskal

from medauc.audit.collection import Collection
from medauc.audit.facts import QUANTILES, ImageFacts
from medauc.audit.features import Feature
from medauc.metrics import holm
from medauc.metrics.clustered import group_numbers

RISK = 0.01  # of a flag, over all tests together
LEAST_EFFECT = 0.2  # standard deviations between the means of two splits, below which nothing is flagged
LEAST_ASSOCIATION = 0.1  # the same for categories, as Cramer's V
MOST_NAMED = 5


@dataclass(frozen=True)
class SplitSummary:
    """One split.

    Attributes:
        name: train, val, test or all.
        n: images.
        n_unreadable: of them could not be read.
        n_groups: patients.
        positive: positives by label.
        negative: negatives by label; what is left has no known label.
        shapes: the commonest shapes with their counts, as in "28 x 28".
        n_shapes: distinct shapes.
        spacings: the commonest spacings in millimetres with their counts.
        orientations: orientations with their counts.
        kinds: modalities and file types with their counts.
        intensity: median over images of their mean, standard deviation, lowest and highest value and quantiles.
    """

    name: str
    n: int
    n_unreadable: int
    n_groups: int
    positive: dict[str, int]
    negative: dict[str, int]
    shapes: dict[str, int]
    n_shapes: int
    spacings: dict[str, int]
    orientations: dict[str, int]
    kinds: dict[str, int]
    intensity: dict[str, float]


@dataclass(frozen=True)
class Difference:
    """Whether one quantity or category is alike in all splits.

    Attributes:
        name: of the feature.
        values: by split, mean of a quantity or commonest level with its share.
        test: Kruskal-Wallis (quantities, labels) or chi-square (categories); patients count once.
        p: for no difference.
        p_adjusted: by Holm's method over all features.
        effect: largest difference of means in standard deviations, or Cramer's V; None where nothing varies within
            a split.
        flagged: adjusted p below 0.01 and an effect of at least 0.2 (V: 0.1).
    """

    name: str
    values: dict[str, str]
    test: str
    p: float
    p_adjusted: float
    effect: float | None
    flagged: bool


def summarise(collection: Collection, facts: Sequence[ImageFacts]) -> list[SplitSummary]:
    """Describe each split."""
    return [_summary(collection, facts, name) for name in collection.split_names]


def _summary(collection: Collection, facts: Sequence[ImageFacts], name: str) -> SplitSummary:
    rows = np.flatnonzero(collection.splits == name)
    read = [facts[row] for row in rows.tolist() if facts[row].error is None]
    targets = dict(zip(collection.label_names, collection.targets[rows].T, strict=True))
    shapes = Counter(shape_text(fact) for fact in read)
    spacings = Counter(" x ".join(f"{side:.3g}" for side in fact.spacing) for fact in read if fact.spacing)
    intensity: dict[str, float] = {}
    if read:
        for key in ("low", "mean", "sd", "high"):
            intensity[key] = _median([getattr(fact, key) for fact in read])
        for place, share in enumerate(QUANTILES):
            intensity[f"{100 * share:g}%"] = _median([fact.quantiles[place] for fact in read])
    return SplitSummary(
        name=name,
        n=len(rows),
        n_unreadable=len(rows) - len(read),
        n_groups=len(np.unique(collection.groups[rows])),
        positive={label: int((target == 1).sum()) for label, target in targets.items()},
        negative={label: int((target == 0).sum()) for label, target in targets.items()},
        shapes=dict(shapes.most_common(MOST_NAMED)),
        n_shapes=len(shapes),
        spacings=dict(spacings.most_common(MOST_NAMED)),
        orientations=dict(Counter(f.orientation for f in read if f.orientation).most_common(MOST_NAMED)),
        kinds=dict(Counter(_kind(fact) for fact in read if _kind(fact)).most_common(MOST_NAMED)),
        intensity={name: value for name, value in intensity.items() if np.isfinite(value)},
    )


def shape_text(fact: ImageFacts) -> str:
    """Size of an image in words.

    >>> shape_text(ImageFacts(shape=(28, 30), colour=True))
    '28 x 30, colour'
    """
    return " x ".join(map(str, fact.shape)) + (", colour" if fact.colour else "")


def _kind(fact: ImageFacts) -> str:
    return " ".join(part for part in (fact.modality, fact.file_type) if part)


def _median(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else float("nan")


def intensity_features(facts: Sequence[ImageFacts]) -> list[Feature]:
    """What intensities each image has, for comparing splits (never for shortcuts: they are the picture)."""
    found = {"intensity, mean": "mean", "intensity, standard deviation": "sd", "intensity, highest": "high"}
    return [
        Feature(name, "acquisition", np.array([getattr(fact, key) for fact in facts], dtype=np.float64))
        for name, key in found.items()
    ]


def label_features(collection: Collection) -> list[Feature]:
    """Labels as quantities, whose mean is the prevalence."""
    return [
        Feature(f"prevalence of {label}", "column", np.where(target < 0, np.nan, target.astype(np.float64)))
        for label, target in zip(collection.label_names, collection.targets.T, strict=True)
    ]


def find_differences(collection: Collection, features: Sequence[Feature]) -> list[Difference]:
    """Test each feature for a difference between splits; a patient with several images counts once.

    Args:
        collection: with two splits or more, else nothing is found.
        features: of all rows.
    """
    names = collection.split_names
    if len(names) < 2:
        return []
    tested = [(f, found) for f in features if (found := _test(collection, f, names)) is not None]
    if not tested:
        return []
    adjusted = holm([p for _, (p, _, _) in tested])
    return [
        Difference(
            name=feature.name,
            values=values,
            test="Kruskal-Wallis" if feature.levels is None else "chi-square",
            p=p,
            p_adjusted=float(p_adjusted),
            effect=effect,
            flagged=bool(
                p_adjusted < RISK
                and (
                    effect is None
                    or effect >= (LEAST_EFFECT if feature.levels is None else LEAST_ASSOCIATION)
                )
            ),
        )
        for (feature, (p, effect, values)), p_adjusted in zip(tested, adjusted, strict=True)
    ]


def _test(
    collection: Collection, feature: Feature, names: Sequence[str]
) -> tuple[float, float | None, dict[str, str]] | None:
    """p, effect and what each split has; None where a split has fewer than five known values or nothing varies."""
    parts = [_by_group(collection, feature, collection.splits == name) for name in names]
    if min(map(len, parts)) < 5 or len(np.unique(np.concatenate(parts))) < 2:
        return None
    if feature.levels is not None:
        return _association(parts, feature.levels, names)
    means = np.array([part.mean() for part in parts])
    spread = float(np.sqrt(np.mean([part.var() for part in parts])))
    effect = float((means.max() - means.min()) / spread) if spread > 0 else None
    values = {name: f"{mean:.4g}" for name, mean in zip(names, means, strict=True)}
    return float(kruskal(*parts).pvalue), effect, values


def _by_group(collection: Collection, feature: Feature, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One value a patient: the mean of a quantity, the first level of a category."""
    rows = rows & np.isfinite(feature.values)
    values = feature.values[rows]
    if not values.size:
        return values
    group = group_numbers(collection.groups[rows], len(values))
    if feature.levels is not None:
        return np.asarray(values[np.unique(group, return_index=True)[1]])
    return np.asarray(np.bincount(group, values) / np.bincount(group))


def _association(
    parts: Sequence[NDArray[np.float64]], levels: Sequence[str], names: Sequence[str]
) -> tuple[float, float | None, dict[str, str]]:
    table = np.array([np.bincount(part.astype(int), minlength=len(levels)) for part in parts])
    seen = table[:, table.sum(axis=0) > 0]
    found = chi2_contingency(seen)
    effect = float(np.sqrt(found.statistic / (seen.sum() * (min(seen.shape) - 1))))
    values = {
        name: f"{levels[int(row.argmax())]} {row.max() / row.sum():.0%}"
        for name, row in zip(names, table, strict=True)
    }
    return float(found.pvalue), effect, values
