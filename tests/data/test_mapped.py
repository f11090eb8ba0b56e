import mmap
import os
from pathlib import Path

import numpy as np
import pytest

import medauc.data.ahead as ahead
from medauc.data.mapped import MappedImages
from medauc.data.slices import slices_of


@pytest.fixture
def stored(tmp_path: Path) -> "np.memmap[tuple[int, ...], np.dtype[np.uint8]]":
    """Twenty images of 50 x 60 pixels in a file, memory-mapped: rows begin anywhere in a page."""
    path = tmp_path / "images.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (20, 50, 60)).astype(np.uint8))
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("part", [slice(None), slice(7, None), slice(3, 18, 2)])
def test_the_pages_of_a_row_hold_it_and_little_else(stored: np.memmap, part: slice) -> None:
    base = stored[part]
    rows = np.array([[2, 0], [1, 5]])
    found = list(ahead.places(base, rows))
    assert len(found) == 4
    for row, (start, length) in zip(rows.ravel(), found, strict=True):
        assert start % mmap.PAGESIZE == 0
        assert length < base[row].nbytes + mmap.PAGESIZE
        assert stored._mmap[start : start + length].endswith(base[row].tobytes())


def test_exactly_the_rows_of_a_batch_are_asked_for(
    stored: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    places = ahead.places

    def watched(base: np.memmap, rows: np.ndarray) -> object:
        asked.append(rows.tolist())
        return places(base, rows)

    monkeypatch.setattr(ahead, "places", watched)
    images = MappedImages(stored, np.arange(20)[::-1])
    np.testing.assert_array_equal(images[np.array([4, 0])], stored[[15, 19]])
    np.testing.assert_array_equal(images[2:4], stored[[17, 16]])
    np.testing.assert_array_equal(images[6], stored[13])
    assert asked == [[15, 19], [17, 16], 13]
    volumes = stored.reshape(4, 5, 50, 60)
    np.testing.assert_array_equal(slices_of(volumes, 0)[np.array([6, 9, 1])], stored[[6, 9, 1]])
    assert asked[-1] == [0, 1]


def test_what_does_not_fit_into_memory_is_not_asked_for_as_a_whole(
    stored: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "places", None)
    monkeypatch.setattr(ahead, "_MOST", 20 * 3000 - 1)
    np.testing.assert_array_equal(MappedImages(stored, np.arange(20))[:], stored)


def test_arrays_in_memory_are_read_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "places", None)
    base = np.arange(12, dtype=np.uint8).reshape(6, 2)
    assert MappedImages(base, np.array([5, 1]))[np.array([1, 0])].tolist() == [[2, 3], [10, 11]]


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="pages cannot be dropped here")
def test_rows_come_into_memory_alone(tmp_path: Path) -> None:
    """What the system itself says: of 64 MiB on disk, the pages of the rows asked for and no others are there."""
    import ctypes

    path = tmp_path / "images.npy"
    count = 16_384
    stored = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 4096))
    stored[:] = 1
    stored.flush()
    del stored
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    base = np.load(path, mmap_mode="r")
    mincore = getattr(ctypes.CDLL(None), "mincore", None)
    if mincore is None:
        pytest.skip("the system does not tell which pages are in memory")
    begin = np.frombuffer(base._mmap, dtype=np.uint8).ctypes.data
    here = (ctypes.c_ubyte * (len(base._mmap) // mmap.PAGESIZE + 1))()

    def in_memory() -> int:
        assert mincore(ctypes.c_void_p(begin), ctypes.c_size_t(len(base._mmap)), here) == 0
        return sum(state & 1 for state in here)

    before = in_memory()
    if before > 64:
        pytest.skip("this file system keeps files in memory")
    rows = np.arange(100, count, 1000)
    MappedImages(base, np.arange(count))[rows]
    assert len(rows) <= in_memory() - before <= 4 * len(rows)
