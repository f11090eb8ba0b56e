"""A search's progress on a terminal: trials done, the best so far, what is trained at what epoch, the time left."""

import statistics
import sys
import time
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from medauc.search.book import Seed
from medauc.search.job import Job
from medauc.search.run import Search
from medauc.search.space import text_of
from medauc.training.elapsed import clock, duration, epochs_of


class SearchProgress:
    """Draws a :class:`~medauc.search.run.Search` anew twice a second."""

    def __init__(self, search: Search, jobs: int, console: Console) -> None:
        self.search = search
        self.jobs = jobs
        self._start = time.monotonic()
        self._live = Live(
            console=console,
            get_renderable=self.draw,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a file gets its lines itself
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back."""
        self._live.stop()

    def draw(self) -> RenderableType:
        """The bar over all trials, and a line for each training."""
        search = self.search
        done = sum(trial.state != "running" for trial in search.known)
        left = time_left(search, self.jobs)
        best = max((statistics.fmean(trial.aucs) for trial in search.known if trial.aucs), default=None)
        line = Table.grid(padding=(0, 2))
        line.add_row(
            Text("tune", style="bold"),
            ProgressBar(total=max(search.most, 1), completed=done, width=30),
            f"{done}/{search.most} trials",
            "" if best is None else f"best AUC {best:.3f}",
            clock(time.monotonic() - self._start),
            "left: not known yet"
            if left is None
            else f"left about {clock(left)}, further seeds and fresh splits aside",
        )
        running = Table.grid(padding=(0, 2))
        for folder, job in list(search.running.items()):
            epochs = f"epoch {epochs_of(folder)} of at most {search.place.definition.epochs}"
            running.add_row("", _title(job), epochs, clock(time.monotonic() - job.begun))
        return Group(line, running)


def time_left(search: Search, jobs: int) -> float | None:
    """Seconds until all trials are done, if they take as long as those so far; None before one has ended.

    Args:
        search: the search.
        jobs: trainings at a time.
    """
    if not search.seconds:
        return None
    open_ = search.most - sum(trial.state != "running" for trial in search.known)
    return max(0, open_) * statistics.fmean(search.seconds) / jobs


def outcome_line(search: Search, job: Job, result: Seed, given_up: bool) -> str:
    """What to print when a seed of a trial ends."""
    done = sum(trial.state != "running" for trial in search.known)
    values = text_of(job.trial.values) if job.is_first else ""
    head = f"[{done}/{search.most}] {_title(job)}"
    spent = duration(result.seconds)
    if result.error is not None:
        return f"{head}: failed: {result.error}"
    if given_up:
        return f"{head}: given up after {result.epochs} epochs, {spent}: {values}"
    return f"{head}: AUC {result.auc:.3f}, {spent}" + (f": {values}" if values else "")


def _title(job: Job) -> str:
    part = "" if job.is_first else f", fresh split {job.seed}" if job.fresh else f", seed {job.seed}"
    return f"trial {job.trial.index}{part}"
