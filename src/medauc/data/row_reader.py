"""Reading rows of a memory-mapped array by their place in its file, so that the process keeps none of its pages."""

import mmap
import os
import weakref
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.ahead import read_ahead
from medauc.errors import InputError

_MOST = 256 << 20  # bytes asked for at a time; of more, the first would be gone again when the last is there
_WITHOUT_WAITING: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux has it
_LINE = 64
_SMALL = 1 << 16  # bytes of a row; a call of the system for each costs more than copying it from the map
_opened: "weakref.WeakKeyDictionary[mmap.mmap, int | None]" = weakref.WeakKeyDictionary()
_Span = tuple[int, int, int]  # place in the file; start and end in the result


class RowReader:
    """Reads rows of an array, each row one piece of the file where the array is on disk.

    Through the map every row would cost faults of pages, which count as the process's memory from then on. Here rows
    that the system has in memory are copied at once; all others of a batch are asked for together before the first is
    waited for, and the disk reads them and nothing beside. Small rows are copied from the map.

    Args:
        base: uint8, shape (M, ...); a ``numpy.memmap`` or a part of one is read from its file, all else is indexed.

    >>> RowReader(np.arange(6, dtype=np.uint8).reshape(3, 2)).read(np.array([2, 0])).tolist()
    [[4, 5], [0, 1]]
    """

    def __init__(self, base: npt.NDArray[np.uint8]) -> None:
        self._base = base
        self._pixels = np.asarray(base)  # a memmap's own indexing is a fifth slower
        self._file = _file_of(base) if _lies_in_a_file(base) else None
        if self._file is not None:
            self._first, self._step, self._length = _place(base), base.strides[0], base[:1].nbytes

    def __reduce__(self) -> tuple[Any, ...]:
        return RowReader, (self._base,)  # an open file stays in its process

    def read(self, rows: "npt.NDArray[np.int64] | np.int64") -> npt.NDArray[np.uint8]:
        """Copy rows into an array of their own.

        Args:
            rows: Which of the M, any shape (S).

        Returns:
            uint8, shape (S, ...).

        Raises:
            InputError: The file has become shorter than it was.
            IndexError: There is no such row.
        """
        if self._file is None:
            read_ahead(self._base, np.asarray(rows))
            return np.asarray(self._pixels[rows])
        wanted = np.asarray(rows, dtype=np.int64).reshape(-1)
        found = _empty((*np.shape(rows), *self._base.shape[1:]))
        if not wanted.size:
            return found
        if wanted.view(np.uint64).max() >= len(self._base):  # negative ones are large here
            raise IndexError(f"rows are 0 to {len(self._base) - 1}")
        self._fill(self._file, found.reshape(-1).data, self._spans(wanted))
        return found

    def _spans(self, rows: npt.NDArray[np.int64]) -> list[_Span]:
        """Rows that follow each other in the file are read together."""
        begins, length = self._first + rows * self._step, self._length
        apart = begins[1:] - begins[:-1] != length
        first = np.flatnonzero(np.concatenate(([True], apart)))
        starts = (first * length).tolist()
        return list(zip(begins[first].tolist(), starts, [*starts[1:], len(rows) * length], strict=True))

    def _fill(self, file: int, view: memoryview, spans: list[_Span]) -> None:
        late = spans if _WITHOUT_WAITING is None else _in_memory(file, view, spans, _WITHOUT_WAITING)
        if late and len(view) <= _MOST and hasattr(os, "posix_fadvise"):
            for place, start, end in late:
                os.posix_fadvise(file, place, end - start, os.POSIX_FADV_WILLNEED)
        for place, start, end in late:
            while start < end:
                got = os.preadv(file, (view[start:end],), place)
                if not got:
                    name = getattr(self._base, "filename", "the array")
                    raise InputError(f"{name}: has become shorter since it was opened; start again")
                place, start = place + got, start + got


def _empty(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """An array that begins at a line of the processor's cache.

    Large ones begin 16 bytes into a page; copying from the beginning of a page to there takes six times as long.
    """
    size = prod(shape)
    room = np.empty(size + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + size].reshape(shape)


def _in_memory(file: int, view: memoryview, spans: list[_Span], without_waiting: int) -> list[_Span]:
    """Copy what the system has in memory; the spans that are left."""
    late, read = [], os.preadv
    for span in spans:
        place, start, end = span
        try:
            got = read(file, (view[start:end],), place, without_waiting)
        except OSError:  # nothing of it is in memory, or this file system does not tell
            got = 0
        if got < end - start:
            late.append((place + got, start + got, end))
    return late


def _lies_in_a_file(base: Any) -> bool:
    """Whether each row is one piece of a file that holds what the map shows."""
    if getattr(base, "_mmap", None) is None or base.mode == "c" or not hasattr(os, "preadv"):
        return False
    return bool(base[:1].nbytes >= max(1, _SMALL) and base.dtype == np.uint8 and base[:1].flags.c_contiguous)


def _file_of(base: npt.NDArray[Any]) -> int | None:
    """The file behind a memory map, opened once for all that read it and closed with the map."""
    pages: mmap.mmap = base._mmap  # type: ignore[attr-defined]
    if pages not in _opened:
        file = _opened_anew(base)
        if _opened.setdefault(pages, file) != file:  # another thread was first
            if file is not None:
                os.close(file)
        elif file is not None:
            weakref.finalize(pages, os.close, file)
    return _opened[pages]


def _opened_anew(base: npt.NDArray[Any]) -> int | None:
    """Open the file of a map by its name; None where that is gone or another's by now: the map is still there."""
    try:
        file = os.open(base.filename, os.O_RDONLY)  # type: ignore[attr-defined]
    except OSError:
        return None
    if _is_of_file(base, file):
        return file
    os.close(file)
    return None


def _is_of_file(base: npt.NDArray[Any], file: int) -> bool:
    """Whether a map shows an open file; False where the system does not tell.

    The numbers of a file in the list of maps are not everywhere those of fstat (overlays, btrfs), so they are compared
    with those of a second map.
    """
    try:
        with mmap.mmap(file, 1, access=mmap.ACCESS_READ) as probe:
            places = (_begin(base._mmap), _begin(probe))  # type: ignore[attr-defined]
            lines = Path("/proc/self/maps").read_text(errors="replace").splitlines()
    except (OSError, ValueError):  # no Linux; or the file is empty now
        return False
    found = dict[int, list[str]]()
    for line in lines:
        span, _, _, *numbers = line.split(maxsplit=5)[:5]
        first, last = (int(end, 16) for end in span.split("-"))
        found.update({place: numbers for place in places if first <= place < last})
    return len(found) == len(places) and found[places[0]] == found[places[1]]


def _begin(pages: mmap.mmap) -> int:
    """Address of a map's first byte."""
    return np.frombuffer(pages, dtype=np.uint8).ctypes.data


def _place(base: npt.NDArray[Any]) -> int:
    """Where the first byte of a ``numpy.memmap``, or of a part of one, lies in its file."""
    begin = _begin(base._mmap)  # type: ignore[attr-defined]
    offset: int = base.offset  # type: ignore[attr-defined]  # of the whole map, in its parts too
    return base.ctypes.data - begin + offset - offset % mmap.ALLOCATIONGRANULARITY
