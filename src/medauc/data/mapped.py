"""Images that stay on disk: rows of a memory-mapped array, chosen and put together without being read."""

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from medauc.data.row_reader import RowReader

Rows = npt.NDArray[np.int64]


class ImageArray(Protocol):
    """What a split's images offer, in memory or on disk: an array (N, ...) whose first axis can be indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W), (N, H, W, 3) or (N, D, H, W)."""
        ...

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Type of a pixel."""
        ...

    @property
    def ndim(self) -> int:
        """Number of axes."""
        ...

    @property
    def size(self) -> int:
        """Number of pixels of all images together."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __array__(self) -> npt.NDArray[np.uint8]: ...


class MappedImages:
    """Chosen rows of a memory-mapped array; only what is indexed is read, into an array of its own.

    Args:
        base: uint8, shape (M, ...), usually a ``numpy.memmap``.
        rows: which of the M, in which order, shape (N,).

    >>> images = MappedImages(np.arange(8, dtype=np.uint8).reshape(4, 2), np.array([3, 0]))
    >>> images.shape, images[0].tolist(), images[np.array([1, 0])].tolist()
    ((2, 2), [6, 7], [[0, 1], [6, 7]])
    """

    def __init__(self, base: npt.NDArray[np.uint8], rows: Rows) -> None:
        self.base = base
        self.rows = rows
        self._reader = RowReader(base)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (N, ...)."""
        return (len(self.rows), *self.base.shape[1:])

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Type of a pixel."""
        return self.base.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.base.ndim

    @property
    def size(self) -> int:
        """Number of pixels of all images together."""
        return int(np.prod(self.shape, dtype=np.int64))

    def with_rows(self, rows: Rows) -> Self:
        """Other rows of the same array."""
        return type(self)(self.base, rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | slice | npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Read one image, or those that a slice, indices or a mask name."""
        return self._reader.read(self.rows[key])

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[np.uint8]:
        """Read all of them."""
        return np.asarray(self[:], dtype=dtype)


def take_images(images: ImageArray, rows: Rows) -> ImageArray:
    """Choose images by row: a copy of those in memory, while those on disk stay there."""
    if isinstance(images, MappedImages):
        return images.with_rows(images.rows[rows])
    if isinstance(images, np.memmap):
        return MappedImages(images, rows)
    found: ImageArray = images[rows]
    return found


def join_images(parts: Sequence[ImageArray]) -> ImageArray:
    """Put images behind each other: a copy, unless all of them are rows of one array on disk."""
    mapped = [part for part in parts if isinstance(part, MappedImages)]
    if len(mapped) == len(parts) and len({(type(part), id(part.base)) for part in mapped}) == 1:
        return mapped[0].with_rows(np.concatenate([part.rows for part in mapped]))
    return np.concatenate([np.asarray(part) for part in parts])
