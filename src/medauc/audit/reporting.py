"""From arrays to the form of ``audit.json``."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray

from medauc.audit.associations import Association
from medauc.audit.collection import Collection
from medauc.audit.document import (
    AssociationReport,
    DuplicateEffect,
    DuplicatePair,
    DuplicateReport,
    FeatureFigure,
    ShortcutReport,
    SplitPairs,
)
from medauc.audit.duplicates import Duplicates
from medauc.audit.effect import LEVEL, Effect
from medauc.audit.facts import ImageFacts
from medauc.audit.material import conflicting_pairs
from medauc.audit.shortcuts import KINDS, Shortcut
from medauc.evaluation.figures import Figure
from medauc.metrics import Estimate

MOST_PAIRS = 10_000
BINS = 50
_DELONG = "DeLong, Biometrics 44 (1988) 837-845; patients with several images: Obuchowski, Biometrics 53 (1997) 567-578"


def figure(found: Estimate, n: int, method: str = "score interval with DeLong's variance") -> Figure:
    """An AUC, or a difference of two, as a figure."""
    return Figure(
        value=found.value, low=found.low, high=found.high, level=LEVEL, n=n, method=method, reference=_DELONG
    )


def duplicate_report(
    collection: Collection, facts: Sequence[ImageFacts], found: Duplicates, effects: Sequence[Effect]
) -> DuplicateReport:
    """All duplicates with the names of the samples."""
    splits = collection.splits[found.pairs]
    return DuplicateReport(
        near=found.near,
        n_exact=int(found.exact.sum()),
        n_near=int((~found.exact).sum()),
        n_similar=len(found.similar),
        across=int((splits[:, 0] != splits[:, 1]).sum()),
        images_with_twin=_twins_by_split(collection, found),
        by_splits=_by_splits(collection, found),
        nearest={
            name: _histogram(found.nearest[collection.splits == name]) for name in collection.split_names
        },
        pairs=_pairs(collection, facts, found),
        effects=[effect_report(effect, collection) for effect in effects],
    )


def _twins_by_split(collection: Collection, found: Duplicates) -> dict[str, int]:
    """Images of each split that have a duplicate in another one."""
    return {
        name: int(found.twins(collection.splits == name, collection.splits != name).sum())
        for name in collection.split_names
    }


def _by_splits(collection: Collection, found: Duplicates) -> list[SplitPairs]:
    names = collection.split_names
    splits = collection.splits[found.pairs]
    sizes = {name: int((collection.splits == name).sum()) for name in names}
    rows = []
    for first, second in combinations_with_replacement(names, 2):
        here = ((splits == (first, second)) | (splits == (second, first))).all(axis=1)
        ways = comb(sizes[first], 2) if first == second else sizes[first] * sizes[second]
        share = ways / max(1, comb(len(collection), 2))
        rows.append(
            SplitPairs(
                first=first,
                second=second,
                exact=int((here & found.exact).sum()),
                near=int((here & ~found.exact).sum()),
                expected=round(share * len(found.pairs), 1),
            )
        )
    return rows


def _histogram(nearest: NDArray[np.float64]) -> list[int]:
    known = np.clip(nearest[np.isfinite(nearest)], 0.0, 1.0)
    return [int(count) for count in np.histogram(known, BINS, (0.0, 1.0))[0]]


def _pairs(collection: Collection, facts: Sequence[ImageFacts], found: Duplicates) -> list[DuplicatePair]:
    """Pairs of two splits first, then exact ones, then by likeness; look-alikes last."""
    splits = collection.splits[found.pairs]
    across = splits[:, 0] != splits[:, 1]
    order = np.lexsort((-found.likeness, ~found.exact, ~across))[:MOST_PAIRS]
    kinds = ["exact" if exact else "near" for exact in found.exact[order]]
    rest = max(0, MOST_PAIRS - len(order))
    pairs = np.concatenate([found.pairs[order], found.similar[:rest]])
    likeness = np.concatenate([found.likeness[order], found.similar_likeness[:rest]])
    kinds += ["similar"] * (len(pairs) - len(order))
    conflicts = conflicting_pairs(collection, pairs)
    return [
        DuplicatePair.model_validate(
            {
                "first": str(collection.ids[first]),
                "second": str(collection.ids[second]),
                "first_split": str(collection.splits[first]),
                "second_split": str(collection.splits[second]),
                "kind": kind,
                "likeness": round(float(alike), 4),
                "same_file": _same_file(facts[first], facts[second]),
                "same_group": bool(collection.groups[first] == collection.groups[second])
                if collection.groups_known
                else None,
                "labels_differ": bool(conflict),
            }
        )
        for (first, second), kind, alike, conflict in zip(
            pairs.tolist(), kinds, likeness, conflicts, strict=True
        )
    ]


def _same_file(first: ImageFacts, second: ImageFacts) -> bool | None:
    """Whether two files are equal byte for byte; None for arrays."""
    return None if first.file_digest is None else first.file_digest == second.file_digest


def effect_report(effect: Effect, collection: Collection) -> DuplicateEffect:
    """An effect with its figures."""
    n = int((collection.splits == "test").sum())
    return DuplicateEffect(
        model=effect.model,
        label=effect.label,
        statement=effect.statement,
        n_removed=effect.n_removed,
        n_removed_positive=effect.n_removed_positive,
        every=figure(effect.every, n),
        clean=figure(effect.clean, n),
        difference=figure(effect.difference, n, "normal interval of the paired difference, by influences"),
        p=effect.p,
    )


def association_report(found: Association) -> AssociationReport:
    """An association with its figures."""
    return AssociationReport(
        feature=found.feature,
        level=found.level,
        label=found.label,
        auc=figure(found.auc, found.n),
        p_adjusted=found.p_adjusted,
    )


def shortcut_report(found: Shortcut) -> ShortcutReport:
    """A shortcut with its figures."""
    return ShortcutReport.model_validate(
        {
            "label": found.label,
            "kind": found.kind,
            "features": KINDS[found.kind],
            "n_features": found.n_features,
            "judged_on": found.judged_on,
            "auc": figure(found.auc, found.n),
            "strongest": [
                FeatureFigure(
                    name=one.name, cross_validated=one.cross_validated, auc=figure(one.auc, found.n)
                )
                for one in found.strongest
            ],
            "flagged": found.flagged,
        }
    )
