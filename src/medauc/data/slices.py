"""Slices of volumes as images, none of them copied before it is looked at."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from medauc.data.ahead import read_ahead
from medauc.data.mapped import ImageArray, MappedImages, Rows


class SlicedImages(MappedImages):
    """Chosen slices of volumes; only what is indexed is read, into an array of its own.

    Args:
        base: uint8 volumes (V, D, H, W), in memory or memory-mapped.
        rows: which of the slices, counted through all volumes along ``axis``, shape (M,).
        axis: the axis of a volume that the slices are counted along: 0, 1 or 2.

    >>> volumes = np.arange(16, dtype=np.uint8).reshape(2, 2, 2, 2)
    >>> images = SlicedImages(volumes, np.array([0, 3]), axis=2)
    >>> images.shape, images[0].tolist(), images[np.array([1])].tolist()
    ((2, 2, 2), [[0, 2], [4, 6]], [[[9, 11], [13, 15]]])
    """

    def __init__(self, base: npt.NDArray[np.uint8], rows: Rows, axis: int) -> None:
        super().__init__(base, rows)
        self.axis = axis

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (M, *the two other axes)."""
        _, *sides = self.base.shape
        del sides[self.axis]
        return (len(self.rows), *sides)

    @property
    def ndim(self) -> int:
        """3: the images', and their number."""
        return self.base.ndim - 1

    def with_rows(self, rows: Rows) -> Self:
        """Other slices of the same volumes."""
        return type(self)(self.base, rows, self.axis)

    def __getitem__(self, key: int | slice | npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Read one slice, or those that a slice, indices or a mask name."""
        volume, number = np.divmod(self.rows[key], self.base.shape[1 + self.axis])
        read_ahead(self.base, np.unique(volume))
        place: tuple[Any, ...] = (volume, *[slice(None)] * self.axis, number)
        return np.asarray(self.base[place])


def slices_of(volumes: ImageArray, axis: int) -> SlicedImages:
    """All slices of volumes (N, D, H, W), those of one volume behind each other, by their place along ``axis``."""
    if isinstance(volumes, MappedImages):
        base, chosen = volumes.base, volumes.rows
    else:
        base, chosen = np.asanyarray(volumes), np.arange(len(volumes))
    depth = base.shape[1 + axis]
    return SlicedImages(base, (chosen[:, None] * depth + np.arange(depth)).ravel(), axis)
