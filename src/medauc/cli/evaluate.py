"""``medauc evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import (
    AllowLeakage,
    CalibrationMethod,
    Columns,
    CostRatio,
    HashIds,
    Level,
    Positive,
    Prevalence,
    Sources,
    Subgroups,
    settings_changes,
)
from medauc.printing import say


def evaluate(
    sources: Sources,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File to write; wanted for several runs. Default: evaluation.json beside the predictions.",
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
    hash_ids: HashIds = None,
) -> None:
    """Compute every figure with its interval; print the main ones and write evaluation.json.

    Several runs of the same data (training seeds) are evaluated as one model, the mean of their standardised
    scores, which go to <out>_predictions.csv; the mean and spread of the single runs stand beside it.
    """
    from medauc.errors import InputError
    from medauc.evaluation import ReadOptions, parse_columns, summary_lines
    from medauc.training import evaluate_path, evaluate_paths

    changes = settings_changes(level, prevalence, cost_ratio, calibration, subgroups)
    options = ReadOptions(
        columns=parse_columns(columns or ()), positive=positive, allow_leakage=allow_leakage
    )
    written = []
    if len(sources) == 1:
        _, evaluation = evaluate_path(sources[0], changes, hash_ids=hash_ids, **options)
        target = out or (sources[0] if sources[0].is_dir() else sources[0].parent) / "evaluation.json"
    elif out is None:
        raise InputError("evaluate: several runs need --out, the file to write")
    else:
        ensemble, evaluation = evaluate_paths(sources, changes, hash_ids=hash_ids, **options)
        target, scores = out, out.with_name(f"{out.stem}_predictions.csv")
        ensemble.write(scores)
        written.append(f"written: {scores}")
    evaluation.write(target)
    say("\n".join([*summary_lines(evaluation), *written, f"written: {target}"]))
