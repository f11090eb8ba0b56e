"""Running a grid: what is open is trained, what is finished becomes rows of the ledger."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medauc.benchmark.finished import row_of
from medauc.benchmark.grid import Cell, Grid
from medauc.benchmark.ledger import LEDGER, Row, add_rows, read_ledger
from medauc.benchmark.version import code_version
from medauc.training.elapsed import duration, epochs_of
from medauc.training.executor import Executor
from medauc.training.unit import Outcome, Unit

if TYPE_CHECKING:
    from medauc.training.fit import Device  # its module imports torch


class Stopped(Exception):
    """Ctrl-C: the grid can be continued by the same command."""


class CellsFailed(Exception):
    """Some trainings of a grid failed; the others are finished."""


@dataclass(frozen=True)
class RunSettings:
    """What holds for every cell.

    Attributes:
        data_dir: folder of the catalog's files.
        device: "auto", "cpu" or "cuda".
        allow_modified: accept data files whose MD5 is not the published one.
        budget_minutes: after this time no further cell is begun; None has no end.
    """

    data_dir: Path | None = None
    device: "Device" = "auto"
    allow_modified: bool = False
    budget_minutes: float | None = None


@dataclass(frozen=True)
class Begun:
    """When a cell was begun, in seconds of ``time.monotonic``, and the epochs that its folder had by then."""

    at: float
    epochs: int


@dataclass
class GridRun:
    """A grid while it runs, for whoever shows it.

    Attributes:
        grid: the grid.
        running: cells that are being trained.
        finished: cells that are done, those of earlier times too.
        seconds: how long each cell of this time took.
        failed: the error of each cell that failed.
    """

    grid: Grid
    running: dict[Cell, Begun] = field(default_factory=dict)
    finished: list[Cell] = field(default_factory=list)
    seconds: dict[Cell, float] = field(default_factory=dict)
    failed: dict[Cell, str] = field(default_factory=dict)

    @property
    def open(self) -> list[Cell]:
        """Cells that are neither finished nor failed."""
        done = {cell.folder for cell in (*self.finished, *self.failed)}
        return [cell for cell in self.grid.cells if cell.folder not in done]

    def line(self, cell: Cell, row: Row | None) -> str:
        """What to print when a cell ends."""
        count = f"[{len(self.finished) + len(self.failed)}/{len(self.grid.cells)}] {cell.title}"
        if row is None:
            return f"{count}: failed: {self.failed[cell]}"
        spent = duration(self.seconds[cell])
        return f"{count}: test AUC {row.test_auc:.3f}, validation {row.val_auc:.3f}, {spent}"

    def require_complete(self) -> None:
        """Say what went wrong, and that is an error.

        Raises:
            CellsFailed: a training failed.
        """
        if self.failed:
            cell, error = next(iter(self.failed.items()))
            count = f"{len(self.failed)} of {len(self.grid.cells)} trainings failed"
            raise CellsFailed(f"{count}, {cell.title} for one: {error}; the same command tries them again")


def run_grid(
    run: GridRun,
    executor: Executor,
    settings: RunSettings,
    tell: Callable[[Cell, Row | None], None] = lambda cell, row: None,
) -> None:
    """Train all open cells; every finished one has its row in the ledger when this returns, or raises.

    Args:
        run: the grid and its state, which changes meanwhile.
        executor: trains.
        settings: what holds for every cell.
        tell: called for each cell that ends, with its row unless it failed.

    Raises:
        Stopped: Ctrl-C.
        InputError: the ledger cannot be read or written.
    """
    ledger, commit = run.grid.out / LEDGER, code_version()
    _take_finished(run, ledger, commit)
    outcomes = executor.run(_units(run, settings))
    try:
        for outcome in outcomes:
            cell = next(cell for cell in run.running if cell.folder == outcome.unit.folder)
            del run.running[cell]
            run.seconds[cell] = outcome.seconds
            if outcome.error is None:
                row = _row(cell, run.grid.out, commit, outcome)
                add_rows(ledger, [row])
                run.finished.append(cell)
                tell(cell, row)
            else:
                run.failed[cell] = outcome.error
                tell(cell, None)
    except KeyboardInterrupt:
        count = f"{len(run.finished)} of {len(run.grid.cells)} trainings are finished"
        raise Stopped(
            f"interrupted: {count}; the same command continues the others from their last epoch"
        ) from None
    finally:
        run.running.clear()


def _take_finished(run: GridRun, ledger: Path, commit: str) -> None:
    """Cells that were finished before; one whose row was lost to a crash gets it."""
    known = {row.predictions for row in read_ledger(ledger)}
    for cell in run.grid.cells:
        if cell.is_finished:
            run.finished.append(cell)
            if _predictions(cell, run.grid.out) not in known:
                add_rows(ledger, [_row(cell, run.grid.out, commit)])


def _units(run: GridRun, settings: RunSettings) -> Iterator[Unit]:
    """Open cells, one when there is a place for it, until the budget is used up."""
    start = time.monotonic()
    for cell in run.open:
        if settings.budget_minutes is not None and time.monotonic() - start >= 60 * settings.budget_minutes:
            return
        run.running[cell] = Begun(time.monotonic(), epochs_of(cell.folder))
        yield Unit(
            cell.folder,
            cell.dataset,
            cell.recipe,
            cell.seed,
            settings.data_dir,
            settings.device,
            settings.allow_modified,
            hash_ids=run.grid.hash_ids,
        )


def _row(cell: Cell, out: Path, commit: str, outcome: Outcome | None = None) -> Row:
    whole = outcome is not None and not outcome.resumed
    return row_of(
        cell.folder,
        name=cell.name,
        commit=commit,
        predictions=_predictions(cell, out),
        wall_seconds=outcome.seconds if outcome is not None and whole else None,
        peak_mib=outcome.peak_mib if outcome is not None and whole else None,
    )


def _predictions(cell: Cell, out: Path) -> str:
    return (cell.folder / "predictions.csv").relative_to(out).as_posix()
