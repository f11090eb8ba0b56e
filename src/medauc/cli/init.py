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
            "--out", help="Folder for the two files. Default: the folder itself.", show_default=False
        ),
    ] = None,
) -> None:
    """Look at a folder of images and write manifest.csv and recipe.yaml to edit; nothing is overwritten."""
    from medauc.data.survey import survey_folder
    from medauc.training.starter import require_free, seen, write_starter

    require_free(out or folder)  # before two hundred images are read
    survey = survey_folder(folder)
    written = write_starter(survey, out or folder)
    manifest, recipe = written[:2]
    blank = (
        [] if survey.classes else [f"fill in the column target of {manifest} (0 or 1, or two names), then"]
    )
    say("\n".join([*seen(survey), *(f"written: {path}" for path in written), *blank]))
    say(f"check the data: medauc audit {manifest} --recipe {recipe}")
    say(f"train: medauc train {manifest} --recipe {recipe}")
