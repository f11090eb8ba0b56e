"""``medauc evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import Source


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
) -> None:
    """Compute every figure with its interval; print the main ones and write evaluation.json."""
    from medauc.evaluation import summary_lines
    from medauc.training import evaluate_path

    _, evaluation = evaluate_path(source)
    target = out or (source if source.is_dir() else source.parent) / "evaluation.json"
    evaluation.write(target)
    typer.echo("\n".join([*summary_lines(evaluation), f"written: {target}"]))
