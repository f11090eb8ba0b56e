"""Telling the system which rows of a memory-mapped array come next, so that the disk brings these and nothing else."""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST = 256 << 20  # bytes asked for at a time; of more, the first would be gone again when the last is there


def read_ahead(base: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> None:
    """Have rows of an array on disk read, all of them at once; return before they are there.

    Without it each row is waited for by itself, and the system, which cannot know that the next one lies elsewhere,
    reads far beyond each: megabytes for an image of 4 KiB, where a disk's read-ahead is set so.

    Args:
        base: Shape (M, ...), one row behind the other; nothing is done for an array in memory.
        rows: Which of the M, any shape.
    """
    advice = getattr(mmap, "MADV_WILLNEED", None)  # Windows has none
    if advice is None or getattr(base, "_mmap", None) is None or rows.size * base[:1].nbytes > _MOST:
        return
    with suppress(OSError):  # it is advice: a file system may refuse it
        for start, length in places(base, rows):
            base._mmap.madvise(advice, start, length)  # type: ignore[attr-defined]


def places(base: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Where rows of a ``numpy.memmap``, or of a part of one, lie in its map: start and length of whole pages."""
    begin = np.frombuffer(base._mmap, dtype=np.uint8).ctypes.data  # type: ignore[attr-defined]
    first, step, length = base.ctypes.data - begin, base.strides[0], base[:1].nbytes
    for start in (first + rows.ravel() * step).tolist():
        page = start - start % mmap.PAGESIZE
        yield page, start + length - page
