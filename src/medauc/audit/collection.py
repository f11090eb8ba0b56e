"""What is audited: who and what each image is, and where its pixels come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from medauc.audit.facts import ImageFacts, facts_of_images
from medauc.data import BagSplit, Dataset, Split
from medauc.data.dataset import channels_of
from medauc.data.mapped import ImageArray
from medauc.errors import InputError

Progress = Callable[[int, int], None]  # images measured, images in all
BLOCK = 256  # images of an array measured at a time


class Images(Protocol):
    """Pixels by number, in the order of the collection's rows."""

    def measure(self, progress: Progress | None = None) -> list[ImageFacts]:
        """Facts of all images; one that cannot be read is a row with an error."""

    def pixels(self, number: int) -> tuple[NDArray[np.generic], bool]:
        """Pixels of one readable image, and whether they are colour.

        Raises:
            InputError: Its file cannot be read any more.
        """

    def path(self, number: int) -> Path | None:
        """Where the image lies; None for a row of an array."""


@dataclass(frozen=True, eq=False)
class Collection:
    """The rows of a data set before anything is known of its pixels.

    Attributes:
        name: of the data set.
        ids: N strings.
        groups: N strings, the patients; the ids where none are known.
        splits: N strings: train, val, test, or "all" where the data set has no splits.
        targets: int64, shape (N, L), in {0, 1} and -1 for unknown; L is 0 without labels.
        label_names: L names; for one label that of the positive class.
        columns: further columns, N strings each.
        images: where pixels come from.
        groups_known: whether ``groups`` says more than the ids.
        source: file or folder; None for a generated set.
        hashed: ids and groups are hashes, and paths are not told.
        passed_over: files of a folder that are named like images and hold none; they are no rows.
    """

    name: str
    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    splits: NDArray[np.str_]
    targets: NDArray[np.int64]
    label_names: tuple[str, ...]
    columns: Mapping[str, NDArray[np.str_]]
    images: Images
    groups_known: bool
    source: Path | None = None
    hashed: bool = False
    passed_over: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.ids)

    def path(self, row: int) -> str | None:
        """Path of an image as text; None for a row of an array, and where ids are hashed."""
        found = None if self.hashed else self.images.path(row)
        return None if found is None else str(found)

    def with_hashed_ids(self, salt: str) -> Self:
        """The same with ids and patients that tell nothing without the salt, and no paths.

        Raises:
            InputError: the salt is empty.
        """
        if not salt:
            raise InputError("--hash-ids: the salt is empty; take a secret of your project")
        from medauc.data.readers import hash_id, hash_ids

        ids, groups = hash_ids(self.ids, salt), hash_ids(self.groups, salt)
        passed_over = tuple(hash_id(name, salt) for name in self.passed_over)
        return replace(self, ids=ids, groups=groups, hashed=True, passed_over=passed_over)

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that have rows, in the order train, val, test."""
        order = ("train", "val", "test", "all")
        return tuple(name for name in order if (self.splits == name).any())


class ArrayImages:
    """Images of splits that are arrays; only figures and thumbnails are kept of them."""

    def __init__(self, parts: Sequence[ImageArray]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])

    def measure(self, progress: Progress | None = None) -> list[ImageFacts]:
        """Facts of all images, a block at a time."""
        found: list[ImageFacts] = []
        for part in self._parts:
            for start in range(0, len(part), BLOCK):
                block = np.asarray(part[np.arange(start, min(start + BLOCK, len(part)))])
                found += facts_of_images(block, channels_of(part.shape) == 3)
                if progress is not None:
                    progress(len(found), int(self._starts[-1]))
        return found

    def pixels(self, number: int) -> tuple[NDArray[np.generic], bool]:
        """Pixels of one image."""
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        images = self._parts[part]
        return np.asarray(images[number - int(self._starts[part])]), channels_of(images.shape) == 3

    def path(self, number: int) -> None:
        """Rows of an array have no path."""


def collection_of(dataset: Dataset) -> Collection:
    """Turn a loaded data set into what can be audited; its images stay where they are.

    >>> from medauc.data import load_dataset, PhantomSpec
    >>> made = collection_of(load_dataset("phantom2d", phantom=PhantomSpec(n_train=20, n_val=10, n_test=10)))
    >>> len(made), made.split_names, made.label_names, made.groups_known
    (40, ('train', 'val', 'test'), ('signal present',), False)
    """
    parts = {name: split for name, split in dataset.splits.items() if len(split)}
    rows = {name: _rows(split) for name, split in parts.items()}  # of each image
    ids = np.concatenate([_names(split) for split in parts.values()])
    groups = np.concatenate([split.groups[rows[name]] for name, split in parts.items()])
    targets = np.concatenate([split.targets[rows[name]] for name, split in parts.items()])
    return Collection(
        name=dataset.name,
        ids=ids,
        groups=groups,
        splits=np.repeat(np.array(list(rows)), [len(numbers) for numbers in rows.values()]),
        targets=targets.reshape(len(targets), -1),
        label_names=dataset.label_names or ("positive",),
        columns={
            column: np.concatenate([split.metadata[column][rows[name]] for name, split in parts.items()])
            for column in dataset.train.metadata
        },
        images=ArrayImages([split.images for split in parts.values()]),
        groups_known=not np.array_equal(ids, groups),
        source=dataset.source,
    )


def _rows(split: Split) -> NDArray[np.int64]:
    """Row of the split that each image belongs to: its own, or that of its bag."""
    if isinstance(split, BagSplit):
        return np.repeat(np.arange(len(split)), split.lengths)
    return np.arange(len(split))


def _names(split: Split) -> NDArray[np.str_]:
    return split.names if isinstance(split, BagSplit) else split.ids
