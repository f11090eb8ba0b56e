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
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="TARGET=LABEL,SCORE=PROB",
        help="The file's own names of medauc's columns target, score, split, id, group; may be repeated.",
        show_default=False,
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        "--positive",
        help="The target that counts as positive, where targets are not 0 and 1: 'malignant'.",
        show_default=False,
    ),
]
AllowLeakage = Annotated[
    bool, typer.Option("--allow-leakage", help="Accept a group (patient) that occurs in more than one split.")
]
