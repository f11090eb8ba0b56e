"""``medauc train``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import AllowModified, DataDir, Device, DeviceOption


def train(
    dataset: Annotated[
        str, typer.Argument(help="A name of `medauc datasets`, or the path of an .npz with MedMNIST's keys.")
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="'default', 'seed', or a YAML file (a run's recipe.yaml too). Default: 'default', "
            "or the run's own with --resume --out.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY.PATH=VALUE", help="Change one value of the recipe; may be repeated."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            max=2**32 - 1,
            help="Decides all randomness. Default: 0, or that of a run's recipe.yaml.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="The run folder. Default: a new one, runs/<dataset>/<recipe>-seed<seed>.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    device: Device = DeviceOption.auto,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the interrupted run in the run folder.")
    ] = False,
    allow_modified: AllowModified = False,
) -> None:
    """Train, restore the best weights by validation AUC, score test once, evaluate and report."""
    from medauc.report import write_run_report
    from medauc.training import choose_folder, resolve, summary_lines
    from medauc.training import train as run_training

    if recipe is None:
        own = out / "recipe.yaml" if out is not None else None
        recipe = str(own) if resume and own is not None and own.exists() else "default"
    plan = resolve(
        dataset, recipe=recipe, overrides=settings or (), data_dir=data_dir, allow_modified=allow_modified
    )
    chosen_seed = seed if seed is not None else plan.seed or 0
    folder = choose_folder(plan.dataset, plan.recipe_name, chosen_seed, out, resume)
    typer.echo(plan.describe())
    if resume and (folder / "evaluation.json").exists():
        typer.echo("this run is finished; its result:")
    run = run_training(
        plan.dataset,
        plan.recipe,
        folder,
        seed=chosen_seed,
        device=device.value,
        resume=resume,
        progress=sys.stderr.isatty(),
    )
    write_run_report(run.folder, plan.dataset)
    typer.echo("\n".join(summary_lines(run, plan.dataset)))
