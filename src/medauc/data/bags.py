"""Bags: several images of one patient (or one study, or the slices of one volume) with one target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from medauc.data.dataset import BAG_COLUMN, OWN_PATIENT, Dataset, Split
from medauc.data.mapped import join_images, take_images
from medauc.data.slices import slices_of
from medauc.errors import InputError

SLICE = " slice "  # between the name of a volume and the number of its slice

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class BagSplit(Split):
    """One split of a data set whose samples are bags.

    Targets, ids, groups and further columns have one row a bag (N), images one a picture (M); those of a bag stand
    behind each other.

    Attributes:
        starts: int64, shape (N + 1,): images ``starts[i]`` to ``starts[i + 1] - 1`` are bag i; none is empty.
        names: M strings, one an image: its own id, or that of its volume and the number of the slice.
    """

    starts: Rows
    names: NDArray[np.str_]

    @property
    def lengths(self) -> Rows:
        """Number of images in each bag, shape (N,)."""
        return np.diff(self.starts)

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """Choose bags, by indices (in their order), a mask or a slice, each with all of its images.

        >>> split = _bags_of_two(["a", "b"])
        >>> split.take(np.array([1])).names.tolist()
        ['b/0', 'b/1']
        """
        chosen = np.arange(len(self))[rows]
        images = image_rows(self.starts, chosen)
        return replace(
            self,
            images=take_images(self.images, images),
            targets=self.targets[chosen],
            ids=self.ids[chosen],
            groups=self.groups[chosen],
            metadata={name: column[chosen] for name, column in self.metadata.items()},
            starts=_starts(self.lengths[chosen]),
            names=self.names[images],
        )

    def concatenate(self, *others: Self) -> Self:
        """Put the bags of others behind these.

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
            starts=_starts(np.concatenate([part.lengths for part in parts])),
            names=np.concatenate([part.names for part in parts]),
        )


@dataclass(frozen=True)
class BagSpec:
    """Which images make a bag.

    Attributes:
        by: "group" puts the images of a patient into one bag, any other name those that agree in this further
            column ("study"). "auto" takes the column "bag" where the data have one (``{split}_bags`` of an npz file,
            a column of a manifest), else images stay by themselves, as they do by "none".
        slices: Axis 0, 1 or 2 of volumes along which each becomes a bag of its slices; None leaves volumes whole.
        max_images: Most images of a bag in a training batch, drawn anew each time; None takes all. In evaluation
            all images count.

    Raises:
        InputError: A value is out of range; the line names it and the range.
    """

    by: str = "auto"
    slices: int | None = None
    max_images: int | None = 16

    def __post_init__(self) -> None:
        if self.slices not in (None, 0, 1, 2):
            raise InputError(f"bags: slices is {self.slices!r}, it must be an axis of a volume: 0, 1 or 2")
        if self.max_images is not None and self.max_images < 1:
            raise InputError(f"bags: max_images is {self.max_images!r}, it must be 1 or more, or null")

    @property
    def makes_bags(self) -> bool:
        """Whether samples are bags, once "auto" has been replaced (:meth:`for_data`)."""
        return self.by not in ("auto", "none") or self.slices is not None

    def for_data(self, dataset: Dataset) -> Self:
        """This with ``by`` as it applies to a data set: "auto" becomes the column "bag" where there is one."""
        return self.resolved(has_column=BAG_COLUMN in dataset.train.metadata)

    def resolved(self, *, has_column: bool) -> Self:
        """This with "auto" replaced by "bag" where the data have such a column."""
        return replace(self, by=BAG_COLUMN) if self.by == "auto" and has_column else self


