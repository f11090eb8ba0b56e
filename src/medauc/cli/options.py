"""Options that several verbs share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class DeviceOption(StrEnum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder with <name>[_<size>].npz, filled by download. Default: $MEDAUC_DATA, or the user's cache.",
        show_default=False,
    ),
]
Device = Annotated[DeviceOption, typer.Option("--device", help="'auto' takes a GPU if there is one.")]
AllowModified = Annotated[
    bool,
    typer.Option(
        "--allow-modified", help="Accept a data file whose MD5 is not the published one; recorded in the run."
    ),
]
Source = Annotated[
    Path,
    typer.Argument(metavar="RUN|PREDICTIONS.CSV", help="A run folder, or a table of scores from anywhere."),
]
