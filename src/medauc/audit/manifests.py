"""Own files as a collection: of a manifest, of folders by class, or of a folder without labels."""

from pathlib import Path

import numpy as np

from medauc.audit.collection import Collection
from medauc.audit.files import FileImages
from medauc.data.manifest import Manifest
from medauc.errors import InputError

NO_SPLIT = "all"


def collection_of_manifest(manifest: Manifest, jobs: int = 1) -> Collection:
    """Turn a manifest into what can be audited; files that are not there are found when they are read.

    Args:
        manifest: with or without targets, patients and splits. Rows without a split belong to "all".
        jobs: processes that read files.

    Raises:
        InputError: A split that is none of train, val and test.
    """
    splits = manifest.column("split")
    unknown = sorted(set(splits.tolist()) - {"", "train", "val", "test"})
    if unknown:
        raise InputError(f"{manifest.source}: split {unknown[0]!r} is none of train, val and test")
    targets = manifest.targets
    table = np.empty((len(manifest), 0), np.int64) if targets is None else targets.reshape(len(manifest), -1)
    single = (manifest.class_names[1],) if targets is not None else ()
    return Collection(
        name=manifest.name,
        ids=manifest.column("id"),
        groups=manifest.column("group"),
        splits=np.where(splits == "", NO_SPLIT, splits),
        targets=table,
        label_names=manifest.labels or single,
        columns={name: manifest.column(name) for name in manifest.further},
        images=FileImages([Path(path) for path in manifest.column("path")], jobs),
        groups_known=manifest.has_groups,
        source=manifest.source,
        passed_over=_passed_over(manifest.source) if manifest.source.is_dir() else (),
    )


def collection_of_folder(folder: Path, jobs: int = 1) -> Collection:
    """All images below a folder, without labels or splits.

    Raises:
        InputError: There are none.
    """
    from medauc.data.readers import list_images

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = list_images(folder)
    if not paths:
        raise InputError(f"{folder} holds no images that can be read")
    ids = np.array([str(path.relative_to(folder)) for path in paths])
    return Collection(
        name=folder.resolve().name,
        ids=ids,
        groups=ids,
        splits=np.full(len(paths), NO_SPLIT),
        targets=np.empty((len(paths), 0), np.int64),
        label_names=(),
        columns={},
        images=FileImages(paths, jobs),
        groups_known=False,
        source=folder,
        passed_over=_passed_over(folder),
    )


def _passed_over(folder: Path) -> tuple[str, ...]:
    """Files below a folder that are named like images and hold none."""
    from medauc.data.readers import named_like_images

    return tuple(str(path.relative_to(folder)) for path in named_like_images(folder))
