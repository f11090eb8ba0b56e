"""What a folder of images holds: the table that a manifest begins with, and facts for a first recipe."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

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
    """What was seen in the images that were read, those with as many axes as most have.

    Attributes:
        read: How many were read.
        formats: Formats with how often.
        refused: Reasons why images could not be read, the most frequent first, each with the paths of these.
        spatial_dims: 2 or 3.
        sizes: Least, median and largest number of pixels along each axis.
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
        others: Rows like those of the table, of volumes beside images or images beside volumes, whichever are fewer:
            one network takes one kind.
        left_out: In words which files are named like images and hold none; None where there are none.
    """

    folder: Path
    table: pd.DataFrame
    facts: Facts
    patients: Grouping
    others: pd.DataFrame
    left_out: str | None = None

    @property
    def classes(self) -> dict[str, int]:
        """Images of each class; empty where there are no folders of classes."""
        return {str(name): int(n) for name, n in self.table["target"].value_counts().items() if name != ""}


def survey_folder(folder: Path) -> Survey:
    """Look at a folder of images.

    All images are listed, by content; two hundred, spread evenly, are read, all where these are images and volumes.
    Patients are told from DICOM headers, from folders below those of the classes, or from what names have in common.

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
    looks, refused = _sample(folder, paths)
    dims = Counter(look.spatial_dims for look in looks).most_common(1)[0][0]
    facts = _facts([look for look in looks if look.spatial_dims == dims], refused)
    table, others = _sorted_out(table.drop(columns="below"), paths, looks, dims)
    return Survey(folder, table, facts, patients, others, left_out)


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


class _Look(NamedTuple):
    """An image that was read, its facts without its pixels."""

    path: Path
    image: MedicalImage
    darkest: float
    coloured: bool

    @property
    def spatial_dims(self) -> int:
        return _dims(self.image)

    @property
    def like_ct(self) -> bool:
        return self.image.modality == "CT" or (not self.image.modality and self.darkest < 0)


def _sample(folder: Path, paths: Sequence[Path]) -> tuple[list[_Look], dict[str, list[str]]]:
    """Read some images; those that cannot be read by reason, the most frequent first."""
    looks, refused = list[_Look](), dict[str, list[str]]()
    chosen = np.unique(np.linspace(0, len(paths) - 1, _SAMPLE).round().astype(int))
    for path in (paths[row] for row in chosen):
        try:
            image = read_image(path)
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
            refused.setdefault(reason, []).append(path.relative_to(folder).as_posix())
            continue
        darkest = float(np.nanmin(image.pixels)) if image.pixels.size else np.inf
        looks.append(_Look(path, _without_pixels(image), darkest, holds_colour(image)))
    refused = dict(sorted(refused.items(), key=lambda item: -len(item[1])))
    if not looks:
        raise InputError(
            f"{folder}: none of {len(chosen)} images that were tried can be read: {next(iter(refused))}"
        )
    return looks, refused


def _sorted_out(
    table: pd.DataFrame, paths: Sequence[Path], looks: Sequence[_Look], dims: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of images with so many axes, or that cannot be read, and rows of the others."""
    seen = {look.path: look.spatial_dims for look in looks}
    mixed = len(set(seen.values())) > 1
    other = [mixed and (seen.get(path) or _kind_of(path) or dims) != dims for path in paths]
    keep = ~np.array(other)
    return table[keep].reset_index(drop=True), table[~keep].reset_index(drop=True)


def _kind_of(path: Path) -> int | None:
    """2 or 3 of an image, told from its format where that holds no volumes; None where it cannot be read."""
    if _format(path) in ("PNG", "JPEG"):
        return 2
    try:
        return _dims(read_image(path))
    except InputError:
        return None


def _facts(looks: Sequence[_Look], refused: dict[str, list[str]]) -> Facts:
    """What images of one kind are like."""
    images, dims = [look.image for look in looks], looks[0].spatial_dims
    spacings = [image.spacing for image in images if image.spacing is not None]
    return Facts(
        read=len(images),
        formats=Counter(_format(look.path) for look in looks),
        refused=refused,
        spatial_dims=dims,
        sizes=_range([image.shape[-dims:] for image in images]),
        spacings=_range([spacing[-dims:] for spacing in spacings]) if len(spacings) == len(images) else None,
        orientations=Counter(_codes(image) for image in images if image.affine is not None),
        modalities=Counter(image.modality or "" for image in images),
        lowest=min(look.darkest for look in looks),
        like_ct=sum(look.like_ct for look in looks),
        bits=Counter(image.bits for image in images),
        colour=sum(look.coloured for look in looks),
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
