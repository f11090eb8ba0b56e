"""The repository's own ledger: every training that was ever finished for it, and the tables made from them.

    medauc benchmark breastmnist adrenalmnist3d --recipe default --seeds 5 --out runs/grid      train
    python benchmarks/accuracy.py add runs/grid        its trainings go into results/, with their scores and recipes
    python benchmarks/accuracy.py add runs/breastmnist/default-seed0        so does a run made by hand
    python benchmarks/accuracy.py tables               write results/accuracy.md and the table in README.md

A row of ``results/ledger.csv`` is one finished training, good or bad. README shows the recipes that ship, single or as
ensembles of folds; ``results/accuracy.md`` all of them, at every size, with paired tests against
the one that ships.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from medauc.benchmark import (
    LEDGER,
    Measured,
    Summary,
    archive,
    code_version,
    current_title,
    main_table,
    markdown,
    read_ledger,
    row_of,
    summarize,
)
from medauc.data import CATALOG
from medauc.training.plan import FAMILIES

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
SHIPPED = "default"
START, END = "<!-- results: made by benchmarks/accuracy.py tables -->", "<!-- end of results -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("add", help="run folders, or folders of medauc benchmark")
    add.add_argument("sources", nargs="+", type=Path)
    add.add_argument("--commit", help="the code that single runs were trained with; default: this one")
    verbs.add_parser("tables")
    options = parser.parse_args()
    if options.verb == "add":
        for source in options.sources:
            print(f"{source}: {len(add_to_results(source, options.commit))} trainings added")
    write_tables()


def add_to_results(source: Path, commit: str | None) -> list[object]:
    """Take in a run folder, or all rows of a benchmark's ledger."""
    if (source / LEDGER).exists():
        return list(archive(read_ledger(source / LEDGER), source, RESULTS))
    row = row_of(source, commit=commit or code_version(), predictions="predictions.csv")
    return list(archive([row], source, RESULTS))


def write_tables() -> None:
    rows = read_ledger(RESULTS / LEDGER)
    summary = summarize(rows, RESULTS, lambda row: current_title(row, RESULTS), against=SHIPPED)
    made = "Made from `ledger.csv` by `python benchmarks/accuracy.py tables`; `recipes/` and `scores/` hold the rest."
    (RESULTS / "accuracy.md").write_text(markdown(summary).replace("\n\n", f"\n\n{made}\n\n", 1))
    readme = REPOSITORY / "README.md"
    text = readme.read_text()
    if START in text:
        before, rest = text.split(START)
        readme.write_text(f"{before}{START}\n{main_table(shipped_only(summary))}\n{END}{rest.split(END)[1]}")


def shipped_only(summary: Summary) -> Summary:
    """The rows of recipes as they ship."""
    kept = {flag: [one for one in ones if is_shipped(one)] for flag, ones in summary.measured.items()}
    measured = {flag: ones for flag, ones in kept.items() if ones}
    names = {ones[0].rows[0].dataset for ones in measured.values()}
    return replace(
        summary, measured=measured, not_measured=tuple(name for name in CATALOG if name not in names)
    )


def is_shipped(one: Measured) -> bool:
    """Whether nothing was changed but how many networks make the model."""
    family, *changes = one.title.split(" ")
    return family in FAMILIES and all(change.startswith("ensemble.") for change in changes)


if __name__ == "__main__":
    main()