def make_bags(dataset: Dataset, spec: BagSpec) -> Dataset:
    """Put the images of a data set into bags, if ``spec`` asks for it.

    A bag's id is its name, hashed where the data set's ids are; its group is that of its images. A further column stays
    if it has one value in each bag.

    Args:
        dataset: As it was loaded.
        spec: Which images make a bag.

    Returns:
        The data set with a :class:`BagSplit` for each split; ``dataset`` itself if its images stay by themselves.

    Raises:
        InputError: No such column, images of one bag with different targets, of different patients or in different
            splits, or slices of what is no grey volume.

    >>> from medauc.data import PhantomSpec, load_dataset
    >>> data = load_dataset("phantom3d", 12, phantom=PhantomSpec(n_train=4, n_val=2, n_test=2, signal_width=1))
    >>> bags = make_bags(data, BagSpec(slices=0)).train
    >>> len(bags), bags.images.shape, bags.lengths.tolist(), str(bags.names[12])
    (4, (48, 12, 12), [12, 12, 12, 12], 'train-00001 slice 0')
    """
    spec = spec.for_data(dataset)
    if not spec.makes_bags:
        return dataset
    from medauc.data.shards import ShardedImages  # not at the top: a list of data sets does without it

    if isinstance(dataset.train.images, ShardedImages):
        raise InputError(
            f"{dataset.name}: images in shards cannot be put into bags; add --set data.bags.by=none"
        )
    if spec.slices is not None and dataset.spatial_dims != 3:
        raise InputError(f"{dataset.name}: data.bags.slices cuts volumes; its images are 2D, leave it out")
    if spec.by in ("auto", "none"):
        splits = [_by_itself(split) for split in dataset]
    else:
        splits = _with_common_columns([_grouped(dataset, name, spec.by) for name in dataset.splits])
        _require_apart(dataset.name, spec.by, splits)
        told = OWN_PATIENT.replace("image", "bag")
        dataset = replace(dataset, notes=tuple(note.replace(OWN_PATIENT, told) for note in dataset.notes))
    train, val, test = splits if spec.slices is None else [_sliced(split, spec.slices) for split in splits]
    return replace(dataset, train=train, val=val, test=test)


def single_images(dataset: Dataset) -> Dataset:
    """The images of a data set one by one, those of a bag with the target of their bag."""
    train, val, test = (_unpacked(split) if isinstance(split, BagSplit) else split for split in dataset)
    return replace(dataset, train=train, val=val, test=test)


def image_rows(starts: Rows, bags: Rows) -> Rows:
    """Rows of all images of ``bags``, bag by bag.

    >>> image_rows(np.array([0, 2, 3, 6]), np.array([2, 0])).tolist()
    [3, 4, 5, 0, 1]
    """
    lengths = np.diff(starts)[bags]
    return np.repeat(starts[bags] - _starts(lengths)[:-1], lengths) + np.arange(lengths.sum())


def bag_numbers(lengths: Rows) -> Rows:
    """Number of each image's bag, counted from 0.

    >>> bag_numbers(np.array([2, 1])).tolist()
    [0, 0, 1]
    """
    return np.repeat(np.arange(len(lengths)), lengths)


def _starts(lengths: Rows) -> Rows:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _by_itself(split: Split) -> BagSplit:
    """Each image as a bag of its own."""
    fields = {name: getattr(split, name) for name in ("images", "targets", "ids", "groups", "metadata")}
    return BagSplit(**fields, starts=np.arange(len(split) + 1), names=split.ids)


