"""``medauc audit``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from medauc.cli.options import (
    AllowModified,
    DataDir,
    HashIds,
    ManifestColumns,
    ReaderJobs,
    RecipeName,
    RecipeSettings,
    Root,
    files_settings,
)
from medauc.printing import say


def audit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATASET|FILE.npz|MANIFEST|FOLDER",
            help="A name of `medauc datasets`, an .npz, a manifest (CSV, Parquet), or a folder of images.",
        ),
    ],
    recipe: RecipeName = "default",
    settings: RecipeSettings = None,
    data_dir: DataDir = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN|PREDICTIONS.CSV",
            help="Scores of a model on these data: tells its AUC on test with and without duplicates.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for audit.json and audit.html. Default: audit/<name>.",
            show_default=False,
        ),
    ] = None,
    root: Root = None,
    columns: ManifestColumns = None,
    jobs: ReaderJobs = None,
    near: Annotated[
        float,
        typer.Option(
            "--near", min=0.5, max=1.0, help="Likeness of details from which two images are one picture."
        ),
    ] = 0.95,
    flips: Annotated[bool, typer.Option("--flips", help="Also look for flipped copies.")] = False,
    hash_ids: HashIds = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print audit.json instead of the summary.")] = False,
    allow_modified: AllowModified = False,
) -> None:
    """Look for what would make results invalid: duplicates and patients across splits, broken files, shortcuts.

    Exit status: 3 where results on these data would be invalid, else 0. Writes audit.json and audit.html.
    """
    from medauc.audit import audit_collection, audit_lines
    from medauc.cli.audit_source import collection_from
    from medauc.data.cache.pool import cores
    from medauc.errors import InputError
    from medauc.files import require_writable
    from medauc.report import write_audit_page
    from medauc.training import read_source

    require_writable(out or Path("audit"))
    collection = collection_from(
        source,
        recipe=recipe,
        overrides=[*(settings or ()), *files_settings(root, columns)],
        data_dir=data_dir,
        allow_modified=allow_modified,
        jobs=jobs or cores(),
        trained=run,
        hash_ids=hash_ids,
    )
    if hash_ids is not None:
        collection = collection.with_hashed_ids(hash_ids)
    predictions = None if run is None else read_source(run, hash_ids=hash_ids, allow_leakage=True)
    audited = audit_collection(
        collection,
        run=predictions,
        run_name="run" if run is None else run.name,
        near=near,
        orientations=flips,
        progress=_show if sys.stderr.isatty() else None,
    )
    folder = out or Path("audit") / collection.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}: {error.strerror or error}") from None
    audited.audit.write(folder / "audit.json")
    write_audit_page(folder / "audit.html", audited)
    if as_json:
        say(audited.audit.model_dump_json(indent=2))
    else:
        written = [f"written: {folder / name}" for name in ("audit.json", "audit.html")]
        say("\n".join([*audit_lines(audited.audit), *written]))
    if audited.audit.exit_status:
        raise typer.Exit(audited.audit.exit_status)


def _show(done: int, of: int) -> None:
    end = "\n" if done == of else ""
    say(f"\rmeasured {done} of {of} images", err=True, end=end)
