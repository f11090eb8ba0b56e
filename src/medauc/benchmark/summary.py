"""Everything that tables show of a ledger: recipes by data set, ranks over data sets, paired tests, what is lacking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medauc.benchmark.ledger import Row
from medauc.benchmark.measured import Measured, gather
from medauc.benchmark.paired import Pair, paired_tests
from medauc.data import CATALOG, CatalogEntry
from medauc.errors import InputError
from medauc.metrics import Ranks, friedman_ranks


@dataclass(frozen=True)
class Standing:
    """Recipes ranked over all data sets on which each of them was measured.

    Attributes:
        flags: the data sets.
        titles: the recipes.
        ranks: their ranks.
    """

    flags: tuple[str, ...]
    titles: tuple[str, ...]
    ranks: Ranks


@dataclass(frozen=True)
class Summary:
    """What a ledger says.

    Attributes:
        measured: recipes by data set.
        pairs: paired tests by data set, where there are any.
        standing: ranks, where two recipes or more were measured on two data sets or more.
        not_measured: sets of the catalog without a row.
        notes: what could not be compared, and why.
    """

    measured: dict[str, list[Measured]]
    pairs: dict[str, list[Pair]]
    standing: Standing | None
    not_measured: tuple[str, ...]
    notes: tuple[str, ...]


def summarize(
    rows: Sequence[Row],
    folder: Path,
    title: Callable[[Row], str] = lambda row: row.title,
    against: str | None = None,
) -> Summary:
    """Summarize rows of a ledger.

    Args:
        rows: oldest first.
        folder: the ledger's, from which the paths of scores count.
        title: what to call a row's recipe.
        against: title of the recipe that paired tests compare the others with; None compares every two.

    Raises:
        InputError: a table of scores cannot be read.
    """
    order = {name: place for place, name in enumerate(CATALOG)}
    found = sorted(gather(rows, folder, title), key=lambda one: order.get(one.rows[0].dataset, len(order)))
    measured = {
        flag: [one for one in found if one.flag == flag] for flag in dict.fromkeys(one.flag for one in found)
    }
    pairs, notes = {}, []
    for flag, ones in measured.items():
        lacking = [one.title for one in ones if not one.has_scores]
        if lacking and len(ones) > 1:
            notes.append(
                f"{flag}: the scores of {', '.join(lacking)} were not kept, so no paired test with them."
            )
        try:
            if tests := paired_tests(ones, against):
                pairs[flag] = tests
        except InputError as error:
            notes.append(f"{flag}: no paired tests: {error}.")
    missing = tuple(name for name in CATALOG if not any(row.dataset == name for row in rows))
    return Summary(measured, pairs, _standing(measured), missing, tuple(notes))


def _standing(measured: dict[str, list[Measured]]) -> Standing | None:
    """Rank the recipes that every data set has, under one title each."""
    titles = [{one.title: one.mean for one in ones} for ones in measured.values()]
    common = [title for title in titles[0] if all(title in other for other in titles)] if titles else []
    if len(common) < 2 or len(titles) < 2:
        return None
    figures = [[means[title] for title in common] for means in titles]
    return Standing(tuple(measured), tuple(common), friedman_ranks(figures))


def ranks_within(ones: Sequence[Measured]) -> list[float]:
    """Rank of each recipe of one data set by its mean test AUC, 1 for the highest."""
    found: list[float] = friedman_ranks([[one.mean for one in ones]]).mean.tolist()
    return found


def published(one: Measured) -> tuple[float | None, float | None]:
    """Test AUC reported for the seed method, and the best published from scratch at 28 a side.

    Nothing for other sizes or a data file that is not the published one: those numbers are not about them.
    """
    row = one.rows[0]
    entry: CatalogEntry | None = CATALOG.get(row.dataset)
    if entry is None or row.size != 28 or row.data_modified:
        return None, None
    results = entry.seed_result, entry.best_from_scratch
    return results[0].auc if results[0] else None, results[1].auc if results[1] else None
