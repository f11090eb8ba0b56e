"""``medauc report``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import AllowLeakage, Columns, DataDir, Positive, Source


def report(
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File to write. Default: report.html beside the predictions.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
    columns: Columns = None,
    positive: Positive = None,
    allow_leakage: AllowLeakage = False,
) -> None:
    """Write one self-contained HTML page that opens offline in any browser."""
    from medauc.evaluation import parse_columns
    from medauc.report import report_path

    names = parse_columns(columns or ())
    written = report_path(
        source, out, data_dir, columns=names, positive=positive, allow_leakage=allow_leakage
    )
    typer.echo(f"written: {written}")
