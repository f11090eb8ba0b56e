"""Many trainings on a terminal: a bar over all, drawn anew twice a second, and a line for each that runs."""

import sys
import time
from abc import ABC, abstractmethod
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from medauc.training.elapsed import clock


class LiveProgress(ABC):
    """A context in which :meth:`draw` is shown at the foot of the terminal.

    Args:
        title: of the bar.
        console: where to draw.
    """

    def __init__(self, title: str, console: Console) -> None:
        self._title, self._console = title, console
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live = Live(  # it draws at once
            console=self._console,
            get_renderable=self.draw,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a file gets its lines itself
        )
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back."""
        self._live.stop()

    @abstractmethod
    def draw(self) -> RenderableType:
        """What is shown now."""

    def bar(self, done: int, total: int, what: str, left: float | None, *more: str) -> Table:
        """The line over all trainings.

        Args:
            done: so many are.
            total: of so many.
            what: they are.
            left: seconds; None where nothing can be said.
            *more: texts behind the counts.
        """
        line = Table.grid(padding=(0, 2))
        line.add_row(
            Text(self._title, style="bold"),
            ProgressBar(total=max(total, 1), completed=done, width=30),
            f"{done}/{total} {what}",
            *more,
            clock(time.monotonic() - self._start),
            "left: not known yet" if left is None else f"left about {clock(left)}",
        )
        return line
