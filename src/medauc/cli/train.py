"""``medauc train``."""

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import (
    AllowModified,
    DataDir,
    Dataset,
    Device,
    DeviceOption,
    Devices,
    ExecutorName,
    Folds,
    Gpus,
    HashIds,
    Jobs,
    ManifestColumns,
    Members,
    Nodes,
    RecipeSeed,
    RecipeSettings,
    Refit,
    Root,
    Threads,
    ensemble_settings,
    files_settings,
    gpus_for,
)


def train(
    dataset: Dataset,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="'default', 'seed', or a YAML file (a run's recipe.yaml too). Default: 'default', "
            "or the run's own with --resume --out.",
            show_default=False,
        ),
    ] = None,
    settings: RecipeSettings = None,
    seed: RecipeSeed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The run folder. Default: a new one, runs/<dataset>/<recipe>-seed<seed>.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    root: Root = None,
    columns: ManifestColumns = None,
    device: Device = DeviceOption.auto,
    devices: Devices = None,
    nodes: Nodes = None,
    folds: Folds = None,
    members: Members = None,
    refit: Refit = False,
    jobs: Jobs = None,
    executor: ExecutorName = "local",
    threads: Threads = None,
    gpus: Gpus = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the interrupted run in the run folder.")
    ] = False,
    allow_modified: AllowModified = False,
    hash_ids: HashIds = None,
) -> None:
    """Train, restore the best weights by validation AUC, score test once, evaluate and report.

    Shows a bar on a terminal; where standard error is none, prints a line an epoch.
    With --folds or --members several networks are trained that make one model; every verb takes their run folder
    as that of one. With --devices or --nodes, or under torchrun, several processes train one network.
    """
    from medauc.training import ranks

    together = (devices or 1) * (nodes or 1) > 1
    if together and not ranks.several():
        from medauc.training.launch import launch

        launch(devices or 1, nodes or 1, sys.argv[1:], device.value)
        return
    from medauc.errors import InputError
    from medauc.files import require_writable
    from medauc.printing import say
    from medauc.report import write_run_report
    from medauc.training import choose_folder, resolve, summary_lines
    from medauc.training import train as run_training
    from medauc.training.executor import open_executor
    from medauc.training.run_folder import require_usable

    with ranks.joined(device.value):
        ranks.decided(lambda: require_writable(Path("runs")) if out is None else require_usable(out, resume))
        if recipe is None:
            own = out / "recipe.yaml" if out is not None else None
            recipe = str(own) if resume and own is not None and own.exists() else "default"
        load = partial(
            resolve,
            dataset,
            recipe=recipe,
            overrides=[
                *(settings or ()),
                *files_settings(root, columns),
                *ensemble_settings(folds, members, refit),
            ],
            data_dir=data_dir,
            allow_modified=allow_modified,
            hash_ids=hash_ids,
        )
        plan = ranks.in_turns(load)
        chosen_seed = seed if seed is not None else plan.seed or 0
        given = {
            "--jobs": jobs != 1 and jobs,
            "--executor": executor != "local" and executor,
            "--threads": threads,
        }
        apart = {name: value for name, value in (given | {"--gpus": gpus}).items() if value}
        if apart and plan.recipe.ensemble.is_single:
            raise InputError(
                f"{' '.join(apart)}: this recipe trains one network; add --folds or --members, or leave it out"
            )
        if apart and ranks.several():
            raise InputError(
                f"{' '.join(apart)}: with --devices the networks are trained in turn, each by all processes"
            )
        name = plan.recipe_name + plan.recipe.ensemble.suffix
        folder = ranks.decided(lambda: choose_folder(plan.dataset, name, chosen_seed, out, resume))
        was_finished = resume and (folder / "evaluation.json").exists()
        if ranks.is_first():
            say("\n".join([plan.describe(), *plan.dataset.notes]))
        with (
            open_executor(executor, jobs, threads, gpus_for(device, executor, gpus))
            if apart
            else nullcontext()
        ) as trainer:
            run = run_training(
                plan.dataset,
                plan.recipe,
                folder,
                seed=chosen_seed,
                device=device.value,
                resume=resume,
                progress=True,
                executor=trainer,
            )
        if ranks.is_first():
            if was_finished:
                say("this run is finished; its result:")
            write_run_report(run.folder, plan.dataset)
            say("\n".join(summary_lines(run, plan.dataset)))
