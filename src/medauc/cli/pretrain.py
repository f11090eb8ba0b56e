"""``medauc pretrain``."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import AllowModified, DataDir, Device, DeviceOption, RecipeName, RecipeSettings, Seed


class MethodOption(StrEnum):
    """What is learned."""

    joint = "joint"
    self_supervised = "self-supervised"


def pretrain(
    datasets: Annotated[
        list[str],
        typer.Argument(
            metavar="DATASET...", help="Names of `medauc datasets` or own .npz files, all 2D or all 3D."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The weights file to write, .safetensors.")],
    method: Annotated[
        MethodOption,
        typer.Option("--method", help="Learn from the labels of all sets at once, or without labels."),
    ] = MethodOption.joint,
    recipe: RecipeName = "default",
    settings: RecipeSettings = None,
    seed: Seed = 0,
    data_dir: DataDir = None,
    device: Device = DeviceOption.auto,
    allow_modified: AllowModified = False,
) -> None:
    """Learn starting weights from the training images of data sets; validation and test images are never read.

    Train from them with `medauc train DATASET --set model.weights=FILE` and the same network.
    """
    from medauc.files import require_writable
    from medauc.printing import say
    from medauc.training import resolve
    from medauc.training.pretraining import pretrain as run_pretraining

    require_writable(out.parent)
    plans = [
        resolve(
            name, recipe=recipe, overrides=settings or (), data_dir=data_dir, allow_modified=allow_modified
        )
        for name in datasets
    ]
    found = run_pretraining(
        [plan.dataset for plan in plans],
        plans[0].recipe,
        out,
        method=method.value,
        seed=seed,
        device=device.value,
        say=partial(say, err=True),
    )
    seen = ", ".join(f"{source.dataset} ({source.samples} images)" for source in found.origin.sources)
    say(f"learned from the training split of {seen}")
    say(f"mean loss of the first epoch {found.losses[0]:.4f}, of the last {found.losses[-1]:.4f}")
    say(f"written: {out}; train from it with --set model.weights={out} and the same network (--set model...)")
