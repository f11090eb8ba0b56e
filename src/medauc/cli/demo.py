"""``medauc demo``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import Device, DeviceOption


def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The run folder. Default: a new one under runs/phantom2d.", show_default=False
        ),
    ] = None,
    device: Device = DeviceOption.auto,
) -> None:
    """The whole path on a built-in phantom whose best possible AUC is known; about a minute, no download."""
    from medauc.printing import say
    from medauc.report import write_run_report
    from medauc.training import choose_folder, resolve, summary_lines, train

    plan = resolve("phantom2d")
    folder = choose_folder(plan.dataset, "demo", 0, out, resume=False)
    say(plan.describe())
    run = train(plan.dataset, plan.recipe, folder, device=device.value, progress=True)
    write_run_report(run.folder, plan.dataset)
    say("\n".join(summary_lines(run, plan.dataset)))
