"""What files hold, as a short digest; files that have not changed since are not read again."""

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medauc.data.cache.progress import ShowProgress
from medauc.data.readers.limits import Limits
from medauc.data.readers.parts import files_of_image, is_alone, place_of

Digests = NDArray[np.bytes_]  # (N,) of 32 hexadecimal digits

_CHUNK = 900  # files looked up at a time: older versions of SQLite take 999 parameters
_BATCH = 50  # of them handed to a thread at a time
_BLOCK = 1 << 20
_SETTLED = 2.0  # seconds: a file written just now may change again within its time stamp's resolution
_TABLE = "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL)"


def file_digests(paths: Sequence[str], index: Path, jobs: int, progress: ShowProgress) -> Digests:
    """Digest of the contents of each path.

    Args:
        paths: Absolute; files, or folders of DICOM series.
        index: SQLite file that remembers path, size and times of change with the digest; made if missing.
        jobs: Files read at a time.
        progress: Told how many are done.

    Returns:
        32 hexadecimal digits each. What cannot be read has a digest too, of its path and the reason, so that the set
        of files counts as another one when it can be read.
    """
    found = np.empty(len(paths), dtype="S32")
    look = lru_cache(maxsize=64)(_state_of)  # all series of a folder are in the same state
    with ThreadPoolExecutor(max(1, jobs)) as pool, closing(_Index(index)) as known:
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            found[start : start + len(chunk)] = _digests_of(chunk, look, known, pool)
            progress("checking files", start + len(chunk), len(paths))
    return found


def combined(digests: Digests, *more: str) -> str:
    """One digest of many, and of further text, in this order."""
    whole = hashlib.blake2b(np.ascontiguousarray(digests).tobytes(), digest_size=16)
    for text in more:
        whole.update(b"\0" + text.encode())
    return whole.hexdigest()


def empty_index(index: Path) -> None:
    """Forget all files; what SQLite freed holds no name any more.

    Raises:
        sqlite3.Error: Another process writes to it for more than ten seconds, or it is none.
    """
    with closing(sqlite3.connect(index, timeout=10)) as database:
        database.execute(_TABLE)
        with database:
            database.execute("DELETE FROM files")
        database.execute("VACUUM")


class _State(NamedTuple):
    """What an image is made of, and how these files looked; no ``stamp`` where the index must not be used."""

    parts: tuple[str, ...]
    stamp: str | None


def _digests_of(
    paths: Sequence[str], look: Callable[[str], _State], known: "_Index", pool: ThreadPoolExecutor
) -> list[str]:
    states = [look(place_of(path)) for path in paths]
    digests = known.get([(path, state.stamp) for path, state in zip(paths, states, strict=True)])
    missing = [i for i, digest in enumerate(digests) if digest is None]
    batches = [missing[start : start + _BATCH] for start in range(0, len(missing), _BATCH)]
    read = pool.map(lambda batch: [_digest(paths[i], states[i]) for i in batch], batches)
    fresh = [digest for batch in read for digest in batch]
    known.put([(paths[i], states[i].stamp, digest) for i, digest in zip(missing, fresh, strict=True)])
    for i, digest in zip(missing, fresh, strict=True):
        digests[i] = digest
    return [digest or "" for digest in digests]


def _state_of(path: str) -> _State:
    """Parts, and a digest of their sizes and times."""
    parts: tuple[str, ...] = (path,)
    try:
        states = [os.stat(path)] if is_alone(path) else []  # noqa: PTH116  a million Path objects take seconds
        if not states or stat.S_ISDIR(states[0].st_mode):
            parts = tuple(str(file) for file in files_of_image(path, whole_folder=True))
            states = [Path(part).stat() for part in parts]
    except OSError:
        return _State(parts, None)
    newest = max((max(state.st_mtime, state.st_ctime) for state in states), default=0.0)
    if time.time() - newest < _SETTLED:
        return _State(parts, None)
    looks = ",".join(f"{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}" for state in states)
    return _State(parts, _short(f"sha256:{looks}"))


def _digest(path: str, state: _State) -> str:
    """Digest of the contents of all parts of an image, and of the series' name where the folder holds several."""
    contents = _read(state.parts) if state.stamp is None else _contents(*state)
    return contents if path == place_of(path) else _short(f"{contents}#{path.rpartition('#')[2]}")


@lru_cache(maxsize=64)  # all series of a folder have the same parts
def _contents(parts: tuple[str, ...], stamp: str) -> str:
    return _read(parts)


def _read(parts: tuple[str, ...]) -> str:
    whole = hashlib.sha256()  # processors have instructions for it
    for part in parts:
        whole.update(b"\0")
        try:
            for block in _blocks(part):
                whole.update(block)
        except OSError as error:  # the other parts still tell one image from another
            whole.update(f"\0unreadable: {part}: {error.strerror}".encode(errors="surrogateescape"))
    return whole.hexdigest()[:32]


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _blocks(path: str) -> Iterator[bytes]:
    """Contents of a file as far as a reader would read; of a larger one also its size."""
    status, left = os.stat(path), Limits().max_bytes  # noqa: PTH116
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        yield b"not a file: " + os.fsencode(path)
        return
    step = min(_BLOCK, status.st_size + 4096)  # as much is taken before it is known how much there is
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while left > 0 and (block := file.read(min(step, left))):
            left -= len(block)
            yield block
    if left <= 0:
        yield f"{status.st_size} bytes".encode()


class _Index:
    """The remembered digests; without them everything is read again, so its troubles are not the user's."""

    def __init__(self, path: Path) -> None:
        self._database: sqlite3.Connection | None = None
        try:
            self._database = sqlite3.connect(path, timeout=10)
            self._database.execute(_TABLE)
        except sqlite3.Error:
            self.close()

    def get(self, asked: Sequence[tuple[str, str | None]]) -> list[str | None]:
        """The digest of each path that still has the stamp it had."""
        names = [_text(path) for path, stamp in asked if stamp is not None]
        if self._database is None or not names:
            return [None] * len(asked)
        query = f"SELECT path, stamp, digest FROM files WHERE path IN ({','.join('?' * len(names))})"
        try:
            found = {
                path: (stamp, str(digest)) for path, stamp, digest in self._database.execute(query, names)
            }
        except sqlite3.Error:
            self.close()
            return [None] * len(asked)
        nothing = (None, None)
        rows = [(stamp, found.get(_text(path), nothing)) for path, stamp in asked]
        return [digest if stamp is not None and stamp == old else None for stamp, (old, digest) in rows]

    def put(self, rows: list[tuple[str, str | None, str]]) -> None:
        """Remember digests, but for files that are not to be trusted yet."""
        if self._database is None:
            return
        settled = [(_text(path), stamp, digest) for path, stamp, digest in rows if stamp is not None]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", settled)
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        """Do without from here on."""
        if self._database is not None:
            self._database.close()
            self._database = None


def _text(path: str) -> str:
    """File names need not be text; SQLite's must be."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
