import fcntl
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout

from medauc.data.cache import (
    PreparedImages,
    cache_folder,
    clean_cache,
    forget_files,
    list_cache,
    open_cache,
    read_limit,
    write_limit,
)
from medauc.data.preparation import PreparationSpec
from medauc.errors import InputError

SIZE = 100  # pixels a side: 120 kB for twelve images, which dwarfs what lies beside them


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache folder."""
    return tmp_path / "cache"


@pytest.fixture
def opened(images: list[Path], folder: Path) -> Callable[..., PreparedImages]:
    """Prepare the twelve images with a window that tells the entries apart."""
    return lambda high, **more: open_cache(
        images, PreparationSpec(intensity=(0, high)), SIZE, 2, folder=folder, jobs=0, **more
    )


def used(folder: Path, *times: int) -> None:
    """Set when the entries were last used."""
    for entry, time in zip(sorted(list_cache(folder), key=lambda entry: entry.path), times, strict=True):
        os.utime(entry.path, (time, time))


def test_the_least_recently_used_goes_first(opened: Callable[..., PreparedImages], folder: Path) -> None:
    for high in (10, 20, 30):
        opened(high)
    used(folder, 300, 100, 200)
    before = list_cache(folder)
    assert [entry.last_used for entry in before] == [100, 200, 300]
    opened(40, max_bytes=3 * 12 * SIZE**2 + 30_000)
    left = {entry.path for entry in list_cache(folder)}
    assert {entry.path for entry in before} - left == {before[0].path}
    assert len(left) == 3


def test_using_an_entry_makes_it_the_latest(opened: Callable[..., PreparedImages], folder: Path) -> None:
    opened(10)
    first = list_cache(folder)[0].path
    opened(20)
    for entry in list_cache(folder):
        os.utime(entry.path, (100, 100))
    opened(10)
    assert list_cache(folder)[-1].path == first


def test_what_is_in_use_is_never_removed(opened: Callable[..., PreparedImages], folder: Path) -> None:
    held = opened(10).images[3:5]  # a view is enough
    opened(20)
    assert [entry.in_use for entry in list_cache(folder)] == [True, False]
    assert len(clean_cache(folder)) == 1
    (left,) = list_cache(folder)
    assert left.in_use
    with pytest.raises(InputError, match="are in use"):
        opened(30, max_bytes=12 * SIZE**2 + 10_000)
    total = int(held.sum(dtype=int))
    assert total > 0
    del held
    assert not list_cache(folder)[0].in_use
    assert len(clean_cache(folder)) == 1
    assert list_cache(folder) == []


def test_what_is_too_large_is_refused_before_anything_is_removed(
    opened: Callable[..., PreparedImages], folder: Path
) -> None:
    opened(10)
    with pytest.raises(
        InputError, match=r"take 129\.0 kB, the cache may hold 50\.0 kB.*medauc cache --limit"
    ):
        opened(20, max_bytes=50_000)
    assert len(list_cache(folder)) == 1


def test_a_disk_that_is_too_small_is_told(
    opened: Callable[..., PreparedImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(0, 0, 1000))
    with pytest.raises(InputError, match=r"1\.0 kB are free"):
        opened(10)


def test_the_limit_is_kept(opened: Callable[..., PreparedImages], folder: Path) -> None:
    assert read_limit(folder) == 100 * 10**9
    write_limit(200_000, folder)
    assert read_limit(folder) == 200_000
    opened(10)
    opened(20)
    assert len(list_cache(folder)) == 1


def test_what_a_stopped_building_left_is_listed_and_cleaned(
    opened: Callable[..., PreparedImages], folder: Path
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(
            10, progress=lambda stage, done, total: stage == "preparing images" and stop(stage, done, total)
        )
    (entry,) = list_cache(folder)
    assert (entry.finished, entry.in_use, entry.images, entry.shape) == (False, False, 12, (SIZE, SIZE))
    assert clean_cache(folder) == [entry]
    assert opened(10).images.any()


def test_nobody_begins_anew_what_is_being_removed(
    opened: Callable[..., PreparedImages], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(10)
    (finished,) = folder.glob("*/about.json")
    part = folder / "0123.part"
    part.mkdir()
    (part / "about.json").write_text(finished.read_text())
    free = dict[str, bool]()

    def try_to_take(path: Path) -> bool:
        held = FileLock(path.with_suffix(".lock")) if path.suffix else None
        try:
            if held is not None:
                held.acquire(timeout=0)
            else:
                with (path / "about.json").open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (Timeout, OSError):
            return False
        return True

    def discard(path: Path) -> bool:
        free[path.suffix] = try_to_take(path)
        return shutil.rmtree(path) is None

    monkeypatch.setattr("medauc.data.cache.folder.discard", discard)
    assert len(clean_cache(folder)) == 2
    assert free == {".part": False, "": False}


def test_locks_that_are_held_stay(opened: Callable[..., PreparedImages], folder: Path) -> None:
    opened(10)
    (free,) = folder.glob("*.lock")
    with FileLock(folder / "held.lock"):
        forget_files(folder)
        assert (folder / "held.lock").exists()
        assert not free.exists()
    assert opened(10).images.any()


def test_an_index_that_cannot_be_emptied_is_named(folder: Path) -> None:
    folder.mkdir()
    (folder / "files.sqlite").write_bytes(b"/home/me/scans/a.png" * 100)
    with pytest.raises(InputError, match=r"files.sqlite still holds paths.*delete it"):
        forget_files(folder)


def test_other_folders_are_left_alone(opened: Callable[..., PreparedImages], folder: Path) -> None:
    opened(10)
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("years of work")
    clean_cache(folder)
    assert (folder / "mine" / "thesis.txt").exists()


def test_images_stay_readable_when_their_entry_is_removed_by_hand(
    opened: Callable[..., PreparedImages], folder: Path
) -> None:
    found = opened(10)
    before = np.array(found.images)
    shutil.rmtree(folder)
    np.testing.assert_array_equal(found.images, before)
    np.testing.assert_array_equal(opened(10).images, before)


def test_only_the_user_can_look_in(opened: Callable[..., PreparedImages], folder: Path) -> None:
    opened(10)
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_can_only_be_read(
    opened: Callable[..., PreparedImages], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **more: object) -> None:
        raise PermissionError

    found = np.array(opened(10).images)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tester may be root, whom nothing stops
    monkeypatch.setattr("os.utime", refuse)
    np.testing.assert_array_equal(opened(10).images, found)
    with pytest.raises(InputError, match="cannot be written; name another with the variable MEDAUC_CACHE"):
        opened(20)


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere"
    assert cache_folder(tmp_path) == tmp_path
    monkeypatch.delenv("MEDAUC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "medauc" / "prepared"
