"""Resampling to another grid, each axis by itself: linear, smoothed where it shrinks, exact where nothing changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class AxisGrid:
    """Where the pixels of a new grid lie on one axis of an old one.

    Pixels are cells, not points: n of them at spacing s cover n * s, from half a pixel before the first centre to
    half a pixel after the last.

    Attributes:
        old: Pixels of the old grid.
        new: Pixels of the new grid.
        step: New spacing in old pixels.
        start: Edge of the first new pixel, in new pixels from the edge of the first old one; below 0 where
            the new grid begins outside.
    """

    old: int
    new: int
    step: float
    start: float

    @property
    def unchanged(self) -> bool:
        """True if old and new grid are the same."""
        return self.old == self.new and self.step == 1 and self.start == 0

    @property
    def centres(self) -> NDArray[np.float64]:
        """Centres of the new pixels as old indices, float64 (new,)."""
        return (np.arange(self.new, dtype=np.float64) + self.start + 0.5) * self.step - 0.5

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which new pixels lie in the image, (new,): their centre does, or the middle of a thinner image is in them."""
        return np.abs(self.centres - (self.old - 1) / 2) <= max(self.old, self.step) / 2 + 1e-6


def resize_axis(old: int, new: int) -> AxisGrid:
    """Grid that divides the whole extent of ``old`` pixels into ``new`` ones."""
    return AxisGrid(old, new, old / new, 0.0)


def crop_axis(old: int, new: int, step: float = 1.0) -> AxisGrid:
    """Grid of ``new`` pixels, ``step`` old ones apart, about the middle of ``old`` pixels.

    Where the spacing stays (``step`` 1) pixels are copied, never averaged: what cannot be halved is left half a pixel
    after the middle.

    >>> crop_axis(5, 2).start, crop_axis(5, 2, step=0.5).start
    (1, 4.0)
    """
    if step == 1:
        return AxisGrid(old, new, step, (old - new) // 2)
    return AxisGrid(old, new, step, (old / step - new) / 2)


def resample(pixels: NDArray[np.float32], grids: Sequence[AxisGrid]) -> NDArray[np.float32]:
    """Resample the first axes of an array.

    A new value is the mean of the old ones about its centre under a triangle as wide as the larger of the two pixels:
    linear interpolation where the grid becomes finer, with the smoothing that prevents aliasing where it
    becomes coarser (Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 3.5). Between the
    outermost centres and the image's edge the outermost value holds; beyond the edge is 0.

    Args:
        pixels: float32, one axis a grid, further axes (colour) stay.
        grids: One an axis, in order.

    Returns:
        float32 of the new shape.

    >>> resample(np.array([0, 1], dtype=np.float32), [resize_axis(2, 4)]).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    shrinking_first = sorted(
        enumerate(grids), key=lambda item: item[1].new / item[1].old
    )  # less is left to do
    for axis, grid in shrinking_first:
        if not grid.unchanged:
            first = np.moveaxis(pixels, axis, 0)
            flat = _weights(grid) @ first.reshape(grid.old, -1)
            pixels = np.moveaxis(flat.reshape(grid.new, *first.shape[1:]), 0, axis)
    return pixels


@lru_cache(maxsize=64)  # the images of a data set mostly have few sizes
def _weights(grid: AxisGrid) -> "csr_array[np.float32]":
    """Sparse matrix (new, old) of weights; rows sum to 1, rows of pixels outside to 0."""
    from scipy.sparse import csr_array

    reach = max(1.0, grid.step)
    inside = np.flatnonzero(grid.inside)
    centres = np.clip(grid.centres[inside], 0, grid.old - 1)
    reached = np.arange(min(grid.old, int(2 * reach) + 2))
    first = np.clip(np.ceil(centres - reach).astype(int), 0, grid.old - len(reached))
    columns = first[:, None] + reached
    weights = np.maximum(0, 1 - np.abs(columns - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    row, place = np.nonzero(weights)
    values = weights[row, place].astype(np.float32)
    return csr_array((values, (inside[row], columns[row, place])), shape=(grid.new, grid.old))
