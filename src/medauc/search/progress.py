"""A search's progress on a terminal: trials done, the best so far, what is trained at what epoch, the time left."""

import statistics
import time

from rich.console import Console, Group, RenderableType
from rich.table import Table

from medauc.search.book import Seed
from medauc.search.job import Job
from medauc.search.run import Search
from medauc.search.space import text_of
from medauc.training.elapsed import clock, duration, epochs_of
from medauc.training.live import LiveProgress


class SearchProgress(LiveProgress):
    """Draws a :class:`~medauc.search.run.Search`."""

    def __init__(self, search: Search, jobs: int, console: Console) -> None:
        super().__init__("tune", console)
        self.search = search
        self.jobs = jobs

    def draw(self) -> RenderableType:
        """The bar over all trials, and a line for each training."""
        search = self.search
        done = sum(trial.state != "running" for trial in search.known)
        left = time_left(search, self.jobs)
        best = max((statistics.fmean(trial.aucs) for trial in search.known if trial.aucs), default=None)
        text = "" if best is None else f"best AUC {best:.3f}"
        line = self.bar(done, search.most, "trials, further seeds and fresh splits aside", left, text)
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
