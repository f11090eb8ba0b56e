"""``medauc report``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import (
    AllowLeakage,
    CalibrationMethod,
    Columns,
    CostRatio,
    DataDir,
    Level,
    Positive,
    Prevalence,
    Source,
    Subgroups,
    settings_changes,
)


def report(
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File to write. Default: report.html beside the predictions.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
    level: Level = None,
    prevalence: Prevalence = None,
    cost_ratio: CostRatio = None,
    calibration: CalibrationMethod = None,
    subgroups: Subgroups = None,
    columns: Columns = None,
    positive: Positive = None,
    allow_leakage: AllowLeakage = False,
) -> None:
    """Write one self-contained HTML page that opens offline in any browser, and a model card beside it."""
    from medauc.evaluation import parse_columns
    from medauc.report import card_of, report_path

    written = report_path(
        source,
        out,
        data_dir,
        settings_changes(level, prevalence, cost_ratio, calibration, subgroups),
        columns=parse_columns(columns or ()),
        positive=positive,
        allow_leakage=allow_leakage,
    )
    typer.echo(f"written: {written}\nwritten: {card_of(written)}")
