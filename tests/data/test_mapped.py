import gc
import mmap
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import medauc.data.ahead as ahead
import medauc.data.row_reader as row_reader
from medauc.data.mapped import MappedImages
from medauc.data.slices import slices_of
from medauc.errors import InputError


@pytest.fixture(autouse=True)
def _small_rows_are_read_as_large_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_reader, "_SMALL", 0)


def test_small_rows_are_asked_for_and_copied_from_the_map(
    stored: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reader, "_SMALL", 3001)
    monkeypatch.setattr(os, "preadv", None)
    asked: list[list[int]] = []
    monkeypatch.setattr(ahead, "places", lambda base, rows: asked.append(rows.tolist()) or [])
    np.testing.assert_array_equal(MappedImages(stored, np.arange(20))[np.array([4, 1])], stored[[4, 1]])
    assert asked == [[4, 1]]


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


@pytest.mark.parametrize("part", [slice(None), slice(7, None), slice(3, 18, 2)])
@pytest.mark.parametrize("head", [4096, 5000, 70_000])
def test_rows_come_as_by_indexing(tmp_path: Path, part: slice, head: int) -> None:
    content = np.random.default_rng(0).integers(0, 256, (20, 50, 60)).astype(np.uint8)
    (tmp_path / "images.raw").write_bytes(bytes(head) + content.tobytes())
    whole = np.memmap(tmp_path / "images.raw", np.uint8, "r", head, content.shape)
    base, expected = whole[part], content[part]
    images = MappedImages(base, np.arange(len(base))[::-1])
    expected = expected[::-1]
    for key in (
        0,
        -1,
        np.int64(3),
        slice(None),
        slice(2, 4),
        slice(0, 0),
        np.array([4, 0, 0, 1, 2]),
        expected[:, 0, 0] > 99,
    ):
        found = images[key]
        np.testing.assert_array_equal(found, expected[key])
        assert type(found) is np.ndarray
        assert found.flags.writeable
    np.testing.assert_array_equal(
        MappedImages(base, np.array([[1, 2], [3, 0]]))[:], base[np.array([[1, 2], [3, 0]])]
    )


def test_only_rows_that_are_not_in_memory_are_asked_for_and_all_of_them_before_the_first_is_waited_for(
    stored: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, int]] = []
    begin = os.path.getsize(stored.filename) - stored.nbytes  # noqa: PTH202
    preadv = os.preadv

    def read(file: int, views: object, place: int, flags: int = 0) -> int:
        row = (place - begin) // 3000
        if flags and row == 7:
            raise BlockingIOError
        if flags and row == 9:
            return preadv(file, [views[0][:1000]], place)  # the rest of it is on the disk
        said.append(("read", place - begin))
        return preadv(file, views, place)

    monkeypatch.setattr(os, "preadv", read)
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _, place, length, advice: said.append(("ask", place - begin))
    )
    rows = np.array([7, 2, 9, 15])
    np.testing.assert_array_equal(MappedImages(stored, np.arange(20))[rows], np.array(stored)[rows])
    late = [21_000, 28_000]
    assert said == [
        ("read", 6000),
        ("read", 45_000),
        *(("ask", at) for at in late),
        *(("read", at) for at in late),
    ]


def test_what_does_not_fit_into_memory_is_not_asked_for_as_a_whole(
    stored: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reader, "_WITHOUT_WAITING", None)
    monkeypatch.setattr(row_reader, "_MOST", 20 * 3000 - 1)
    monkeypatch.setattr(os, "posix_fadvise", None)
    np.testing.assert_array_equal(MappedImages(stored, np.arange(20))[:], stored)


def test_a_row_that_is_not_there_is_none_and_a_file_that_was_cut_is_told(stored: np.memmap) -> None:
    for row in (-1, 20):
        with pytest.raises(IndexError, match="0 to 19"):
            MappedImages(stored, np.array([0, row]))[:]
    with Path(stored.filename).open("rb+") as file:
        file.truncate(50_000)
    with pytest.raises(InputError, match=r"images\.npy: has become shorter"):
        MappedImages(stored, np.arange(20))[10:]


def test_what_was_changed_in_a_private_map_is_seen(stored: np.memmap) -> None:
    private = np.load(stored.filename, mmap_mode="c")
    private[3] = 7
    assert (MappedImages(private, np.arange(20))[2:4][1] == 7).all()


def times_open(path: str | Path) -> int:
    """How often this process holds a file open, where the system tells; other tests' files may close meanwhile."""
    if sys.platform != "linux":
        return 0
    return sum(os.path.realpath(entry) == os.path.realpath(path) for entry in Path("/proc/self/fd").iterdir())


def test_one_file_is_open_as_long_as_its_map(stored: np.memmap) -> None:
    opened = times_open(stored.filename)
    images = MappedImages(stored, np.arange(20))
    again = images.with_rows(np.array([3]))
    other = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(other[:], images[:])
    if sys.platform == "linux":
        assert times_open(stored.filename) == opened + 1
        copy = np.load(stored.filename, mmap_mode="r")
        MappedImages(copy, np.array([1]))[0]
        assert times_open(stored.filename) == opened + 3  # the map's own, too
        del copy
        gc.collect()
        assert times_open(stored.filename) == opened + 1
    np.testing.assert_array_equal(again[0], stored[3])


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell which files are open")
def test_threads_that_begin_together_open_one_file(
    stored: np.memmap, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, opened = threading.Barrier(4), os.open

    def late(*arguments: object) -> int:
        together.wait()
        return opened(*arguments)

    before = times_open(stored.filename)
    monkeypatch.setattr(os, "open", late)
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(lambda _: MappedImages(stored, np.arange(20)), range(4)))
    monkeypatch.undo()
    assert times_open(stored.filename) == before + 1
    for each in images:
        np.testing.assert_array_equal(each[:], stored)


def test_a_map_is_read_though_another_file_has_its_name(stored: np.memmap) -> None:
    path = Path(stored.filename)
    content = np.array(stored)
    np.save(path.with_name("new.npy"), 255 - content)
    path.with_name("new.npy").replace(path)
    np.testing.assert_array_equal(MappedImages(stored, np.arange(20))[:], content)
    path.write_bytes(b"")
    np.testing.assert_array_equal(MappedImages(stored, np.arange(20))[3], content[3])


def test_slices_ask_for_their_volumes(stored: np.memmap, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    places = ahead.places

    def watched(base: np.memmap, rows: np.ndarray) -> object:
        asked.append(rows.tolist())
        return places(base, rows)

    monkeypatch.setattr(ahead, "places", watched)
    volumes = stored.reshape(4, 5, 50, 60)
    np.testing.assert_array_equal(slices_of(volumes, 0)[np.array([6, 9, 1])], stored[[6, 9, 1]])
    assert asked[-1] == [0, 1]
    monkeypatch.setattr(ahead, "places", None)
    monkeypatch.setattr(ahead, "_MOST", 2 * 15_000 - 1)
    np.testing.assert_array_equal(slices_of(volumes, 0)[np.array([6, 9, 1])], stored[[6, 9, 1]])


def test_arrays_in_memory_are_read_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "preadv", None)
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
    if sys.platform == "linux":
        lines = Path("/proc/self/smaps").read_text().partition(str(path))[2].splitlines()
        resident = next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
        assert resident <= 64  # KiB: none of them is the process's own
