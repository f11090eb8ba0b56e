"""The table on its way to a file or a terminal, written as it comes, and what is told about it."""

import io
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from medauc.errors import InputError
from medauc.files import atomic_path


@dataclass
class Tally:
    """Counts rows, and measures the time from its making.

    Attributes:
        rows: samples so far.
        scored: those that have a score.
        warned: those of them with a warning.
        first_error: the first error, with its path or id.
    """

    rows: int = 0
    scored: int = 0
    warned: int = 0
    first_error: str | None = None
    _start: float = field(default_factory=time.perf_counter)

    def add(self, table: pd.DataFrame) -> None:
        """Count a batch."""
        failed = table["error"] != ""
        self.rows += len(table)
        self.scored += int((~failed).sum())
        self.warned += int((table["warnings"] != "").sum())
        if self.first_error is None and failed.any():
            first = table[failed].iloc[0]
            self.first_error = f"{first['path'] or first['id']}: {first['error']}"

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.rows / max(time.perf_counter() - self._start, 1e-9)

    def text(self) -> str:
        """Say it in a line.

        >>> tally = Tally()
        >>> tally.add(pd.DataFrame({"path": ["a", "b"], "warnings": ["dark", ""], "error": ["", "is no image"]}))
        >>> tally.text()
        'scored 1 of 2 (... a second), 1 with warnings, 1 with errors'
        """
        failed = self.rows - self.scored
        parts = [f"scored {self.scored} of {self.rows} ({self.rate:.3g} a second)"]
        parts += [f"{self.warned} with warnings"] if self.warned else []
        parts += [f"{failed} with errors"] if failed else []
        return ", ".join(parts)


def write_table(tables: Iterable[pd.DataFrame], out: Path | None) -> None:
    """Write batches as one CSV, each as it comes.

    Args:
        tables: with equal columns.
        out: the file, which appears when all is written; None is standard output.

    Raises:
        InputError: the file cannot be written.
    """
    if out is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # as in the file
        _write(tables, sys.stdout)
        return
    if not out.parent.is_dir():
        raise InputError(f"{out} cannot be written: there is no folder {out.parent}")
    with atomic_path(out) as temporary, _opened(temporary, out) as file:
        _write(tables, file)


def _write(tables: Iterable[pd.DataFrame], file: IO[str]) -> None:
    for number, table in enumerate(tables):
        table.to_csv(file, index=False, header=number == 0, lineterminator="\n")


@contextmanager
def _opened(path: Path, out: Path) -> Iterator[IO[str]]:
    try:
        file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from None
    with file:
        yield file


def counted(tables: Iterable[pd.DataFrame], tally: Tally, total: int) -> Iterator[pd.DataFrame]:
    """Pass batches on, counted; on a terminal a bar shows samples a second and the time left."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("[bold]predicting[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left about"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total, rate="")
        for table in tables:
            tally.add(table)
            progress.update(task, completed=tally.rows, rate=f"{tally.rate:.3g} images/s")
            yield table
