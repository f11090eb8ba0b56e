"""``medauc report``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import DataDir, Source


def report(
    source: Source,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File to write. Default: report.html beside the predictions.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write one self-contained HTML page that opens offline in any browser."""
    from medauc.report import report_path

    written = report_path(source, out, data_dir)
    typer.echo(f"written: {written}")