def _grouped(dataset: Dataset, name: str, column: str) -> BagSplit:
    """Bags of one split; they come in the order of their first images, and images in the order that they had."""
    split, where = dataset.splits[name], f"{dataset.name}: data.bags.by {column}"
    columns: Mapping[str, NDArray[np.str_]] = {"group": split.groups, **split.metadata}
    if column not in columns:
        raise InputError(f"{where}: there is no such column; choose one of {', '.join(columns)}, or none")
    if (nameless := columns[column] == "").any():
        raise InputError(f"{where}: {int(nameless.sum())} images of the {name} split have no value there")
    from medauc.data.readers import hash_ids  # not at the top: a list of data sets does without it

    own = hash_ids(columns[column], dataset.salt)  # a further column is as the file has it
    names, first, number = np.unique(own, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[number]
    order = np.argsort(place, kind="stable")
    lengths = np.bincount(place, minlength=len(names)).astype(np.int64)
    starts = _starts(lengths)
    ids = own[np.sort(first)]

    def one_value(values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which bags have one value only."""
        ordered = values[order]
        same = ordered == np.repeat(ordered[starts[:-1]], lengths, axis=0)
        return np.logical_and.reduceat(same, starts[:-1], axis=0)

    # Where patients are not known, each image is its own; then the bag is as much as is known of them.
    groups = np.where(split.groups == split.ids, own, split.groups)
    if not (alone := one_value(groups)).all():
        bag = str(ids[np.argmin(alone)])
        raise InputError(f"{where}: bag {bag!r} of the {name} split holds images of two patients")
    return BagSplit(
        images=split.images if (order == np.arange(len(order))).all() else take_images(split.images, order),
        targets=_one_target(split.targets[order], starts, ids, f"{where}: {name} split"),
        ids=ids,
        groups=groups[order][starts[:-1]],
        metadata={
            key: values[order][starts[:-1]]
            for key, values in split.metadata.items()
            if key != column and one_value(values).all()
        },
        starts=starts,
        names=split.ids[order],
    )


def _one_target(
    targets: NDArray[np.int64], starts: Rows, ids: NDArray[np.str_], where: str
) -> NDArray[np.int64]:
    """Target of each bag: what its images agree in; an unknown one (-1) agrees with all."""
    highest = np.maximum.reduceat(targets, starts[:-1], axis=0)
    lowest = np.minimum.reduceat(np.where(targets < 0, 1, targets), starts[:-1], axis=0)
    conflict = ((highest == 1) & (lowest == 0)).reshape(len(ids), -1).any(axis=1)
    if conflict.any():
        raise InputError(
            f"{where}: the images of bag {str(ids[np.argmax(conflict)])!r} have different targets "
            f"({int(conflict.sum())} such bags); a bag has one target: correct them, or name another column"
        )
    return highest


def _with_common_columns(splits: Sequence[BagSplit]) -> list[BagSplit]:
    """Leave out further columns that do not have one value in each bag of every split."""
    kept = set.intersection(*(set(split.metadata) for split in splits))
    return [
        replace(split, metadata={key: split.metadata[key] for key in split.metadata if key in kept})
        for split in splits
    ]


def _require_apart(name: str, column: str, splits: Sequence[BagSplit]) -> None:
    """Refuse a bag with images in two splits."""
    ids, counts = np.unique(np.concatenate([split.ids for split in splits]), return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"{name}: bag {str(ids[counts > 1][0])!r} has images in two splits ({int((counts > 1).sum())} such bags); "
            f"keep all images of a bag in one split; made splits do with data.columns.group={column} data.bags.by=group"
        )


def _sliced(split: BagSplit, axis: int) -> BagSplit:
    """Each volume of each bag replaced by its slices along ``axis``."""
    images = slices_of(split.images, axis)
    depth = split.images.shape[1 + axis]
    names = np.array(
        [f"{name}{SLICE}{number}" for name in split.names for number in range(depth)], dtype=np.str_
    )
    return replace(split, images=images, starts=split.starts * depth, names=names)


def _unpacked(split: BagSplit) -> Split:
    bag = bag_numbers(split.lengths)
    metadata = {key: values[bag] for key, values in split.metadata.items()}
    return Split(split.images, split.targets[bag], split.names, split.groups[bag], metadata)


def _bags_of_two(ids: list[str]) -> BagSplit:
    """For the examples above: two empty images a bag."""
    names = np.array([f"{name}/{number}" for name in ids for number in (0, 1)])
    images = np.zeros((len(names), 2, 2), np.uint8)
    targets = np.zeros(len(ids), np.int64)
    return BagSplit(
        images, targets, np.array(ids), np.array(ids), starts=np.arange(0, len(names) + 1, 2), names=names
    )
