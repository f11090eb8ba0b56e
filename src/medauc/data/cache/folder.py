"""The folder of all caches: what lies in it, how large it may become, and what is removed first."""

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import IO

from medauc.data.cache.digests import empty_index
from medauc.errors import InputError
from medauc.files import write_text_atomically

try:
    import fcntl
except ImportError:  # Windows, which refuses to delete files in use by itself
    fcntl = None  # type: ignore[assignment]

CACHE_VARIABLE = "MEDAUC_CACHE"
DEFAULT_LIMIT = 100 * 10**9  # bytes
IMAGES, ABOUT, DIGESTS, INDEX = "images.npy", "about.json", "digests.npy", "files.sqlite"
_LIMIT, _PART, _LOCK, _TRASH = "limit", ".part", ".lock", ".trash"


@dataclass(frozen=True)
class CacheEntry:
    """One set of prepared images.

    Attributes:
        path: Its folder.
        images: How many.
        shape: Of each image.
        source: Folder that all its files were below.
        bytes: On disk.
        last_used: Seconds since 1970.
        in_use: Whether a process reads or builds it.
        finished: False for one whose building was stopped; the next use continues it.
    """

    path: Path
    images: int
    shape: tuple[int, ...]
    source: str
    bytes: int
    last_used: float
    in_use: bool
    finished: bool


def cache_folder(folder: Path | str | None = None) -> Path:
    """Folder of all caches: the one given, else MEDAUC_CACHE, else a folder of the user's cache folder."""
    chosen = folder or os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("medauc") / "prepared"


def list_cache(folder: Path | None = None) -> list[CacheEntry]:
    """What lies in the cache, least recently used first.

    >>> import tempfile
    >>> list_cache(Path(tempfile.mkdtemp()))
    []
    """
    root = cache_folder(folder)
    if not root.is_dir():
        return []
    found = [_entry(path) for path in root.iterdir() if path.is_dir() and path.suffix in ("", _PART)]
    return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.last_used)


def clean_cache(folder: Path | None = None, keep: int = 0) -> list[CacheEntry]:
    """Remove what was not used for longest, until the rest fits into ``keep`` bytes; never what is in use.

    Returns:
        What was removed.
    """
    root = cache_folder(folder)
    entries = list_cache(root)
    total = sum(entry.bytes for entry in entries)
    removed = []
    for entry in entries:
        if total > keep and remove_entry(entry.path):
            total -= entry.bytes
            removed.append(entry)
    for trash in root.glob(f"*{_TRASH}"):  # of a removal that was killed
        shutil.rmtree(trash, ignore_errors=True)
    return removed


def forget_files(folder: Path | None = None) -> int:
    """Forget the paths of all files whose contents are known, and remove the locks that nobody holds.

    The files' index is emptied by SQLite itself, so that no process that uses it meanwhile is harmed; images that are
    prepared stay, their files are read once more to recognise them.

    Returns:
        Bytes that were freed.

    Raises:
        InputError: The index cannot be emptied, and still holds paths.
    """
    root = cache_folder(folder)
    before = index_bytes(root)
    if before:
        try:
            empty_index(root / INDEX)
        except sqlite3.Error as error:
            raise InputError(
                f"{root / INDEX} still holds paths, it cannot be emptied ({error}); try again when no other medauc "
                "is at work, or delete it"
            ) from None
    for lock in root.glob(f"*{_LOCK}"):
        with _locked(lock) as free, suppress(OSError):  # Windows removes no open file
            if free:
                lock.unlink()  # whoever waits for it sees that it is gone, and makes a new one
    return before - index_bytes(root)


def index_bytes(folder: Path | None = None) -> int:
    """Size of the index that tells which files have not changed since they were read."""
    with suppress(OSError):
        return (cache_folder(folder) / INDEX).stat().st_size
    return 0


