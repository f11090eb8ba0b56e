"""Temporary folders of a process, which do not outlast it for long even where it is killed."""

import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX, _UNLOCKED = "medauc-scratch-", "medauc-unlocked-"
_LOCK = ".lock"
_held: dict[Path, FileLock] = {}  # a lock that is collected would be given up


def make_scratch() -> Path:
    """Make a folder that only this user can read, and remove those of processes that are no more.

    A folder is its owner's as long as a lock in it is held, on whatever host and in whatever container that is.

    >>> folder = make_scratch()
    >>> folder.is_dir()
    True
    >>> shutil.rmtree(folder)
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove_if_left(left)
    for gone in [folder for folder in _held if not folder.exists()]:
        _held.pop(gone).release()
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    lock = FileLock(unlocked / _LOCK)
    lock.acquire()
    folder = unlocked.rename(
        unlocked.with_name(unlocked.name.replace(_UNLOCKED, _PREFIX))
    )  # never seen unlocked
    _held[folder] = lock
    return folder


def _remove_if_left(folder: Path) -> None:
    if folder in _held or not (folder / _LOCK).is_file():
        return
    try:
        with FileLock(folder / _LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except (Timeout, OSError, NotImplementedError):  # in use, another user's, or a disk without locks
        return
