"""Data sets that several workers of one machine hold once: read by the first, memory-mapped by the others."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from medauc.data import Dataset, load_dataset
from medauc.files import DiskFull, atomic_path

_WORTH_IT = 2**24  # bytes of pixels; less is read sooner than it is shared


class SharedData:
    """Loads data sets as :func:`medauc.data.load_dataset` does; processes with the same folder share the pixels.

    Sets of own files are memory-mapped already and are left as they are, like small ones.

    Args:
        folder: of this user's alone, for as long as the processes run: what lies in it is trusted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: Any, **options: Any) -> Dataset:
        """Load a data set; its larger arrays are read-only."""
        import joblib
        from filelock import FileLock  # not at the top, like joblib: the executor's own process does without

        key = hashlib.sha256(repr((arguments, sorted(options.items()))).encode()).hexdigest()[:32]
        path = self.folder / f"{key}.joblib"
        with FileLock(path.with_suffix(".lock")):
            if path.exists():
                return _opened(path)
            dataset = load_dataset(*arguments, **options)
            if not _is_worth_sharing(dataset):
                return dataset
            try:
                with atomic_path(path) as temporary:
                    joblib.dump(dataset, temporary)
            except (OSError, DiskFull):  # no room: each worker has its own then
                return dataset
        return _opened(path)


def _opened(path: Path) -> Dataset:
    """Images on disk; the other arrays in memory, as they are after any loading."""
    import joblib

    dataset: Dataset = joblib.load(path, mmap_mode="r")
    train, val, test = (
        replace(
            split,
            targets=np.array(split.targets),
            ids=np.array(split.ids),
            groups=np.array(split.groups),
            metadata={name: np.array(column) for name, column in split.metadata.items()},
        )
        for split in dataset
    )
    return replace(dataset, train=train, val=val, test=test)


def _is_worth_sharing(dataset: Dataset) -> bool:
    pixels = [split.images for split in dataset]
    in_memory = all(isinstance(images, np.ndarray) and not isinstance(images, np.memmap) for images in pixels)
    return in_memory and sum(images.size for images in pixels) >= _WORTH_IT
