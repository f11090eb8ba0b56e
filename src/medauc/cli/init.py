"""``medauc init``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.printing import say


def init(
    folder: Annotated[Path, typer.Argument(help="A folder of images, in folders of classes or not.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for what is written. Default: the folder itself.", show_default=False
        ),
    ] = None,
) -> None:
    """Look at a folder of images and write manifest.csv and recipe.yaml to edit; nothing is overwritten.

    Of images and volumes together the fewer are listed in a table of their own.
    """
    from medauc.data.survey import survey_folder
    from medauc.training.starter import next_steps, require_free, seen, write_starter

    require_free(out or folder)  # before two hundred images are read
    survey = survey_folder(folder)
    written = write_starter(survey, out or folder)
    lines = [*seen(survey), *(f"written: {path}" for path in written), *next_steps(survey, written)]
    say("\n".join(lines))
