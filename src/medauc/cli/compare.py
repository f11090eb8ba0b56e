"""``medauc compare``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import AllowLeakage, Columns, HashIds, Positive
from medauc.printing import say


def compare(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B [C...]", help="Run folders or tables of scores of the same samples, in any order."
        ),
    ],
    split: Annotated[
        str, typer.Option("--split", help="The split to compare on: test, val or train.")
    ] = "test",
    common: Annotated[
        bool, typer.Option("--common", help="Compare the ids that all have, where some lack some.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="AUROC",
            help="Largest loss of AUROC that does not matter (0.02): tells non-inferiority to the model before.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="File to write every figure to.")] = Path(
        "comparison.json"
    ),
    cases: Annotated[
        Path | None,
        typer.Option(
            "--cases",
            metavar="FILE.CSV",
            help="File for the cases on which models disagree. Default: <out>_cases.csv.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE.HTML", help="Also write one self-contained page.", show_default=False
        ),
    ] = None,
    columns: Columns = None,
    positive: Positive = None,
    allow_leakage: AllowLeakage = False,
    hash_ids: HashIds = None,
) -> None:
    """Compare models on the same samples, aligned by id: paired tests, intervals, cases of disagreement."""
    from medauc.evaluation import align, comparison_lines, disagreements, parse_columns, write_table
    from medauc.evaluation import compare as compare_models
    from medauc.training import read_sources

    names = parse_columns(columns or ())
    tables = read_sources(
        sources, hash_ids=hash_ids, columns=names, positive=positive, allow_leakage=allow_leakage
    )
    aligned = align(tables, split, common=common)
    comparison = compare_models(aligned, margin=margin)
    differing = disagreements(aligned, comparison)
    listed = cases or out.with_name(f"{out.stem}_cases.csv")
    comparison.write(out)
    write_table(differing, listed)
    written = [f"written: {out}", f"written: {listed} ({len(differing)} cases)"]
    if report is not None:
        from medauc.report import write_comparison_report

        write_comparison_report(report, comparison, aligned, differing)
        written.append(f"written: {report}")
    say("\n".join([*comparison_lines(comparison), *written]))
