"""Splits: choosing and joining samples, in memory and on disk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medauc.data import Split
from medauc.data.mapped import MappedImages, take_images
from medauc.data.normalize import compute_statistics

N = 9
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 3, 4), dtype=np.uint8)


def split_of(images, n: int = N) -> Split:
    names = np.array([f"s{i}" for i in range(n)])
    sex = np.array(["f", "m", ""] * 3)[:n]
    return Split(images, np.arange(n) % 2, names, np.char.add("p", names), {"sex": sex})


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> np.memmap:
    path = tmp_path_factory.mktemp("mapped") / "images.npy"
    np.save(path, IMAGES)
    return np.load(path, mmap_mode="r")


def assert_rows(split: Split, rows: list[int]) -> None:
    whole = split_of(IMAGES)
    np.testing.assert_array_equal(np.asarray(split.images), IMAGES[rows])
    assert len(split) == len(rows)
    assert split.ids.tolist() == [f"s{row}" for row in rows]
    assert split.groups.tolist() == [f"ps{row}" for row in rows]
    assert split.targets.tolist() == whole.targets[rows].tolist()
    assert split.metadata["sex"].tolist() == whole.metadata["sex"][rows].tolist()


@given(st.lists(st.integers(-N, N - 1), max_size=12), st.lists(st.booleans(), min_size=N, max_size=N))
def test_rows_are_chosen_alike_in_memory_and_on_disk(on_disk: np.memmap, order: list[int], kept: list[bool]):
    for images in (IMAGES, on_disk):
        chosen = split_of(images).take(np.array(order, np.int64))
        assert_rows(chosen, [row % N for row in order])
        assert_rows(split_of(images).take(np.array(kept)), np.flatnonzero(kept).tolist())
        again = split_of(images).take(slice(1, None, 2)).take(np.array([2, 0]))
        assert_rows(again, [5, 1])


def test_joined_splits_of_one_file_stay_on_disk(on_disk: np.memmap):
    whole = split_of(on_disk)
    joined = whole.take(slice(4)).concatenate(whole.take(np.array([8, 6])), whole.take(slice(0)))
    assert isinstance(joined.images, MappedImages)
    assert joined.images.base is on_disk
    assert_rows(joined, [0, 1, 2, 3, 8, 6])
    in_memory = split_of(IMAGES).take(slice(2)).concatenate(whole.take(np.array([7])))
    assert_rows(in_memory, [0, 1, 7])


def test_splits_with_other_columns_are_not_joined():
    names = np.array(["a"])
    other = Split(IMAGES[:1], np.array([1]), names, names, {"age": names})
    with pytest.raises(ValueError, match="further columns"):
        split_of(IMAGES).concatenate(other)


def test_images_on_disk_read_like_an_array(on_disk: np.memmap):
    rows = np.array([7, 2, 2])
    images = take_images(on_disk, rows)
    assert isinstance(images, MappedImages)
    assert (images.shape, images.ndim, images.size, images.dtype) == ((3, 3, 4), 3, 36, np.uint8)
    np.testing.assert_array_equal(images[1], IMAGES[2])
    np.testing.assert_array_equal(images[:2], IMAGES[[7, 2]])
    np.testing.assert_array_equal(np.stack(list(images)), IMAGES[rows])  # iterating ends
    assert images[np.array([0])].flags.writeable  # torch takes no read-only arrays
    assert compute_statistics(images, 2) == compute_statistics(IMAGES[rows], 2)
