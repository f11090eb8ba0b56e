"""Showing how far a long preparation is, with rate and time left, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ShowProgress = Callable[[str, int, int], None]  # what is done, how many of it, of how many


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


@contextmanager
def shown(progress: ShowProgress | None) -> Iterator[ShowProgress]:
    """Give the caller's own display, or a bar on standard error where that is a terminal."""
    if progress is not None:
        yield progress
    elif not sys.stderr.isatty():
        yield silent
    else:
        with _bar() as bar:
            yield bar


@contextmanager
def _bar() -> Iterator[ShowProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("[bold]{task.description}[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = display.add_task(stage, total=total, rate="")
            task = tasks[stage]
            display.update(task, completed=done)
            speed = next(one.speed for one in display.tasks if one.id == task)
            display.update(task, rate=f"{speed:.0f} images/s" if speed else "")

        yield show
