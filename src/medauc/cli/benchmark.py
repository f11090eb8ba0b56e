"""``medauc benchmark``."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medauc.cli import options
from medauc.printing import say, show

if TYPE_CHECKING:
    from medauc.benchmark import Measured, Summary

_SHOWN = {  # heading on the terminal: that of the table
    "seeds": "seeds",
    "test AUC": "test AUC",
    "SD": "SD",
    "95%": "95% seeds and cases",
    "ensemble": "ensemble [95%]",
    "minutes": "minutes",
    "rank": "rank",
}


def benchmark(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET]...",
            help="Names of `medauc datasets`, or paths of .npz files. Default: all whose file is at hand.",
            show_default=False,
        ),
    ] = None,
    recipes: options.RecipeNames = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each: seeds 0, 1, ...")] = 5,
    settings: options.RecipeSettings = None,
    variations: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY.PATH=A,B",
            help="Make one recipe of each value; twice: of each combination.",
        ),
    ] = None,
    jobs: options.Jobs = None,
    executor: options.ExecutorName = "local",
    threads: options.Threads = None,
    gpus: options.Gpus = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of all runs, the ledger and the tables.")] = Path(
        "benchmark"
    ),
    budget: Annotated[
        float | None,
        typer.Option("--budget", metavar="MINUTES", min=0, help="Begin no further training after this time."),
    ] = None,
    data_dir: options.DataDir = None,
    device: options.Device = options.DeviceOption.auto,
    allow_modified: options.AllowModified = False,
    hash_ids: options.HashIds = None,
) -> None:
    """Train data sets x recipes x seeds and compare; the same command goes on where it was stopped."""
    from rich.console import Console

    from medauc.benchmark import (
        GridRun,
        RunSettings,
        Stopped,
        build_grid,
        contenders,
        run_grid,
        write_summary,
    )
    from medauc.benchmark.progress import GridProgress
    from medauc.training.executor import open_executor

    compared = contenders(recipes or ["default"], settings or [], variations or [])
    grid = build_grid(datasets or [], compared, seeds, out, data_dir=data_dir, hash_ids=hash_ids)
    run, console, stopped = GridRun(grid), Console(stderr=True), None
    say(grid.describe())
    chosen = RunSettings(data_dir, device.value, allow_modified, budget)
    with (
        open_executor(executor, jobs, threads, options.gpus_for(device, executor, gpus)) as trainer,
        GridProgress(run, trainer.jobs, console) if console.is_terminal else nullcontext(),
    ):
        try:
            run_grid(run, trainer, chosen, lambda cell, row: say(run.line(cell, row)))
        except Stopped as error:  # what is finished is shown first
            stopped = error
    summary = write_summary(out)
    if summary is not None:
        _show(summary)
        say(f"{out / 'table.md'} has the paired tests too, {out / 'ledger.csv'} every training")
    if stopped is not None:
        raise stopped
    run.require_complete()


def _show(summary: "Summary") -> None:
    """Print the columns that fit a terminal, a table for each data set."""
    from rich.box import SIMPLE
    from rich.table import Table

    from medauc.benchmark import TITLES, cells

    lines = cells(summary)
    for flag, ones in summary.measured.items():
        table = Table(
            "recipe", title=f"{flag}{_best(ones[0])}", box=SIMPLE, pad_edge=False, title_justify="left"
        )
        table.padding = (0, 1, 0, 0)
        table.add_column("recipe", overflow="fold")
        for heading in _SHOWN:
            table.add_column(heading, no_wrap=True)
        for line in (line for line in lines if line[0] == flag):
            found = dict(zip(TITLES, line, strict=True))
            ensemble = found["ensemble [95%]"].partition(" ")[0]
            shown = found | {"ensemble [95%]": ensemble}
            table.add_row(found["recipe"], *(shown[title] for title in _SHOWN.values()))
        show(table)


def _best(one: "Measured") -> str:
    from medauc.benchmark import published

    best = published(one)[1]
    return "" if best is None else f": best published from scratch {best:.3f}"
