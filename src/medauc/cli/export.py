"""``medauc export``."""

import json
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from medauc.cli.options import (
    AllowModified,
    DataDir,
    HashIds,
    ManifestColumns,
    RecipeName,
    RecipeSettings,
    Root,
    files_settings,
)
from medauc.printing import say

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
    size: Annotated[
        int | None,
        typer.Option("--size", min=1, help="Pixels or voxels a side.", show_default="the recipe's, 28"),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option("--positive", help="The class that is target 1. Default: the catalog's choice."),
    ] = None,
    recipe: RecipeName = "default",
    settings: RecipeSettings = None,
    data_dir: DataDir = None,
    root: Root = None,
    columns: ManifestColumns = None,
    allow_modified: AllowModified = False,
    hash_ids: HashIds = None,
) -> None:
    """Write a data set as image files with a manifest: for other tools, or as a pattern for your own files.

    Own files are prepared as the recipe's section `data` says, so that what is written is trained on as it is.
    """
    from medauc.data.export import export_dataset, has_named_classes
    from medauc.data.manifest.targets import as_yaml, assignment
    from medauc.files import require_writable
    from medauc.training import resolve, resolve_recipe

    require_writable(folder, "name another")
    given = {"size": size, "positive_class": positive}
    overrides = [
        *(settings or ()),
        *files_settings(root, columns),
        *(f"data.{key}={json.dumps(value)}" for key, value in given.items() if value is not None),
    ]
    loaded = resolve(
        dataset,
        recipe=recipe,
        # each image by itself; which bag it is of stays a column
        overrides=["data.bags.by=none", *overrides],
        data_dir=data_dir,
        allow_modified=allow_modified,
        hash_ids=hash_ids,
    ).dataset
    if hash_ids is not None:
        own = resolve_recipe(dataset, recipe=recipe, overrides=overrides).recipe.data.bags
        loaded = loaded.with_hashed_ids(hash_ids, bags=own.by)
    if kind is FormatOption.shards:
        from medauc.data.shards import write_shards

        manifest = write_shards(loaded, folder, shard_bytes=shard_size * 2**20)
    else:
        manifest = export_dataset(loaded, folder, cast("Format | None", kind and kind.value))
    counts = " / ".join(str(len(split)) for split in loaded)
    say("\n".join([*loaded.notes, f"written: {manifest} ({counts} train/val/test)"]))
    shards = kind is FormatOption.shards
    source = shlex.quote(str(folder if shards else manifest))
    shape = [] if shards else _shape_settings(loaded.image_shape)  # shards come in the shape that they have
    command = " ".join([f"medauc train {source}", *shape])
    if loaded.positive_class is not None and has_named_classes(loaded):
        command += " " + assignment("data.positive_class", as_yaml(loaded.positive_class))
    say(f"train on it with: {command}")


def _shape_settings(shape: tuple[int, ...]) -> list[str]:
    """What a training has to be told to take images as they were written, beside its defaults.

    >>> _shape_settings((28, 28)), _shape_settings((12, 12)), _shape_settings((12, 14))
    ([], ['--set data.size=12'], ["--set 'data.preparation.shape=[12, 14]'"])
    >>> _shape_settings((1, 12, 14))
    ["--set 'data.preparation.shape=[1, 12, 14]'", '--set data.spatial_dims=3']
    """
    from medauc.data.manifest.targets import assignment
    from medauc.training.sections.data import DataSection

    if set(shape) == {DataSection().size}:
        return []
    if len(set(shape)) == 1:
        return [assignment("data.size", str(shape[0]))]
    flat = len(shape) == 3 and shape[0] == 1  # one slice, which counts as an image unless it is told
    dims = [assignment("data.spatial_dims", "3")] if flat else []
    return [assignment("data.preparation.shape", json.dumps(shape)), *dims]
