"""What a folder of images holds: the table that a manifest begins with, and facts for a first recipe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from medauc.data.cache.progress import shown
from medauc.data.grouping import Grouping, told_patients
from medauc.data.manifest.folder import parts_of, patients_of, said_of_others
from medauc.data.preparation import holds_colour
from medauc.data.readers import MedicalImage, list_images, read_image
from medauc.data.readers.formats import format_of
from medauc.data.readers.image import Refusal
from medauc.errors import InputError

_SAMPLE, _OF_RARE = 200, 5  # images that are read, and of a format that none of them has
_DIMS = {"PNG": 2, "JPEG": 2, "DICOM series": 3}  # of formats that hold one kind alone
_MOST_CLASSES, _FEWEST_A_CLASS = 10, 3  # a folder a class, or a folder a patient?


@dataclass(frozen=True)
class Facts:
    """What was seen in images of the table that were read.

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
        table: One row an image of the kind that most are, images or volumes: ``path`` (relative), ``target`` (the
            class's folder, "" where there are no such folders), ``group`` where patients can be told, ``split`` where
            there are folders of splits.
        facts: What the images are like.
        patients: From what patients were told, and what speaks against it.
        others: A table like it of the other kind: one network takes one.
        lost: Classes, told from folders, that only the others are of, with how many of these.
        left_out: In words which files are named like images and hold none; None where there are none.
    """

    folder: Path
    table: pd.DataFrame
    facts: Facts
    patients: Grouping
    others: pd.DataFrame
    lost: dict[str, int]
    left_out: str | None = None

    @property
    def classes(self) -> dict[str, int]:
        """Images of each class; empty where there are no folders of classes."""
        return _counted(self.table)

    @property
    def other_classes(self) -> dict[str, int]:
        """The others of each class."""
        return _counted(self.others)


def _counted(table: pd.DataFrame) -> dict[str, int]:
    return {str(name): int(n) for name, n in table["target"].value_counts().items() if name != ""}


def survey_folder(folder: Path) -> Survey:
    """Look at a folder of images.

    All images are listed, by content. Two hundred are read, spread evenly. Where both images and volumes are among
    them, or among the formats, each is read whose format does not tell which it is, and a terminal shows how far that
    is. Classes, splits and patients are those of the kind that most are. Patients are told from DICOM headers, from
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
    formats = {path: _format(path) for path in paths}
    seen = _seen(folder, paths, formats)
    kept, others = _sorted_out(formats, seen.looks)
    if others:
        seen = _seen(folder, kept, formats)
    classes = _classes(folder, kept) or _classes(folder, paths)
    table, patients = _table(folder, kept, classes)
    rest, _ = _table(folder, others, classes)
    lost = _counted(rest[~rest["target"].isin(table["target"])])
    return Survey(folder, table, _facts(seen), patients, rest, lost, left_out)


def _classes(folder: Path, paths: Sequence[Path]) -> set[str]:
    """Names of the folders that images lie in where these are classes; none where they may be patients."""
    counts = Counter(parts_of(path.relative_to(folder))[1] for path in paths)
    few = 2 <= len(counts) <= _MOST_CLASSES and "" not in counts
    return set(counts) if few and len(paths) >= _FEWEST_A_CLASS * len(counts) else set()


def _table(folder: Path, paths: Sequence[Path], classes: set[str]) -> tuple[pd.DataFrame, Grouping]:
    """Path, class, patient and split of images, the last two where they can be told, and what told the patients."""
    relative = [path.relative_to(folder) for path in paths]
    rows = [(path.as_posix(), *parts_of(path)) for path in relative]
    table = pd.DataFrame(rows, columns=["path", "split", "target", "below"], dtype="str")
    if not set(table["target"]) <= classes:  # then the first folders may be patients
        table["below"] = (table["target"] + "/" + table["below"]).str.strip("/")
        table["target"] = ""
    below = patients_of(folder, relative, table["below"].tolist())
    patients = told_patients(paths, below, [path.name for path in relative])
    splits = ["split"] if (table["split"] != "").any() else []
    told = table[["path", "target", *splits]]
    return told if patients.groups is None else told.assign(group=patients.groups), patients


class _Look(NamedTuple):
    """An image that was read, its facts without its pixels."""

    path: Path
    format: str
    image: MedicalImage
    darkest: float
    coloured: bool

    @property
    def spatial_dims(self) -> int:
        return _dims(self.image)

    @property
    def like_ct(self) -> bool:
        return self.image.modality == "CT" or (not self.image.modality and self.darkest < 0)


class _Seen(NamedTuple):
    """Images that were read, and by reason those that cannot be, the most frequent reason first."""

    looks: list[_Look]
    refused: dict[str, list[str]]


def _seen(folder: Path, paths: Sequence[Path], formats: Mapping[Path, str]) -> _Seen:
    """Read some images."""
    looks, refused = list[_Look](), dict[str, list[str]]()
    chosen = _sample(paths, formats)
    for path in chosen:
        try:
            image = read_image(path)
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
            refused.setdefault(reason, []).append(path.relative_to(folder).as_posix())
            continue
        darkest = float(np.nanmin(image.pixels)) if image.pixels.size else np.inf
        looks.append(_Look(path, formats[path], _without_pixels(image), darkest, holds_colour(image)))
    refused = dict(sorted(refused.items(), key=lambda item: -len(item[1])))
    if not looks:
        raise InputError(
            f"{folder}: none of {len(chosen)} images that were tried can be read: {next(iter(refused))}"
        )
    return _Seen(looks, refused)


def _sample(paths: Sequence[Path], formats: Mapping[Path, str]) -> list[Path]:
    """Some of the images, spread evenly, and some of each format that none of them has."""
    chosen = _evenly(paths, _SAMPLE)
    rare = dict.fromkeys(formats[path] for path in paths)
    for path in chosen:
        rare.pop(formats[path], None)
    return chosen + [
        path for name in rare for path in _evenly([path for path in paths if formats[path] == name], _OF_RARE)
    ]


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    return [paths[row] for row in np.unique(np.linspace(0, len(paths) - 1, count).round().astype(int))]


def _sorted_out(formats: Mapping[Path, str], looks: Sequence[_Look]) -> tuple[list[Path], list[Path]]:
    """Images of the kind that most are, or that cannot be read, and the others."""
    seen = {look.path: look.spatial_dims for look in looks}
    told = {_DIMS.get(name) for name in formats.values()}  # None of formats that hold either
    if len(told) == len(set(seen.values())) == 1:
        return list(formats), []
    kinds: dict[Path, int | None] = {}
    with shown(None) as progress:
        for path, name in formats.items():
            kinds[path] = seen.get(path) or _DIMS.get(name) or _dims_of(path)
            progress("telling images from volumes", len(kinds), len(formats))
    most = Counter(kind for kind in kinds.values() if kind is not None).most_common(1)[0][0]
    kept = [path for path, kind in kinds.items() if kind in (None, most)]
    return kept, [path for path, kind in kinds.items() if kind not in (None, most)]


def _dims_of(path: Path) -> int | None:
    """2 or 3 of an image; None where it cannot be read."""
    try:
        return _dims(read_image(path))
    except InputError:
        return None


def _facts(seen: _Seen) -> Facts:
    """What images of one kind are like."""
    dims = Counter(look.spatial_dims for look in seen.looks).most_common(1)[0][0]
    looks = [look for look in seen.looks if look.spatial_dims == dims]
    images = [look.image for look in looks]
    spacings = [image.spacing for image in images if image.spacing is not None]
    return Facts(
        read=len(images),
        formats=Counter(look.format for look in looks),
        refused=seen.refused,
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
