"""``medauc predict``."""

from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import Device, DeviceOption, HashIds, ReaderJobs, Root
from medauc.errors import InputError
from medauc.files import require_writable
from medauc.printing import say


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder of one network or an ensemble.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Image files, folders (DICOM series too), manifests (.csv, .parquet), .npz or .npy with images.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The CSV file to write. Default: standard output.", show_default=False),
    ] = None,
    root: Root = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="PATH=FILE,ID=STUDY",
            help="A manifest's own names of the columns path, id, group; may be repeated.",
            show_default=False,
        ),
    ] = None,
    device: Device = DeviceOption.auto,
    jobs: ReaderJobs = None,
    hash_ids: HashIds = None,
    dicom_sr: Annotated[
        Path | None,
        typer.Option(
            "--dicom-sr",
            metavar="FOLDER",
            help="Write a DICOM structured report for each DICOM image scored.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Score images with a finished run: score, probability, a flag an operating point, warnings about quality.

    An image that cannot be read is a row with the reason; exit status 2 if none could be.
    """
    _require_paths(run, paths)  # before PyTorch is loaded, which takes seconds
    if out is not None:
        require_writable(out.parent)
    from medauc.evaluation import parse_columns
    from medauc.training import Predictor
    from medauc.training.prediction.rows import FileScoring
    from medauc.training.prediction.table import Tally, counted, write_table

    if dicom_sr is not None and hash_ids is not None:
        raise InputError(
            "--dicom-sr: a structured report names the patient of its images; leave out --hash-ids"
        )
    scoring = FileScoring(
        Predictor.load(run, device.value),
        paths,
        root=root,
        columns=parse_columns(columns or ()),
        jobs=jobs,
        hash_ids=hash_ids,
        dicom_sr=dicom_sr,
    )
    for note in scoring.notes:
        say(f"medauc: {note}", err=True)
    tally = Tally()
    write_table(counted(scoring, tally, len(scoring.samples)), out)
    if not tally.scored:
        raise InputError(f"none of the {tally.rows} images could be scored; the first: {tally.first_error}")
    say(f"{tally.text()}" + (f"; written: {out}" if out else ""), err=out is None)


def _require_paths(run: Path, paths: list[Path]) -> None:
    """Refuse a run folder that is not there, and paths none of which is; one of several is a row with an error."""
    if not run.is_dir():
        raise InputError(f"{run}: not a run folder (no such folder)")
    if not any(
        path.exists() or "#" in path.name for path in paths
    ):  # folder/#name is one DICOM series of several
        raise InputError(f"{paths[0]}: no such file or folder")
