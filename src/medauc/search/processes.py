"""Several processes at one search: who is alive, whose turn it is to decide, and whose training still runs."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from medauc.errors import InputError
from medauc.training.claim import claimed

_PATIENCE = 10.0  # seconds for a worker to notice that its parent died


class Presence:
    """A lock that lives as long as this process, so that others can tell; and the lock under which all decide.

    No clock is asked: a process is dead when the system has given up its lock.

    Args:
        folder: holds one file a process.
        decisions: the lock for decisions.

    Raises:
        InputError: nothing can be written there.
    """

    def __init__(self, folder: Path, decisions: Path) -> None:
        self.token = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._own = FileLock(folder / self.token)
            self._own.acquire()
        except OSError as error:
            raise InputError(f"{folder.parent}: cannot write there ({error.strerror or error})") from None
        self._decisions = FileLock(decisions)

    def close(self) -> None:
        """From now on what is unfinished is anybody's."""
        (self._folder / self.token).unlink(missing_ok=True)
        self._own.release()

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Keep other processes from deciding meanwhile."""
        with self._decisions:
            yield

    def is_alive(self, token: str) -> bool:
        """Whether the process of a token still is at the search."""
        if token == self.token:
            return True
        path = self._folder / token
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            return True
        return False


def wait_until_free(folder: Path) -> None:
    """Wait for the worker of a process that was just killed to leave a run folder; it notices a little later."""
    end = time.monotonic() + _PATIENCE
    while folder.exists() and time.monotonic() < end:
        try:
            with claimed(folder):
                return
        except InputError:
            time.sleep(0.05)
