"""``medauc evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import (
    AllowLeakage,
    CalibrationMethod,
    Columns,
    CostRatio,
    Level,
    Positive,
    Prevalence,
    Source,
    Subgroups,
    settings_changes,
)


def evaluate(
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File to write. Default: evaluation.json beside the predictions.",
            show_default=False,
        ),
    ] = None,
    level: Level = None,
    prevalence: Prevalence = None,
    cost_ratio: CostRatio = None,
    calibration: CalibrationMethod = None,
    subgroups: Subgroups = None,
    columns: Columns = None,
    positive: Positive = None,
    allow_leakage: AllowLeakage = False,
) -> None:
    """Compute every figure with its interval; print the main ones and write evaluation.json."""
    from medauc.evaluation import parse_columns, summary_lines
    from medauc.training import evaluate_path

    _, evaluation = evaluate_path(
        source,
        settings_changes(level, prevalence, cost_ratio, calibration, subgroups),
        columns=parse_columns(columns or ()),
        positive=positive,
        allow_leakage=allow_leakage,
    )
    target = out or (source if source.is_dir() else source.parent) / "evaluation.json"
    evaluation.write(target)
    typer.echo("\n".join([*summary_lines(evaluation), f"written: {target}"]))
