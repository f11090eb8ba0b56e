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
    HashIds,
    Level,
    Positive,
    Prevalence,
    Sources,
    Subgroups,
    settings_changes,
)
from medauc.printing import say


def report(
    sources: Sources,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File to write; wanted for several runs. Default: report.html beside the predictions.",
            show_default=False,
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
    hash_ids: HashIds = None,
) -> None:
    """Write one self-contained HTML page that opens offline in any browser, and a model card beside it.

    Several runs of the same data (training seeds) are shown as one model, the mean of their standardised scores.
    """
    from medauc.errors import InputError
    from medauc.evaluation import ReadOptions, parse_columns
    from medauc.report import card_of, report_path, report_runs

    changes = settings_changes(level, prevalence, cost_ratio, calibration, subgroups)
    options = ReadOptions(
        columns=parse_columns(columns or ()), positive=positive, allow_leakage=allow_leakage
    )
    if len(sources) == 1:
        written = report_path(sources[0], out, data_dir, changes, hash_ids=hash_ids, **options)
    elif out is None:
        raise InputError("report: several runs need --out, the file to write")
    else:
        written = report_runs(sources, out, changes, hash_ids=hash_ids, **options)
    say(f"written: {written}\nwritten: {card_of(written)}")
