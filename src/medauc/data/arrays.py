"""Arrays of one's own in single files: ``images.npy`` beside ``targets.npy``, memory-mapped, with made splits."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medauc.data.dataset import Dataset
from medauc.data.files import IMAGES, TARGETS, dataset_of
from medauc.data.manifest import Manifest, SplitSpec, require_trainable, split_manifest
from medauc.data.manifest.columns import Columns, ColumnsSpec
from medauc.data.manifest.table import manifest_of_table
from medauc.data.npy import as_texts, map_npy
from medauc.data.npz import file_md5
from medauc.errors import InputError

_NAMES = ("ids", "groups", "splits")  # optional, N strings or integers each


def load_arrays(
    path: Path,
    split: SplitSpec | None = None,
    *,
    positive_class: str | int | None = None,
    allow_leakage: bool = False,
    hash_ids: str | None = None,
) -> Dataset:
    """Load ``images.npy`` (N, H, W), (N, H, W, 3) or (N, D, H, W) uint8, and ``targets.npy`` (N,) or (N, L).

    Optional beside them: ``ids.npy``, ``groups.npy`` (patients) and ``splits.npy`` (train, val, test), N strings or
    integers each. Targets are 0 and 1, with -1 or NaN for unknown where there are several labels.

    Args:
        path: Their folder, or ``images.npy`` itself. Nothing in it is ever unpickled.
        split: How splits are made; None takes those of ``splits.npy``, and makes them by default without it.
        positive_class: 0 or 1, the raw target that shall be 1.
        allow_leakage: Do not refuse a patient (group) in more than one split.
        hash_ids: As in :func:`medauc.data.load_dataset`.

    Returns:
        The data set, called as its folder; its images stay on disk.

    Raises:
        InputError: A file is missing or no plain array, or arrays do not fit each other or cannot be trained on.
    """
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.name != IMAGES:
        raise InputError(
            f"{path}: arrays are called {IMAGES} and {TARGETS}, in one folder; or make an .npz of them"
        )
    images = _read(folder / IMAGES)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or 0 in images.shape:
        raise InputError(
            f"{folder / IMAGES} is {images.dtype} of shape {images.shape}; give uint8 (N, H, W), (N, H, W, 3) or "
            "(N, D, H, W), rescaled to 0..255 with the range of the training images"
        )
    manifest, how = split_manifest(_manifest(folder, len(images), positive_class), split, hash_ids)
    require_trainable(manifest, allow_leakage=allow_leakage)
    found = dataset_of(manifest, images, _digest(folder, manifest), how, manifest.notes)
    return found.with_hashed_ids(hash_ids)


def _manifest(folder: Path, count: int, positive_class: str | int | None) -> Manifest:
    """The other arrays as a table."""
    targets = _read(folder / TARGETS)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim not in (1, 2) or targets.dtype.kind not in "biuf" or len(targets) != count:
        raise InputError(
            f"{folder / TARGETS} is {targets.dtype} of shape {targets.shape} for {count} images; give numbers (N,) or "
            "(N, L)"
        )
    columns = {"path": pd.Series([IMAGES] * count, dtype="str")}
    for name in _NAMES:
        if (folder / f"{name}.npy").is_file():
            columns[name] = _texts(folder / f"{name}.npy", count)
    columns.setdefault("ids", pd.Series([f"image-{row:05d}" for row in range(count)], dtype="str"))
    labels = {} if targets.ndim == 1 else {f"label {i}": f"target_{i}" for i in range(targets.shape[1])}
    for name, values in zip(labels.values() or ["target"], targets.reshape(count, -1).T, strict=True):
        columns[name] = pd.Series(values.astype(np.float64)).astype("str").fillna("")
    meaning = Columns(
        path="path",
        target=None if labels else "target",
        targets=labels,
        id="ids",
        group="groups" if "groups" in columns else None,
        split="splits" if "splits" in columns else None,
        notes=(),
    )
    return manifest_of_table(pd.DataFrame(columns), meaning, ColumnsSpec(), folder, folder, positive_class)


def _read(path: Path) -> npt.NDArray[Any]:
    """Map an array without executing anything in it."""
    try:
        return map_npy(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: no plain array ({reason}); save it with numpy.save") from None


def _texts(path: Path, count: int) -> "pd.Series[str]":
    values = np.asarray(_read(path)).reshape(-1)
    if values.dtype.kind not in "USiu" or len(values) != count:
        raise InputError(
            f"{path} is {values.dtype} of shape {values.shape}; give {count} strings or whole numbers"
        )
    try:
        return pd.Series(as_texts(values).tolist(), dtype="str")
    except ValueError as error:
        raise InputError(f"{path} {error}; write it anew") from None


def _digest(folder: Path, manifest: Manifest) -> str:
    """MD5 of images, targets and the table."""
    whole = hashlib.md5(file_md5(folder / IMAGES).encode(), usedforsecurity=False)
    for name in ("id", "group", "split"):
        whole.update("\n".join(manifest.table[name]).encode())
    whole.update(np.ascontiguousarray(manifest.targets).tobytes())
    return whole.hexdigest()
