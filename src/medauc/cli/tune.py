"""``medauc tune``."""

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medauc.cli import options
from medauc.printing import say

if TYPE_CHECKING:
    from medauc.search import Limits, Search
    from medauc.training import Plan


class SamplerOption(StrEnum):
    """How trials are chosen."""

    tpe = "tpe"
    random = "random"
    grid = "grid"
    cmaes = "cmaes"
    sweep = "sweep"


class PrunerOption(StrEnum):
    """What ends hopeless trials."""

    halving = "halving"
    median = "median"
    none = "none"


class ObjectiveOption(StrEnum):
    """What is made as high as possible."""

    val = "val"
    kfold = "kfold"


def tune(
    dataset: options.Dataset,
    recipe: options.RecipeName = "default",
    settings: options.RecipeSettings = None,
    space: Annotated[
        Path | None,
        typer.Option(
            "--space",
            metavar="FILE",
            help="What may vary, in YAML: 'optim.lr: {low: 1e-4, high: 1e-1, log: true}', 'loss.margin: [0.5, 1.0]'. "
            "Default: what matters most to the recipe's loss and optimizer.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="Settings to try.", show_default="50; all of a grid or sweep"),
    ] = None,
    sampler: Annotated[
        SamplerOption,
        typer.Option("--sampler", help="How they are chosen; 'sweep' varies one field at a time."),
    ] = SamplerOption.tpe,
    objective: Annotated[
        ObjectiveOption,
        typer.Option(
            "--objective", help="AUC of the validation split, or its mean over folds of train and validation."
        ),
    ] = ObjectiveOption.val,
    folds: Annotated[
        int | None, typer.Option("--folds", min=2, max=20, help="With --objective kfold.", show_default="5")
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Most seeds of the trials that lead; the others have one.")
    ] = 5,
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats",
            min=0,
            max=100,
            help="Fresh splits of train and validation that the winner, and the recipe that the search started from, "
            "are trained on in the end: what the winner is worth.",
        ),
    ] = 5,
    pruner: Annotated[
        PrunerOption, typer.Option("--pruner", help="What ends hopeless trials by their AUC so far.")
    ] = PrunerOption.halving,
    all_trials: Annotated[
        bool,
        typer.Option("--all-trials", help="Do all, even where a further one could gain no more than noise."),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="MINUTES", min=0, help="Begin no further training after this time."
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            metavar="URL",
            help="Database of the trials, as in postgresql://user@host/name. Default: a journal file in the folder.",
            show_default=False,
        ),
    ] = None,
    jobs: options.Jobs = None,
    executor: options.ExecutorName = "local",
    threads: options.Threads = None,
    gpus: options.Gpus = None,
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of the search. Default: tune/<dataset>/<recipe>.", show_default=False
        ),
    ] = None,
    data_dir: options.DataDir = None,
    root: options.Root = None,
    columns: options.ManifestColumns = None,
    device: options.Device = options.DeviceOption.auto,
    allow_modified: options.AllowModified = False,
    hash_ids: options.HashIds = None,
) -> None:
    """Search for a better recipe by validation AUC; test is never looked at.

    The same command goes on where it was stopped; given twice at a time, both share the work.
    """
    from medauc.errors import InputError
    from medauc.files import require_writable
    from medauc.search import (
        DatabaseAway,
        Definition,
        Limits,
        Stopped,
        default_space,
        open_search,
        read_space,
        without_password,
    )
    from medauc.training import resolve

    if folds is not None and objective == "val":
        raise InputError(f"--folds {folds}: the objective is the validation split; add --objective kfold")
    if timeout == 0:
        raise InputError(
            "--timeout 0: no training would begin; give the minutes that there are, or leave it out"
        )
    require_writable(out or Path("tune"))
    plan = resolve(
        dataset,
        recipe=recipe,
        overrides=[*(settings or ()), *options.files_settings(root, columns)],
        data_dir=data_dir,
        allow_modified=allow_modified,
        hash_ids=hash_ids,
    )
    definition = Definition(
        dataset=dataset,
        data_md5=plan.dataset.md5,
        asked=read_space(space, plan.recipe) if space is not None else default_space(plan.recipe),
        sampler=sampler.value,
        pruner=pruner.value,
        objective=objective.value,
        folds=None if objective == "val" else folds or 5,
        seed=seed,
        storage=without_password(storage),
    )
    limits = Limits(
        trials or (len(definition.listed) if definition.is_listed else 50),
        seeds,
        timeout,
        not all_trials,
        repeats,
    )
    opened = open_search(
        plan,
        definition,
        out or Path("tune") / plan.dataset.name / plan.recipe_name,
        url=storage,
        data_dir=data_dir,
        device=device.value,
        allow_modified=allow_modified,
        hash_ids=hash_ids,
    )
    say("\n".join([plan.describe(), *plan.dataset.notes, opened.describe(limits)]))
    stopped = None
    with opened as search:
        try:
            _run(search, limits, executor, jobs, threads, options.gpus_for(device, executor, gpus))
        except DatabaseAway:
            raise
        except Stopped as error:  # what is finished is shown first
            stopped = error
        _finish(search, plan)
    if stopped is not None:
        raise stopped


def _run(
    search: "Search",
    limits: "Limits",
    executor: str,
    jobs: int | None,
    threads: int | None,
    gpus: float | None,
) -> None:
    from rich.console import Console

    from medauc.search.progress import SearchProgress, outcome_line
    from medauc.training.executor import open_executor

    console = Console(stderr=True)
    with (
        open_executor(executor, jobs, threads, gpus) as trainer,
        SearchProgress(search, trainer.jobs, console) if console.is_terminal else nullcontext(),
    ):
        search.run(
            trainer,
            limits,
            lambda job, result, given_up: say(outcome_line(search, job, result, given_up)),
        )


def _finish(search: "Search", plan: "Plan") -> None:
    """Write what is known and say what it is worth, and what to type next."""
    from medauc.report import write_search_page
    from medauc.search import write_result
    from medauc.search.space import text_of

    found = write_result(search)
    folder = search.place.folder
    with search.deciding():  # who begins meanwhile takes half a page for a dead process's
        write_search_page(folder.page, found)
    say(
        found.counts + (f"; stopped {found.ending}" if found.ending and len(found.rows) < search.most else "")
    )
    if search.elsewhere:
        say(f"{search.elsewhere} trainings go on in other processes, whose end will write the result anew")
    if found.winner is None:
        say("no trial is complete yet: there is no best recipe")
        return
    seeds = f"{len(found.winner.seeds)} seeds" if len(found.winner.seeds) > 1 else "1 seed"
    say(f"best: trial {found.winner.index} ({seeds}): {text_of(found.winner.values)}")
    say("\n".join(found.winner.lines))
    say(f"{folder.page} has plots, {folder.table} every trial; train the best, and score test once, with:")
    salt = "" if plan.dataset.salt is None else " --hash-ids SALT"
    say(f"medauc train {plan.dataset.typed} --recipe {folder.best}{salt}")
