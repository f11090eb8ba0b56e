"""Temporary folders of a process, which do not outlast it for long even where it is killed."""

import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "medauc-"


def make_scratch() -> Path:
    """Make a folder that only this user can read, and remove those of processes that are no more.

    >>> folder = make_scratch()
    >>> folder.is_dir()
    True
    >>> folder.rmdir()
    """
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}[0-9]*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
