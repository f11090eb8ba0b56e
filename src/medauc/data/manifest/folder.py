"""A folder with one sub-folder a class becomes a manifest."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from medauc.data.manifest.columns import Columns, ColumnsSpec
from medauc.data.manifest.table import Manifest, manifest_of_table
from medauc.errors import InputError

_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_COLUMNS = Columns("path", "class", {}, None, "group", "split", ())


def manifest_of_folder(
    folder: Path, columns: ColumnsSpec | None = None, *, positive_class: str | int | None = None
) -> Manifest:
    """List the images of a folder with one sub-folder a class.

    Folders named train, val and test may lie above or below those of the classes. Where images lie in folders
    below a class, each of the first of those in which they differ is taken for a patient.

    Args:
        folder: The folder; links that leave it are not followed.
        columns: Only ``positive`` and ``negative`` are looked at, the names of classes.
        positive_class: As in :func:`medauc.data.load_dataset`.

    Raises:
        InputError: No images, images outside the classes' folders, or classes that do not say which is positive.
    """
    from medauc.data.readers import list_images

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = [path.relative_to(folder) for path in list_images(folder)]
    if not found:
        raise InputError(
            f"{folder} holds no images that can be read; `medauc init {folder}` says what it holds"
        )
    left_out = said_of_others(folder)
    rows = [_row(path, folder) for path in found]
    frame = pd.DataFrame(rows, columns=["path", "class", "split", "group"], dtype="str")
    frame["group"] = patients_of(folder, found, frame["group"].tolist())
    has_patients = bool((frame["group"] != "").any())
    frame["group"] = frame["group"].where(frame["group"] != "", frame["path"])
    spec = ColumnsSpec(positive=columns.positive, negative=columns.negative) if columns else ColumnsSpec()
    manifest = manifest_of_table(frame, _COLUMNS, spec, folder, folder, positive_class)
    if left_out is not None:
        manifest = manifest.noting(left_out)
    if has_patients:
        return manifest.noting("Each folder below a class is taken for a patient.")
    return replace(manifest, has_groups=False)


def said_of_others(folder: Path) -> str | None:
    """What to say of files that are named like images and hold none; None where there are none."""
    from medauc.data.readers import named_like_images

    found = [path.relative_to(folder).as_posix() for path in named_like_images(folder)]
    if not found:
        return None
    many = "1 file is named like an image and holds" if len(found) == 1 else None
    many = many or f"{len(found)} files are named like images and hold"
    return f"{many} none that is read, left out: {', '.join(found[:3])}" + (
        ", ..." if len(found) > 3 else "."
    )


def parts_of(path: Path) -> tuple[str, str, str]:
    """Split, class and the folders below, told from the names of the folders that a file lies in; "" for none.

    >>> parts_of(Path("train/ill/p1/a.png")), parts_of(Path("ill/Test/a.png")), parts_of(Path("a.png"))
    (('train', 'ill', 'p1'), ('test', 'ill', ''), ('', '', ''))
    """
    parts = list(path.parent.parts)
    places = [place for place, name in enumerate(parts[:2]) if name.lower() in _SPLITS]
    split = _SPLITS[parts.pop(places[0]).lower()] if places else ""
    return split, parts[0] if parts else "", "/".join(parts[1:])


def patients_of(root: Path, paths: Sequence[Path], below: Sequence[str]) -> list[str]:
    """The folder of each image that stands for a patient: the first below the class in which images differ.

    A series that is a folder of its own lies in it, as those do that share a folder: no patient is cut apart because
    one visit gave one series and another two, each in its own folder or not.

    Args:
        root: Where the images lie.
        paths: The images, relative to it.
        below: The folders of each below the class, of :func:`parts_of`.

    Returns:
        Names of folders; "" of images that lie in none, of all where none lies in a folder below its class.

    >>> patients_of(Path("."), [Path("a.png")] * 3, ["hospital/p1/ct", "hospital/p1/mr", "hospital/p2"])
    ['p1', 'p1', 'p2']
    """
    folders = [name.split("/") for name in below]
    if not any(below):
        return list(below)
    level, shortest = 0, min(map(len, folders)) - 1
    while level < shortest and len({names[level] for names in folders}) == 1:
        level += 1  # one folder around all images tells nobody from another
    return [
        names[level] or (path.name if (root / path).is_dir() else "")
        for path, names in zip(paths, folders, strict=True)
    ]


def _row(path: Path, folder: Path) -> tuple[str, str, str, str]:
    """Path, class, split and patient, told from the names of the folders."""
    split, name, below = parts_of(path)
    if not name:
        raise InputError(
            f"{folder}: {path} lies in no folder of a class; make one folder a class, or list the images in a "
            f"manifest: medauc init {folder}"
        )
    return str(path), name, split, below
