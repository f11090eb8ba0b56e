"""What is to be scored: files, folders, DICOM series, manifests and arrays become samples with names."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medauc.data.manifest import ColumnsSpec, Manifest, is_manifest, read_manifest
from medauc.data.npy import map_npy
from medauc.data.npz import read_image_arrays
from medauc.errors import InputError

if TYPE_CHECKING:
    from medauc.data.readers import MedicalImage


@dataclass(frozen=True, eq=False)
class Item:
    """One image to be read: a file, or a row of an array.

    Attributes:
        path: the file.
        array: the array, in memory or on disk; None reads the file as an image.
        row: of the array.
        refusal: why it will not be read, where that was found when it was listed.
    """

    path: Path
    array: NDArray[Any] | None = None
    row: int = 0
    refusal: str | None = None

    def read(self) -> "MedicalImage":
        """Read the image.

        Raises:
            UnreadableImage: one line that says why not.
        """
        from medauc.data.readers import MedicalImage, UnreadableImage, read_image

        if self.refusal is not None:
            raise UnreadableImage(f"{self.path}: {self.refusal}")
        if self.array is None:
            return read_image(self.path, lenient=True)  # the damaged file has a row of its own
        pixels = np.asarray(self.array[self.row])
        return MedicalImage(pixels, colour=pixels.ndim == 3 and pixels.shape[-1] == 3)


@dataclass(frozen=True, eq=False)
class Sample:
    """What gets one score: one image, or the images of a bag."""

    id: str
    items: tuple[Item, ...]

    @property
    def path(self) -> Path:
        """The file, of a bag the first."""
        return self.items[0].path


@dataclass(frozen=True)
class Wanted:
    """What the model takes, by which paths are understood.

    Attributes:
        array_ndim: axes of an array of its images, the first one included.
        columns: how manifests name their columns.
        root: folder that a manifest's paths are relative to and may not leave; None is the manifest's own.
        bag: column of a manifest whose equal values make a bag; "auto" takes "bag" where there is one; None makes each
            image a sample.
    """

    array_ndim: int
    columns: ColumnsSpec = field(default_factory=ColumnsSpec)
    root: Path | None = None
    bag: str | None = None


def find_samples(paths: Sequence[Path | str], wanted: Wanted) -> tuple[list[Sample], list[str]]:
    """List what lies at paths, without reading images.

    Args:
        paths: image files, folders (searched for images; a folder with one DICOM series is one image), manifests
            (``.csv``, ``.parquet``), ``.npz`` with ``images`` or ``{split}_images``, ``.npy`` with many images.
        wanted: what the model takes.

    Returns:
        Samples in the order of the paths, and sentences on what was decided. Names are those of a manifest or an
        array, of files their names without ending; of files with equal names the whole paths. A path that is not
        there, a folder without images and an array file that cannot be read are samples that say so when read, and so
        is each file of a folder that is named like an image and holds none.

    Raises:
        InputError: all paths are such; or a manifest that cannot be read.
    """
    found, notes = list[Sample | Item](), list[str]()
    for path in map(Path, paths):
        if is_manifest(path) and path.exists():
            samples, told = _of_manifest(path, wanted)
            found += samples
            notes += told
        else:
            found += _listed(path, wanted.array_ndim)
    listed = [entry for entry in found if isinstance(entry, Item)]
    refused = [item for item in listed if item.refusal is not None]
    if refused and len(refused) == len(found):
        raise InputError(f"{refused[0].path}: {refused[0].refusal}")
    stems = Counter(stem_of(item.path) for item in listed)
    named = [entry if isinstance(entry, Sample) else _of_file(entry, stems) for entry in found]
    if wanted.bag not in (None, "auto") and listed:
        notes.append("The model scores bags of images: without a manifest each file is a bag of its own.")
    return named, notes


def _of_file(item: Item, stems: Counter[str]) -> Sample:
    stem = stem_of(item.path)
    return Sample(stem if stems[stem] == 1 else str(item.path), (item,))


def _listed(path: Path, array_ndim: int) -> Sequence[Sample | Item]:
    """Images of an array, a folder, or the file itself; one item with the reason where there are none."""
    try:
        arrays = _arrays(path, array_ndim)
        return _files(path) if arrays is None else arrays
    except InputError as error:  # one path must not stop the others
        return [Item(path, refusal=str(error).removeprefix(f"{path}: "))]


def _files(path: Path) -> list[Item]:
    """Images of a folder, or the file itself; whether it is an image is found when it is read."""
    from medauc.data.readers import list_images, named_like_images

    if not path.is_dir():
        if not path.exists() and "#" not in path.name:  # folder/#name is one DICOM series of several
            raise InputError(f"{path}: no such file or folder")
        return [Item(path)]
    # What is named like an image is somebody's image, and must not be missing from the table.
    if not (listed := [*list_images(path), *named_like_images(path)]):
        raise InputError(f"{path}: no images in this folder")
    return [Item(file) for file in listed]


def _of_manifest(path: Path, wanted: Wanted) -> tuple[list[Sample], list[str]]:
    # Targets are not asked for: nothing in them may keep an image from being scored.
    columns = replace(
        wanted.columns, target=None, targets=(), positive=(), negative=(), split=None, keep=None
    )
    manifest = read_manifest(path, columns, wanted.root, ignore_targets=True)
    items = [Item(Path(name)) for name in manifest.table["path"]]
    auto = "bag" if "bag" in manifest.table else None
    column = auto if wanted.bag == "auto" else wanted.bag
    if column is not None:
        return list(_bags(manifest, column, items)), list(manifest.notes)
    names = manifest.table["id"]
    return [Sample(name, (item,)) for name, item in zip(names, items, strict=True)], list(manifest.notes)


def _bags(manifest: Manifest, column: str, items: Sequence[Item]) -> Iterator[Sample]:
    """Images with one value in ``column``, bags in the order of their first image."""
    if column not in manifest.table:
        raise InputError(
            f"{manifest.source}: the model scores bags by {column!r}, and there is no such column"
        )
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(manifest.table[column]):
        rows.setdefault(str(name), []).append(row)
    for name, chosen in rows.items():
        yield Sample(name, tuple(items[row] for row in chosen))


def _arrays(path: Path, ndim: int) -> list[Sample] | None:
    """Images of an array file; None where the file is an image or a folder."""
    if path.suffix.lower() == ".npz" and path.is_file():
        arrays = read_image_arrays(path)
        if not arrays:
            return None
        return [
            Sample(str(name), (Item(path, images, row),))
            for images, ids in arrays.values()
            for row, name in enumerate(ids)
        ]
    if path.suffix.lower() == ".npy" and path.is_file() and (mapped := _mapped(path, ndim)) is not None:
        return [Sample(f"{path.stem}-{row:05d}", (Item(path, mapped, row),)) for row in range(len(mapped))]
    return None


def _mapped(path: Path, ndim: int) -> NDArray[Any] | None:
    """Many uint8 images, left on disk; None where the header says anything else."""
    try:
        mapped = map_npy(path)
    except (OSError, ValueError):
        return None  # read as an image, it will be refused with the reason
    return mapped if mapped.ndim == ndim and mapped.dtype == np.uint8 else None


def stem_of(path: Path) -> str:
    """Name of a file without its ending, which may be two words; of a series with that of its folder."""
    name = path.name
    if name.startswith("#") and not path.exists():  # folder/#name is one DICOM series of several
        return f"{path.parent.name}{name}"
    for ending in (".nii.gz", ".mgh.gz", ".hdr.gz", ".img.gz", ".brik.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem if path.suffix else name
