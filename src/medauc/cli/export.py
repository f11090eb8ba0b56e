"""``medauc export``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medauc.cli.options import AllowModified, DataDir, HashIds

if TYPE_CHECKING:
    from medauc.data.export import Format


class FormatOption(StrEnum):
    """How images are written."""

    png = "png"
    dicom = "dicom"
    nifti = "nifti"
    shards = "shards"


def export(
    dataset: Annotated[str, typer.Argument(help="As for `medauc train`.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write, new or empty.")],
    kind: Annotated[
        FormatOption | None,
        typer.Option(
            "--format",
            help="Default: png for images, nifti for volumes. 'shards': tar files to stream large sets from.",
            show_default=False,
        ),
    ] = None,
    shard_size: Annotated[
        int, typer.Option("--shard-size", min=1, metavar="MIB", help="About how large a tar file becomes.")
    ] = 64,
    size: Annotated[int, typer.Option("--size", min=1, help="Pixels or voxels a side.")] = 28,
    positive: Annotated[
        str | None,
        typer.Option("--positive", help="The class that is target 1. Default: the catalog's choice."),
    ] = None,
    data_dir: DataDir = None,
    allow_modified: AllowModified = False,
    hash_ids: HashIds = None,
) -> None:
    """Write a data set as image files with a manifest: for other tools, or as a pattern for your own files."""
    from medauc.data import load_dataset
    from medauc.data.export import export_dataset, has_named_classes
    from medauc.files import require_writable

    require_writable(folder, "name another")
    loaded = load_dataset(
        dataset, size, data_dir, positive_class=positive, allow_modified=allow_modified, hash_ids=hash_ids
    )
    if kind is FormatOption.shards:
        from medauc.data.shards import write_shards

        manifest = write_shards(loaded, folder, shard_bytes=shard_size * 2**20)
    else:
        manifest = export_dataset(loaded, folder, cast("Format | None", kind and kind.value))
    counts = " / ".join(str(len(split)) for split in loaded)
    typer.echo(f"written: {manifest} ({counts} train/val/test)")
    positive_class = (
        f" --set 'data.positive_class={loaded.positive_class}'" if has_named_classes(loaded) else ""
    )
    source = folder if kind is FormatOption.shards else manifest
    typer.echo(f"train on it with: medauc train {source}{positive_class}")
