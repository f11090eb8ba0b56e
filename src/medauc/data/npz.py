"""Reading ``.npz`` files with MedMNIST's keys, trusting nothing that the file says about itself."""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from medauc.data.dataset import BAG_COLUMN, SPLIT_NAMES, Split, Splits
from medauc.data.npy import as_texts, read_header
from medauc.errors import InputError


def file_md5(path: Path) -> str:
    """MD5 of a file as 32 hexadecimal digits, read in blocks.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def read_npz(path: Path, *, allow_leakage: bool = False) -> Splits:
    """Read the three splits of a file with MedMNIST's keys; targets are the raw labels.

    Keys: ``{train,val,test}_images`` uint8 (N, H, W), (N, H, W, 3) or (N, D, H, W); ``{split}_labels``
    (N,) or (N, 1) in {0, 1}, or (N, L) in {0, 1} and -1 or NaN = unknown; optional ``{split}_ids``,
    ``{split}_groups`` and ``{split}_bags`` (N strings or integers), each for all three splits or for none. Bags become
    the further column "bag" (:mod:`medauc.data.bags`).

    Args:
        path: The file. It is never unpickled.
        allow_leakage: Do not refuse a patient (group) in more than one split.

    Returns:
        The splits train, val, test.

    Raises:
        InputError: The file is not a whole npz, lacks a key, or an array has a wrong type, shape or value.
    """
    with _opened(path) as reader:
        splits = (_read_split(reader, "train"), _read_split(reader, "val"), _read_split(reader, "test"))
    _check_agreement(path, splits)
    if not allow_leakage:
        _check_groups(path, splits)
    return splits


def read_image_arrays(path: Path) -> dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.str_]]]:
    """Read images and their ids alone, whatever labels the file holds or lacks.

    Args:
        path: A file with ``images``, or ``{split}_images`` for any splits, and optional ids (:func:`read_npz`).
            It is never unpickled.

    Returns:
        Images and ids by prefix: "" for ``images``, else the name of the split. Empty where the file has neither.

    Raises:
        InputError: As :func:`read_npz`.
    """
    with _opened(path) as reader:
        found = {}
        for prefix in ("", *(f"{name}_" for name in SPLIT_NAMES)):
            if f"{prefix}images" in reader.keys:
                images = _read_images(reader, f"{prefix}images")
                name = prefix.removesuffix("_") or "image"
                ids = np.array([f"{name}-{number:05d}" for number in range(len(images))], dtype=np.str_)
                if f"{prefix}ids" in reader.keys:
                    ids = _as_names(reader, f"{prefix}ids", reader.read(f"{prefix}ids"), len(images))
                found[prefix.removesuffix("_")] = (images, ids)
        return found


@contextmanager
def _opened(path: Path) -> Iterator["_Reader"]:
    """Open an archive; whatever is wrong with it becomes one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Reader(path, archive)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or _one_line(error)}") from error
    except MemoryError:
        raise InputError(f"{path} needs more memory than there is") from None
    except Exception as error:  # zipfile, its codecs and NumPy raise anything on damaged input
        raise InputError(
            f"{path} is not a whole .npz file ({_one_line(error)}); copy or download it again"
        ) from error


class _Reader:
    """Reads single arrays of one archive and words every complaint with file and key."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive
        self.keys = {name[:-4] for name in archive.namelist() if name.endswith(".npy")}
        # Sizes stand in the archive's directory, so a bomb is refused before anything is unpacked.
        declared = sum(member.file_size for member in archive.infolist())
        if declared > _physical_memory():
            raise InputError(f"{path} unpacks to {declared / 2**30:.1f} GiB, more than this machine's memory")

    def error(self, key: str, complaint: str) -> InputError:
        """Word a complaint about an array."""
        return InputError(f"{self.path}: {key} {complaint}")

    def read(self, key: str) -> npt.NDArray[Any]:
        """Read one array; its header must agree with the size in the archive's directory."""
        if key not in self.keys:
            present = ", ".join(sorted(self.keys)[:12]) or "nothing"
            raise InputError(f"{self.path} has no {key}; it holds {_one_line(present)}")
        member = self.archive.getinfo(f"{key}.npy")
        try:
            with self.archive.open(member) as file:
                header = read_header(file)
            if header.dtype.hasobject:
                raise self.error(key, "holds pickled objects, which are never loaded; save plain arrays")
            if header.nbytes > member.file_size:
                raise self.error(key, "is cut short or has a wrong header")
            with self.archive.open(member) as file:
                return np.asarray(npy.read_array(file, allow_pickle=False), order="C")
        except (InputError, MemoryError):
            raise
        except Exception as error:
            raise self.error(
                key, f"cannot be unpacked ({_one_line(error)}); copy or download the file again"
            ) from error

    def read_optional(self, suffix: str, split: str) -> npt.NDArray[Any] | None:
        """Read ``{split}_{suffix}`` where the file has such a key for any split; then it must for all."""
        present = any(f"{name}_{suffix}" in self.keys for name in SPLIT_NAMES)
        return self.read(f"{split}_{suffix}") if present else None


def _one_line(text: object) -> str:
    """Text of foreign origin on one line, shortened."""
    line = " ".join(str(text).split()) or type(text).__name__
    return line if len(line) <= 200 else f"{line[:200]}..."


