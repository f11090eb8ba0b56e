"""A summary as tables: cells for a terminal, Markdown for people, CSV for machines."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from medauc.benchmark.ledger import LEDGER, read_ledger, writing
from medauc.benchmark.measured import Measured
from medauc.benchmark.paired import Pair
from medauc.benchmark.summary import Standing, Summary, published, ranks_within, summarize
from medauc.errors import InputError
from medauc.evaluation.comparison_text import p_text
from medauc.files import write_text_atomically
from medauc.metrics import Estimate

TITLES = (
    "data set", "recipe", "seeds", "test AUC", "SD", "95% seeds", "95% seeds and cases", "ensemble [95%]", "val AUC",
    "epochs", "minutes", "threads", "rank", "seed method, as reported", "best published from scratch",
)  # fmt: skip
_FEW_SETS = 5

EXPLANATION = (
    "Test AUC is the mean over seeds, each scored once. `SD`: standard deviation over seeds. `95% seeds`: Student's "
    "interval of the mean for new seeds on this test set. `95% seeds and cases`: for new seeds and new cases "
    "(`medauc.metrics.seed_interval`; DeLong's for one seed). `ensemble`: AUC of the mean of the seeds' scores, with "
    "DeLong's interval. Epochs and minutes are means over seeds, of the epochs alone, on the threads or device named. "
    "Rank: by the mean, within the data set."
)


def cells(summary: Summary) -> list[tuple[str, ...]]:
    """One line for each recipe on each data set, under :data:`TITLES`."""
    return [
        _line(one, rank)
        for ones in summary.measured.values()
        for one, rank in zip(ones, ranks_within(ones), strict=True)
    ]


def markdown(summary: Summary) -> str:
    """The table with what it means, ranks over data sets, paired tests, and what was not measured."""
    parts = ["# Test AUC", EXPLANATION, main_table(summary)]
    if summary.standing is not None:
        parts += [
            "## Ranks over data sets",
            _standing_text(summary.standing),
            _standing_table(summary.standing),
        ]
    if summary.pairs:
        parts += ["## Paired tests", PAIRED]
        parts += [f"### {flag}\n\n{_pairs_table(pairs)}" for flag, pairs in summary.pairs.items()]
    if summary.notes:
        parts += ["## Notes", "\n".join(f"* {note}" for note in summary.notes)]
    return "\n\n".join(parts) + "\n"


PAIRED = (
    "The same test samples, first less second. `ensembles`: of the seeds' mean scores, DeLong's paired test; `seeds`: "
    "mean difference over the seeds that both have, interval and test for new seeds and new cases "
    "(`medauc.metrics.seed_difference`). p is adjusted by Holm's method over the pairs of the data set."
)


def main_table(summary: Summary) -> str:
    """The lines of :func:`cells` as Markdown, and the sets that were not measured."""
    parts = [_markdown_table(TITLES, cells(summary))]
    if summary.not_measured:
        parts.append(f"Not measured: {', '.join(summary.not_measured)}.")
    return "\n\n".join(parts)


def write_summary(folder: Path) -> Summary | None:
    """Read the ledger in ``folder`` and write ``table.md`` and ``table.csv`` beside it; None while it has no row.

    Raises:
        InputError: the ledger or a table of scores cannot be read, or the folder is not writable.
    """
    rows = read_ledger(folder / LEDGER)
    if not rows:
        return None
    summary = summarize(rows, folder)
    try:
        with writing(folder / LEDGER):
            write_text_atomically(folder / "table.md", markdown(summary))
            write_text_atomically(
                folder / "table.csv", frame(summary).to_csv(index=False, lineterminator="\n")
            )
    except OSError as error:
        raise InputError(f"{folder}: cannot write the tables ({error.strerror or error})") from None
    return summary


def frame(summary: Summary) -> pd.DataFrame:
    """The main table as numbers, empty where there is none."""
    return pd.DataFrame(
        [
            _record(one, rank)
            for ones in summary.measured.values()
            for one, rank in zip(ones, ranks_within(ones), strict=True)
        ]
    )


def _record(one: Measured, rank: float) -> dict[str, object]:
    seeds, both, ensemble = one.over_seeds, one.over_seeds_and_cases, one.ensemble
    reported, best = published(one)
    return {
        "dataset": one.flag,
        "recipe": one.title,
        "seeds": " ".join(map(str, one.seeds)),
        "test_auc": one.mean,
        "sd": one.spread,
        "seeds_low": seeds and seeds.low,
        "seeds_high": seeds and seeds.high,
        "seeds_and_cases_low": both and both.low,
        "seeds_and_cases_high": both and both.high,
        "ensemble_auc": ensemble and ensemble.value,
        "ensemble_low": ensemble and ensemble.low,
        "ensemble_high": ensemble and ensemble.high,
        "val_auc": one.val_mean,
        "epochs": one.epochs,
        "minutes": one.minutes,
        "where": one.where,
        "rank": rank,
        "seed_method_reported": reported,
        "best_from_scratch": best,
    }


def _line(one: Measured, rank: float) -> tuple[str, ...]:
    ensemble = one.ensemble
    return (
        one.flag,
        one.title,
        _seeds(one.seeds),
        f"{one.mean:.3f}",
        _number(one.spread),
        _bounds(one.over_seeds),
        _bounds(one.over_seeds_and_cases),
        "-" if ensemble is None else ensemble.text(),
        f"{one.val_mean:.3f}",
        f"{one.epochs:.0f}",
        f"{one.minutes:.1f}",
        one.where,
        f"{rank:g}",
        *(_reported(value) for value in published(one)),
    )


def _seeds(seeds: Sequence[int]) -> str:
    """Seeds in short.

    >>> _seeds([0, 1, 2, 3, 4]), _seeds([0, 2])
    ('0-4', '0, 2')
    """
    whole = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if whole else ", ".join(map(str, seeds))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _reported(value: float | None) -> str:
    """A published number with the digits that it was published with, two or three.

    >>> _reported(0.8), _reported(0.987), _reported(None)
    ('0.80', '0.987', '-')
    """
    return "-" if value is None else f"{value:.3f}".removesuffix("0")


def _bounds(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def _standing_text(standing: Standing) -> str:
    ranks, sets = standing.ranks, len(standing.flags)
    over = f"Mean rank over {', '.join(standing.flags)}."
    if len(standing.titles) < 3:
        return f"{over} Friedman's test needs three recipes."
    warning = f" With {sets} data sets this test can show little." if sets < _FEW_SETS else ""
    return f"{over} Friedman's test that all are equal: chi-square {ranks.chi2:.2f}, p {p_text(ranks.p)}.{warning}"


def _standing_table(standing: Standing) -> str:
    means = sorted(zip(standing.ranks.mean.tolist(), standing.titles, strict=True))
    return _markdown_table(("recipe", "mean rank"), [(title, f"{mean:.2f}") for mean, title in means])


def _pairs_table(pairs: Sequence[Pair]) -> str:
    titles = ("first", "second", "ensembles [95%]", "p, adjusted", "seeds [95%]", "p, adjusted")
    return _markdown_table(titles, [_pair_line(pair) for pair in pairs])


def _pair_line(pair: Pair) -> tuple[str, ...]:
    ensembles = f"{pair.difference:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]"
    over, seeds = pair.seeds, "-"
    if over is not None:
        seeds = f"{over.difference.value:+.3f} [{over.difference.low:+.3f}, {over.difference.high:+.3f}]"
    adjusted = "-" if pair.seeds_p_holm is None else p_text(pair.seeds_p_holm)
    return pair.first, pair.second, ensembles, p_text(pair.p_holm), seeds, adjusted


def _markdown_table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [titles, ["---"] * len(titles), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