def read_limit(folder: Path | None = None) -> int:
    """Bytes that the cache may hold: as set by :func:`write_limit`, else 100 GB."""
    try:
        return int((cache_folder(folder) / _LIMIT).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return DEFAULT_LIMIT


def write_limit(limit: int, folder: Path | None = None) -> None:
    """Set for good how many bytes the cache may hold; :func:`clean_cache` applies it to what is there."""
    root = make_folder(cache_folder(folder))
    write_text_atomically(root / _LIMIT, f"{limit}\n")


def make_room(root: Path, needed: int, limit: int) -> None:
    """Remove old caches so that ``needed`` more bytes fit.

    Raises:
        InputError: They do not fit into the limit or on the disk.
    """
    if needed > limit:
        raise InputError(
            f"the prepared images take {in_units(needed)}, the cache may hold {in_units(limit)}; "
            f"raise it with `medauc cache --limit {in_units(2 * needed).replace(' ', '')}`"
        )
    clean_cache(root, keep=limit - needed)
    rest = sum(entry.bytes for entry in list_cache(root))
    if rest > limit - needed:
        raise InputError(
            f"the prepared images take {in_units(needed)}, and {in_units(rest)} of the {in_units(limit)} that the "
            "cache may hold are in use; wait for the other trainings, or raise it with `medauc cache --limit`"
        )
    free = shutil.disk_usage(root).free
    if needed > free:
        raise InputError(
            f"the prepared images take {in_units(needed)}, on the disk of {root} {in_units(free)} are free; "
            f"make room, or name a folder elsewhere with the variable {CACHE_VARIABLE}"
        )


def make_folder(root: Path) -> Path:
    """Make the folder where it is missing, for the user's eyes only: it will hold patients' images."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the cache folder {root} cannot be made ({error.strerror}); "
            f"name another with the variable {CACHE_VARIABLE}"
        ) from None
    return root


@contextmanager
def building(entry: Path, wait: Callable[[], None]) -> Iterator[Path]:
    """Hold the only right to build an entry, and yield the folder to build it in; ``wait`` is called before waiting."""
    from filelock import FileLock, Timeout  # brings asyncio along, which every start of medauc would pay for

    if not os.access(entry.parent, os.W_OK):
        raise InputError(
            f"the cache folder {entry.parent} cannot be written; name another with the variable {CACHE_VARIABLE}"
        )
    lock = FileLock(entry.with_name(entry.name + _LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        wait()
        lock.acquire()
    try:
        yield entry.with_name(entry.name + _PART)
    finally:
        lock.release()


def hold(entry: Path) -> IO[bytes] | None:
    """Mark an entry as in use until the returned file is closed; None when it is gone."""
    try:
        file = (entry / ABOUT).open("rb")
    except OSError:
        return None
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks, where nothing is removed either
            fcntl.flock(file, fcntl.LOCK_SH)
    if not (entry / ABOUT).exists():  # removed before the mark was set
        file.close()
        return None
    with suppress(OSError):  # a finished entry may lie where this user can only read
        os.utime(entry)
    return file


def remove_entry(path: Path) -> bool:
    """Remove an entry, or what a stopped building left, unless it is in use; tell whether it was removed."""
    with _unused(path) as free:  # until it is renamed: what another process begins meanwhile is not touched
        return free and discard(path)


def discard(path: Path) -> bool:
    """Remove a folder: renamed first, so that nobody meets half of it."""
    trash = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_TRASH}")
    try:
        path.rename(trash)
    except OSError:
        return False
    shutil.rmtree(trash, ignore_errors=True)
    return True


def in_units(size: float) -> str:
    """Bytes for people.

    >>> in_units(8_800_000_000), in_units(512)
    ('8.8 GB', '512 B')
    """
    if size < 1000:
        return f"{size:.0f} B"
    steps = min(int(log10(size) // 3), 4)
    return f"{size / 1000**steps:.1f} {('B', 'kB', 'MB', 'GB', 'TB')[steps]}"


def _in_use(path: Path) -> bool:
    """Whether some process builds or reads it."""
    with _unused(path) as free:
        return not free


@contextmanager
def _unused(path: Path) -> Iterator[bool]:
    """Keep everybody else from building or reading an entry; False where some process does."""
    if path.suffix == _PART:
        with _locked(path.with_suffix(_LOCK)) as free:
            yield free
        return
    if fcntl is None:
        yield True
        return
    try:
        file = (path / ABOUT).open("rb")
    except OSError:
        yield True
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


@contextmanager
def _locked(lock: Path) -> Iterator[bool]:
    """Hold a lock file; False where another process does."""
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        held.release()


def _entry(path: Path) -> CacheEntry | None:
    """What a folder holds; None for a folder that is none of the cache's."""
    try:
        about = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        size = sum(file.stat().st_size for file in path.iterdir())
        used = path.stat().st_mtime
        return CacheEntry(
            path=path,
            images=int(about["count"]),
            shape=tuple(about["row_shape"]),
            source=str(about["source"]),
            bytes=size,
            last_used=used,
            in_use=_in_use(path),
            finished=path.suffix != _PART,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