def _physical_memory() -> float:
    """Memory of this machine in bytes; infinite where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _read_split(reader: _Reader, name: str) -> Split:
    """Read and check one split."""
    images = _read_images(reader, f"{name}_images")
    labels = _read_labels(reader, f"{name}_labels", len(images))
    default_ids = np.array([f"{name}-{i:05d}" for i in range(len(images))])
    ids = _read_names(reader, "ids", name, default_ids)
    bags = _read_names(reader, "bags", name, ids) if f"{name}_bags" in reader.keys else None
    metadata = {} if bags is None else {BAG_COLUMN: bags}
    return Split(images, labels, ids, _read_names(reader, "groups", name, ids), metadata)


def _read_images(reader: _Reader, key: str) -> npt.NDArray[np.uint8]:
    """Read images as uint8 (N, H, W), (N, H, W, 3) or (N, D, H, W); a last axis of 1 is dropped."""
    images = reader.read(key)
    if images.dtype != np.uint8:
        if images.dtype.kind in "fc" and not np.isfinite(images).all():
            raise reader.error(key, "has NaN or infinite pixels")
        raise reader.error(
            key,
            f"has type {images.dtype}, not uint8; rescale it to 0..255 with the range of the training images",
        )
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4):
        raise reader.error(key, f"has shape {images.shape}, not (N, H, W), (N, H, W, 3) or (N, D, H, W)")
    if len(images) == 0:
        raise reader.error(key, "is empty")
    if 0 in images.shape:
        raise reader.error(key, f"has shape {images.shape}, images without pixels")
    return images


def _read_labels(reader: _Reader, key: str, n: int) -> npt.NDArray[np.int64]:
    """Read raw labels as int64, (N,) or (N, L)."""
    raw = reader.read(key)
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim not in (1, 2) or raw.shape[-1] == 0:
        raise reader.error(key, f"has shape {raw.shape}, not (N,), (N, 1) or (N, L)")
    if len(raw) != n:
        raise reader.error(key, f"has {len(raw)} rows for {n} images")
    if raw.dtype.kind not in "biuf":
        raise reader.error(key, f"has type {raw.dtype}, not integers")
    if raw.ndim == 2 and raw.dtype.kind == "f":
        raw = np.where(np.isnan(raw), -1, raw)
    allowed = (0, 1) if raw.ndim == 1 else (-1, 0, 1)
    wrong = ~np.isin(raw, allowed)
    if wrong.any():
        found = ", ".join(str(value) for value in np.unique(raw[wrong])[:3])
        meaning = "0 and 1" if raw.ndim == 1 else "0, 1 and -1 (unknown)"
        raise reader.error(key, f"has labels outside {meaning}: {found}")
    labels = raw.astype(np.int64)
    _check_classes(reader, key, labels)
    return labels


def _check_classes(reader: _Reader, key: str, labels: npt.NDArray[np.int64]) -> None:
    """Refuse a split that cannot be ranked: every label has one class only."""
    both = (labels == 0).any(axis=0) & (labels == 1).any(axis=0)
    if not both.any():
        seen = " and ".join(str(v) for v in np.unique(labels[labels >= 0])) or "unknown"
        raise reader.error(key, f"has one class only ({seen}); an AUC needs samples of both")


def _read_names(
    reader: _Reader, suffix: str, split: str, default: npt.NDArray[np.str_]
) -> npt.NDArray[np.str_]:
    """Read ids or groups as strings, or take the default where the file has none."""
    names = reader.read_optional(suffix, split)
    return default if names is None else _as_names(reader, f"{split}_{suffix}", names, len(default))


def _as_names(reader: _Reader, key: str, names: npt.NDArray[Any], n: int) -> npt.NDArray[np.str_]:
    """Strings of an array of names, N of them."""
    if names.ndim == 2 and names.shape[1] == 1:
        names = names[:, 0]
    if names.shape != (n,):
        raise reader.error(key, f"has shape {names.shape} for {n} images")
    try:
        return as_texts(names)
    except ValueError as error:
        raise reader.error(key, str(error)) from None


def _check_agreement(path: Path, splits: Splits) -> None:
    """Check what only the three splits together can show: equal shapes, unique ids."""
    train = splits[0]
    for name, split in zip(SPLIT_NAMES, splits, strict=True):
        if split.images.shape[1:] != train.images.shape[1:]:
            raise InputError(
                f"{path}: {name}_images has images of shape {split.images.shape[1:]}, "
                f"train_images of {train.images.shape[1:]}"
            )
        if split.targets.shape[1:] != train.targets.shape[1:]:
            raise InputError(f"{path}: {name}_labels has another number of labels than train_labels")
    _check_ids(path, splits)


def _check_ids(path: Path, splits: Splits) -> None:
    """Refuse an id that two samples share."""
    ids, counts = np.unique(np.concatenate([split.ids for split in splits]), return_counts=True)
    if (counts > 1).any():
        twice = str(ids[counts > 1][0])
        raise InputError(f"{path}: id {twice!r} is used twice; ids must be unique over all splits")


def _check_groups(path: Path, splits: Splits) -> None:
    """Refuse a patient whose samples stand in two splits: the test result would be too good."""
    for (first, a), (second, b) in combinations(zip(SPLIT_NAMES, splits, strict=True), 2):
        shared = np.intersect1d(a.groups, b.groups)
        if len(shared):
            raise InputError(
                f"{path}: group {str(shared[0])!r} is in both {first}_groups and {second}_groups "
                f"({len(shared)} such groups); keep all samples of a patient in one split"
            )
