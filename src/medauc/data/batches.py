"""Batches of a split: samples with one image each, or bags of several."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from medauc.data.bags import BagSplit, bag_numbers, image_rows
from medauc.data.dataset import Split
from medauc.sampling.part import Part, Rows

Numbers = NDArray[np.int64]


class Batch(NamedTuple):
    """A batch of N samples with M images; M is N unless samples are bags.

    Attributes:
        images: (M, *spatial[, C]) uint8.
        targets: (N,) or (N, L) int64.
        indices: (N,) int64 into the split.
        bags: (M,) int64, number of each image's sample in this batch, ascending; None where every sample is one image.
        rows: which of the images that all processes train on together these are; None where they are all.
    """

    images: Tensor
    targets: Tensor
    indices: Tensor
    bags: Tensor | None = None
    rows: Rows | None = None


def _whole() -> None:
    """No part: one process has the whole batch."""


class ArrayDataset(TorchDataset[Batch]):
    """A split read batch-wise: one fancy-indexed copy per batch instead of one Python call per sample.

    Args:
        split: the samples.
        part: tells of which global batch the indices asked for are a part; None where they are all of it.
    """

    def __init__(self, split: Split, part: Callable[[], Part | None] = _whole) -> None:
        self.split = split
        self.part = part

    def __len__(self) -> int:
        return len(self.split.targets)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Fetch a whole batch; PyTorch's fetcher prefers this to ``__getitem__``."""
        index = np.asarray(indices, dtype=np.int64)
        images, targets = self.split.images[index], self.split.targets[index]
        part = self.part()
        rows = None if part is None else Rows(len(part.batch), torch.tensor(part.places))
        return Batch(torch.from_numpy(images), torch.from_numpy(targets), torch.from_numpy(index), rows=rows)


class BagDataset(TorchDataset[Batch]):
    """A split of bags, read batch-wise.

    Args:
        split: the bags.
        max_images: most images of a bag, drawn without replacement; None takes all.
        position: says where the sampler stands, a text unlike that at any other batch of the training. The draw
            follows from it alone, so a resumed training sees the same images.
        part: tells of which global batch the indices asked for are a part; None where they are all of it.
    """

    def __init__(
        self,
        split: BagSplit,
        max_images: int | None = None,
        position: Callable[[], str] = str,
        part: Callable[[], Part | None] = _whole,
    ) -> None:
        self.split = split
        self.max_images = max_images
        self.position = position
        self.part = part

    def __len__(self) -> int:
        return len(self.split.targets)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Fetch the images of all bags of a batch."""
        part = self.part()
        index = np.asarray(indices if part is None else part.batch, dtype=np.int64)
        lengths, images = self._images_of(index)
        rows = None
        if part is not None:
            held = np.isin(bag_numbers(lengths), part.places)
            rows = Rows(len(images), torch.from_numpy(np.flatnonzero(held)))
            index, lengths, images = index[part.places], lengths[part.places], images[held]
        return Batch(
            torch.from_numpy(self.split.images[images]),
            torch.from_numpy(self.split.targets[index]),
            torch.from_numpy(index),
            torch.from_numpy(bag_numbers(lengths)),
            rows,
        )

    def _images_of(self, bags: Numbers) -> tuple[Numbers, Numbers]:
        """Number of images taken of each bag, and the rows where they lie."""
        lengths, rows = self.split.lengths[bags], image_rows(self.split.starts, bags)
        if self.max_images is not None and lengths.size and lengths.max() > self.max_images:
            rows = rows[drawn(lengths, self.max_images, self.position())]
            lengths = np.minimum(lengths, self.max_images)
        return lengths, rows


def drawn(lengths: Numbers, most: int, stream: str) -> Numbers:
    """Draw at most ``most`` images of each bag, all subsets of a bag being equally likely.

    Args:
        lengths: images in each bag, (N,).
        most: how many may stay.
        stream: names the random numbers.

    Returns:
        Positions among all images, ascending.

    >>> positions = drawn(np.array([2, 5, 1]), 3, "first batch")
    >>> np.bincount(np.repeat([0, 1, 2], [2, 5, 1])[positions]).tolist()
    [2, 3, 1]
    """
    seed = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big")
    keys = np.random.default_rng(seed).random(int(lengths.sum()))
    order = np.lexsort((keys, bag_numbers(lengths)))  # bag by bag, shuffled within each
    place = np.arange(len(order)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.sort(order[place < most])


class OneEmptyBatch:
    """What a process has that shares a split with more processes than there are samples.

    >>> list(OneEmptyBatch())
    [[]]
    """

    def __len__(self) -> int:
        """Number of batches."""
        return 1

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batch."""
        yield []


class BoundedBatches:
    """Bags in their order, in batches of at most ``size`` bags and ``images`` images; a larger bag stands alone.

    Args:
        bags: which bags, in order.
        lengths: images in each bag of the split.
        size: most bags a batch.
        images: most images a batch; None knows no limit.

    >>> list(BoundedBatches(range(4), np.array([2, 2, 9, 1]), size=3, images=4))
    [[0, 1], [2], [3]]
    """

    def __init__(self, bags: Sequence[int], lengths: Numbers, size: int, images: int | None) -> None:
        self._batches: list[list[int]] = []
        held = 0
        for bag in bags:
            length = int(lengths[bag])
            full = not self._batches or len(self._batches[-1]) == size
            if full or (images is not None and held + length > images):
                self._batches.append([])
                held = 0
            self._batches[-1].append(bag)
            held += length

    def __len__(self) -> int:
        """Number of batches."""
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches."""
        return iter(self._batches)
