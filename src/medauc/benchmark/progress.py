"""A grid's progress on a terminal: how many cells are done, which are at what epoch, and the time left."""

import time

from rich.console import Console, Group, RenderableType
from rich.table import Table

from medauc.benchmark.run import GridRun
from medauc.training.elapsed import clock, epochs_of
from medauc.training.live import LiveProgress
from medauc.training.recipe import Recipe


class GridProgress(LiveProgress):
    """Draws a :class:`GridRun`, from the files that the trainings write."""

    def __init__(self, run: GridRun, jobs: int, console: Console) -> None:
        super().__init__("benchmark", console)
        self.run = run
        self.jobs = jobs

    def draw(self) -> RenderableType:
        """The bar over all cells, and a line for each that runs."""
        run = self.run
        done = len(run.finished) + len(run.failed)
        line = self.bar(done, len(run.grid.cells), "trainings", time_left(run, self.jobs))
        cells = Table.grid(padding=(0, 2))
        for cell, begun in list(run.running.items()):
            epochs = f"{epochs_of(cell.folder)} epochs of at most {most_epochs(cell.recipe)}"
            cells.add_row("", cell.title, epochs, clock(time.monotonic() - begun.at))
        return Group(line, cells)


def time_left(run: GridRun, jobs: int, now: float | None = None) -> float | None:
    """Seconds until all cells are done; None before anything can be said.

    A cell takes as long as others of its data set and recipe did; else what its own epochs so far foretell; else the
    mean of all that are known.

    Args:
        run: the grid.
        jobs: cells at a time.
        now: in seconds of ``time.monotonic``.
    """
    now = time.monotonic() if now is None else now
    known: dict[tuple[str, str], list[float]] = {}
    for cell, seconds in list(run.seconds.items()):
        if cell not in run.failed:
            known.setdefault((cell.flag, cell.name), []).append(seconds)
    running = list(run.running.items())
    for cell, begun in running:
        epochs, kind = epochs_of(cell.folder) - begun.epochs, (cell.flag, cell.name)
        if epochs > 0 and kind not in known:
            known[kind] = [(now - begun.at) / epochs * most_epochs(cell.recipe)]
    if not known:
        return None
    means = {kind: sum(found) / len(found) for kind, found in known.items()}
    overall = sum(means.values()) / len(means)
    spent = {cell: now - begun.at for cell, begun in running}
    work = [max(0.0, means.get((cell.flag, cell.name), overall) - spent.get(cell, 0.0)) for cell in run.open]
    return max([sum(work) / jobs, *work], default=0.0)


def most_epochs(recipe: Recipe) -> int:
    """Epochs of all networks that a recipe trains, if none stops early.

    >>> most_epochs(Recipe.model_validate({"training": {"max_epochs": 10}, "ensemble": {"folds": 5, "members": 2}}))
    100
    """
    ensemble = recipe.ensemble
    networks = (ensemble.folds or 1) * ensemble.members + (ensemble.members if ensemble.refit else 0)
    return networks * recipe.training.max_epochs
