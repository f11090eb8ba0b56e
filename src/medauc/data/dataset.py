"""What a loaded data set is: three splits of images and targets, and what is known about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from medauc.data.catalog import CatalogEntry
from medauc.data.mapped import ImageArray, join_images, take_images

SPLIT_NAMES = ("train", "val", "test")
BAG_COLUMN = "bag"  # of a split's metadata: the bag that an image belongs to
OWN_PATIENT = "each image counts as a patient of its own"  # said where none are known


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a data set.

    Attributes:
        images: uint8, shape (N, H, W), (N, H, W, 3) or (N, D, H, W), in [0, 255]; in memory, or on disk
            (:class:`~medauc.data.mapped.MappedImages`), where only what is indexed is read.
        targets: int64, shape (N,) or (N, L) for L labels; 1 = positive, 0 = negative, -1 = unknown
            (multi-label only).
        ids: N strings, unique over the whole data set, e.g. ``"test-00012"``.
        groups: N strings naming the patient; samples of one group never cross splits. The ids where
            nothing better is known.
        metadata: Further columns by name (sex, scanner), N strings each; they reach ``predictions.csv``, where
            they make subgroups.
    """

    images: ImageArray
    targets: npt.NDArray[np.int64]
    ids: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    metadata: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.targets)

    def take(self, rows: npt.NDArray[Any] | slice) -> Self:
        """Choose samples, by indices (in their order), a mask or a slice; images on disk stay there.

        >>> names = np.array(["a", "b", "c"])
        >>> split = Split(np.zeros((3, 2, 2), np.uint8), np.array([0, 1, 0]), names, names)
        >>> split.take(np.array([2, 1])).ids.tolist(), split.take(split.targets == 0).ids.tolist()
        (['c', 'b'], ['a', 'c'])
        """
        chosen = np.arange(len(self))[rows]
        return replace(
            self,
            images=take_images(self.images, chosen),
            targets=self.targets[chosen],
            ids=self.ids[chosen],
            groups=self.groups[chosen],
            metadata={name: column[chosen] for name, column in self.metadata.items()},
        )

    def concatenate(self, *others: Self) -> Self:
        """Put the samples of others behind these, as in ``train.concatenate(val)``.

        Raises:
            ValueError: They have other further columns, or images or targets of another shape.
        """
        parts = (self, *others)
        if any(part.metadata.keys() != self.metadata.keys() for part in parts):
            raise ValueError("splits with different further columns cannot be put together")
        return replace(
            self,
            images=join_images([part.images for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            ids=np.concatenate([part.ids for part in parts]),
            groups=np.concatenate([part.groups for part in parts]),
            metadata={
                name: np.concatenate([part.metadata[name] for part in parts]) for name in self.metadata
            },
        )


Splits = tuple[Split, Split, Split]  # train, val, test


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set ready for training: see :func:`medauc.data.load_dataset`.

    Attributes:
        name: ``"adrenalmnist3d"``, ``"phantom2d"`` or the stem of the user's file.
        train: The training split.
        val: The validation split.
        test: The test split.
        class_names: What target 0 and target 1 mean, in this order; ``("absent", "present")`` for
            multi-label sets.
        label_names: One name a label: the L labels of a multi-label set, else the positive class alone.
        source: The file that was read; None for a generated phantom.
        md5: MD5 of that file, or of the generated arrays.
        expected_md5: The published MD5; None where there is none (own files, phantoms).
        entry: The catalog's entry; None for own files and phantoms.
        ideal_auc: The AUC of the ideal observer, known for phantoms only.
        part: What the splits are made of, where they are not the data set's own (a fold, say).
        notes: What was decided in loading own files, in sentences.
        made_splits: How the splits were made, where they are not the files' own.
        address: Where images are streamed from, http(s); None where they are on this machine.
        salt: With what ids and groups were hashed (:meth:`with_hashed_ids`); None where they are the data's own.
    """

    name: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, str]
    label_names: tuple[str, ...]
    source: Path | None
    md5: str
    expected_md5: str | None = None
    entry: CatalogEntry | None = None
    ideal_auc: float | None = None
    part: str | None = None
    notes: tuple[str, ...] = ()
    made_splits: str | None = None
    address: str | None = None
    salt: str | None = field(default=None, repr=False)

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name, in the order train, val, test."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def __iter__(self) -> Iterator[Split]:
        """Iterate over train, val, test."""
        return iter(self.splits.values())

    def with_hashed_ids(self, salt: str | None, bags: str = BAG_COLUMN) -> Self:
        """The same with ids, groups and bags that tell nothing without ``salt``; the same one gives the same again.

        Args:
            salt: A secret of the project, or None for the data set as it is. Hashes with this salt stay as they are.
            bags: A further column that names bags, besides "bag"; a name that no column has is passed over.

        Raises:
            ValueError: The salt is empty.

        >>> from medauc.data import PhantomSpec, load_dataset
        >>> data = load_dataset("phantom2d", phantom=PhantomSpec(n_train=4, n_val=4, n_test=4))
        >>> data.with_hashed_ids("secret").test.ids[:2].tolist()
        ['ea81bd2adbf8ff25b8ad', 'e3ad692239de67d48353']
        """
        if salt is None:
            return self
        from medauc.data.readers import hash_ids

        def hashed(split: Split) -> Split:
            named = {
                name: np.where(column == "", column, hash_ids(column, salt))  # blank: it is of no bag
                for name, column in split.metadata.items()
                if name in (BAG_COLUMN, bags)
            }
            return replace(
                split,
                ids=hash_ids(split.ids, salt),
                groups=hash_ids(split.groups, salt),
                metadata={**split.metadata, **named},
            )

        train, val, test = map(hashed, self)
        return replace(self, train=train, val=val, test=test, salt=salt)

    @property
    def typed(self) -> str:
        """What names the data set on a command line."""
        own = self.entry is None and self.source is not None
        return self.address or (str(self.source) if own else self.name)

    @property
    def modified(self) -> bool:
        """True if the file is not the published one (read with ``allow_modified=True``)."""
        return self.expected_md5 is not None and self.md5 != self.expected_md5

    @property
    def multi_label(self) -> bool:
        """True if targets have shape (N, L)."""
        return self.train.targets.ndim == 2

    @property
    def positive_class(self) -> str | None:
        """The class that target 1 stands for; None for multi-label sets."""
        return None if self.multi_label else self.class_names[1]

    @property
    def channels(self) -> int:
        """1 for grey images and volumes, 3 for colour."""
        return channels_of(self.train.images.shape)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Spatial shape of one image: (H, W) or (D, H, W)."""
        return spatial_shape(self.train.images.shape)

    @property
    def spatial_dims(self) -> int:
        """2 for images, 3 for volumes."""
        return len(self.image_shape)

    @property
    def size(self) -> int:
        """Longest side of an image, in pixels or voxels."""
        return max(self.image_shape)


def channels_of(shape: tuple[int, ...]) -> int:
    """Channels of an image array (N, H, W), (N, H, W, 3) or (N, D, H, W): a last axis of 3 is colour.

    >>> channels_of((10, 28, 28)), channels_of((10, 28, 28, 3)), channels_of((10, 28, 28, 28))
    (1, 3, 1)
    """
    return 3 if len(shape) == 4 and shape[-1] == 3 else 1


def spatial_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Spatial part of the shape of an image array.

    >>> spatial_shape((10, 28, 28, 3))
    (28, 28)
    """
    return shape[1:-1] if channels_of(shape) == 3 else shape[1:]
