"""What a folder of images holds: the table that a manifest begins with, and facts for a first recipe."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medauc.data.grouping import Grouping, told_patients
from medauc.data.manifest.folder import parts_of, patients_of, said_of_others
from medauc.data.preparation import holds_colour
from medauc.data.readers import MedicalImage, list_images, read_image
from medauc.data.readers.formats import format_of
from medauc.data.readers.image import Refusal
from medauc.errors import InputError

_SAMPLE = 200  # images that are read
_MOST_CLASSES, _FEWEST_A_CLASS = 10, 3  # a folder a class, or a folder a patient?


@dataclass(frozen=True)
class Facts:
    """What was seen in the images that were read.

    Attributes:
        read: How many were read.
        formats: Formats with how often.
        refused: Reasons why images could not be read, the most frequent first, each with the paths of these.
        spatial_dims: 2 or 3, as most are.
        mixed: Whether some have the other number of axes.
        sizes: Least, median and largest number of pixels along each axis, those of most dimensions.
        spacings: Likewise in mm; None unless all of them tell.
        orientations: Axis codes of volumes with how often.
        modalities: Modalities with how often, "" where the file does not tell.
        lowest: Lowest value of all images.
        like_ct: How many are CT, or do not tell and have values below 0 as CT has.
        bits: Significant bits with how often.
        colour: How many hold colour, and are not only stored so.
    """

    read: int
    formats: Counter[str]
    refused: dict[str, list[str]]
    spatial_dims: int
    mixed: bool
    sizes: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    spacings: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]] | None
    orientations: Counter[str]
    modalities: Counter[str]
    lowest: float
    like_ct: int
    bits: Counter[int]
    colour: int


@dataclass(frozen=True, eq=False)
class Survey:
    """A folder that was looked at.

    Attributes:
        folder: The folder.
        table: One row an image: ``path`` (relative), ``target`` (the class's folder, "" where there are no such
            folders), ``group`` where patients can be told, ``split`` where there are folders of splits.
        facts: What the images are like.
        patients: From what patients were told, and what speaks against it.
        left_out: In words which files are named like images and hold none; None where there are none.
    """

    folder: Path
    table: pd.DataFrame
    facts: Facts
    patients: Grouping
    left_out: str | None = None

    @property
    def classes(self) -> dict[str, int]:
        """Images of each class; empty where there are no folders of classes."""
        return {str(name): int(n) for name, n in self.table["target"].value_counts().items() if name != ""}


def survey_folder(folder: Path) -> Survey:
    """Look at a folder of images.

    All images are listed, by content; two hundred, spread evenly, are read. Patients are told from DICOM headers, from
    folders below those of the classes, or from what names have in common.

    Raises:
        InputError: No such folder, or no image in it that can be read.
    """
    paths, left_out = list_images(folder), said_of_others(folder)
    if not paths:
        raise InputError(
            f"{folder} holds no images that can be read (PNG, JPEG, TIFF, DICOM, NIfTI, NRRD, MetaImage, npy)"
            + ("" if left_out is None else f"; {left_out}")
        )
    table = _table(folder, [path.relative_to(folder) for path in paths])
    patients = told_patients(paths, table["below"].tolist(), [Path(path).name for path in table["path"]])
    if patients.groups is not None:
        table["group"] = patients.groups
    if (table["split"] == "").all():
        table = table.drop(columns="split")
    return Survey(folder, table.drop(columns="below"), _facts(folder, paths), patients, left_out)


def _table(folder: Path, paths: Sequence[Path]) -> pd.DataFrame:
    """Path, class, split, and the folder below the class that may be a patient's, told from names of folders."""
    rows = [(path.as_posix(), *parts_of(path)) for path in paths]
    table = pd.DataFrame(rows, columns=["path", "split", "target", "below"], dtype="str")
    counts = table["target"].value_counts()
    are_classes = (
        2 <= len(counts) <= _MOST_CLASSES and "" not in counts and len(table) >= _FEWEST_A_CLASS * len(counts)
    )
    if not are_classes:  # then the first folders may be patients
        table["below"] = (table["target"] + "/" + table["below"]).str.strip("/")
        table["target"] = ""
    table["below"] = patients_of(folder, paths, table["below"].tolist())
    return table[["path", "target", "split", "below"]]


def _facts(folder: Path, paths: Sequence[Path]) -> Facts:
    chosen = np.unique(np.linspace(0, len(paths) - 1, _SAMPLE).round().astype(int))
    images, refused = list[MedicalImage](), dict[str, list[str]]()
    lowest, like_ct, in_colour = np.inf, 0, 0
    for row in chosen:
        try:
            image = read_image(paths[row])
        except InputError as error:
            reason = str(error).removeprefix(f"{paths[row]}: ")
            refused.setdefault(reason, []).append(paths[row].relative_to(folder).as_posix())
            continue
        darkest = float(np.nanmin(image.pixels)) if image.pixels.size else np.inf
        lowest = min(lowest, darkest)
        like_ct += image.modality == "CT" or (not image.modality and darkest < 0)
        in_colour += holds_colour(image)
        images.append(_without_pixels(image))
    refused = dict(sorted(refused.items(), key=lambda item: -len(item[1])))
    if not images:
        raise InputError(
            f"{folder}: none of {len(chosen)} images that were tried can be read: {next(iter(refused))}"
        )
    dims = Counter(_dims(image) for image in images).most_common(1)[0][0]
    most = [image for image in images if _dims(image) == dims]
    spacings = [image.spacing for image in most if image.spacing is not None]
    return Facts(
        read=len(images),
        formats=Counter(_format(paths[row]) for row in chosen),
        refused=refused,
        spatial_dims=dims,
        mixed=len(most) < len(images),
        sizes=_range([image.shape[-dims:] for image in most]),
        spacings=_range([spacing[-dims:] for spacing in spacings]) if len(spacings) == len(most) else None,
        orientations=Counter(_codes(image) for image in most if image.affine is not None),
        modalities=Counter(image.modality or "" for image in most),
        lowest=lowest,
        like_ct=like_ct,
        bits=Counter(image.bits for image in most),
        colour=in_colour,
    )


def _format(path: Path) -> str:
    """Name of an image's format; a folder, or a name in it, is a series."""
    try:
        return (format_of(path) or "") if path.is_file() else "DICOM series"
    except (Refusal, OSError):  # it has gone since it was listed
        return ""


def _dims(image: MedicalImage) -> int:
    """Number of axes longer than one; a volume of one slice is an image."""
    return 3 if image.spatial_dims == 3 and image.shape[0] > 1 else 2


def _without_pixels(image: MedicalImage) -> MedicalImage:
    """The facts of an image, whose pixels are given back to the system."""
    blank = np.lib.stride_tricks.as_strided(
        np.zeros(1, np.uint8), image.pixels.shape, [0] * image.pixels.ndim
    )
    return replace(image, pixels=blank)


def _codes(image: MedicalImage) -> str:
    """Where the array's axes point, as in SPL."""
    import nibabel

    codes: Any = nibabel.aff2axcodes  # nibabel's functions carry no types
    return "".join(str(code) for code in codes(image.affine))


def _range(
    rows: Sequence[tuple[float, ...]],
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    values = np.array(rows, dtype=float)
    low, middle, high = (tuple(f(values, axis=0).tolist()) for f in (np.min, np.median, np.max))
    return low, middle, high
