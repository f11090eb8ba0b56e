"""Recipes compared on the same test samples: ensembles by DeLong's paired test, seeds by their paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from medauc.benchmark.measured import LEVEL, Measured, label_tables, usable_labels
from medauc.evaluation import Aligned, align
from medauc.metrics import AucTests, SeedDifference, delong_tests, holm, macro_auc_tests, seed_difference


@dataclass(frozen=True)
class Pair:
    """Two recipes on one data set; differences are first less second.

    Attributes:
        first: title of the first.
        second: title of the second.
        difference: AUC of the ensembles of their seeds (of the one network where there is one seed).
        low: lower bound of that difference, for new cases.
        high: upper bound.
        p: DeLong's paired test.
        p_holm: the same, adjusted over the pairs of the data set.
        seeds: the difference over the seeds that both have; None for fewer than two.
        seeds_p_holm: its p adjusted in the same way.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    seeds: SeedDifference | None
    seeds_p_holm: float | None


def paired_tests(found: Sequence[Measured], against: str | None = None) -> list[Pair]:
    """Compare the recipes of one data set whose scores were kept.

    Args:
        found: the recipes.
        against: title of the recipe that the others are compared with; None compares every two.

    Returns:
        The pairs; none when fewer than two recipes can be compared. p is adjusted over these pairs.

    Raises:
        InputError: the recipes were not tested on the same samples and targets.
    """
    usable = [one for one in found if one.scores is not None]
    if len(usable) < 2:
        return []
    aligned = align({str(place): one.scores for place, one in enumerate(usable) if one.scores is not None})
    tests = _delong(aligned)
    if tests is None:
        return []
    every = list(combinations(usable, 2))
    places = [i for i, pair in enumerate(every) if against is None or against in [one.title for one in pair]]
    over_seeds = [_over_seeds(*every[place]) for place in places]
    p_holm = holm(tests.p[places])
    adjusted = iter(holm([test.p for test in over_seeds if test is not None]).tolist())
    return [
        Pair(
            every[place][0].title,
            every[place][1].title,
            float(tests.difference[place]),
            float(tests.low[place]),
            float(tests.high[place]),
            float(tests.p[place]),
            float(p),
            seeds,
            None if seeds is None else next(adjusted),
        )
        for place, p, seeds in zip(places, p_holm, over_seeds, strict=True)
    ]


def _delong(aligned: Aligned) -> AucTests | None:
    labels = usable_labels(aligned)
    if not labels:
        return None
    if labels == [None]:
        return delong_tests(aligned.target(None), aligned.scores(None), aligned.groups, LEVEL)
    return macro_auc_tests(*label_tables(aligned, labels), aligned.groups, LEVEL)


def _over_seeds(one: Measured, other: Measured) -> SeedDifference | None:
    common = sorted(set(one.tables) & set(other.tables))
    if len(common) < 2:
        return None
    tables = {f"a{seed}": one.tables[seed] for seed in common} | {
        f"b{seed}": other.tables[seed] for seed in common
    }
    aligned = align(tables)
    targets, scores = label_tables(aligned, usable_labels(aligned))
    return seed_difference(targets, scores[: len(common)], scores[len(common) :], LEVEL, aligned.groups)
