"""Where the tar files of a set are: in a folder, or at an address, with a bounded part of them kept on disk."""

import os
import queue
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from medauc.data.cache.folder import hold, in_units
from medauc.data.shards.fetch import fetch_file, fetch_range
from medauc.data.shards.layout import StoredFile
from medauc.errors import InputError

LIMIT_VARIABLE = "MEDAUC_STREAM_LIMIT"
DEFAULT_LIMIT = 20 * 10**9  # bytes
_CLAIM = ".coming"
_THREADS = 4  # shards fetched at a time
_ABANDONED = 3600.0  # seconds without a byte


class Store(ABC):
    """Gives the tar files of a set by number.

    Args:
        files: the tar files.
    """

    def __init__(self, files: Sequence[StoredFile]) -> None:
        self.files = tuple(files)

    @abstractmethod
    def here(self, shard: int) -> Path | None:
        """Path of a tar file that can be read at once; None when it has to be fetched."""

    def is_gone(self, shard: int) -> bool:
        """Whether a tar file that was here no longer is."""
        return False

    @abstractmethod
    def whole(self, shard: int) -> Path:
        """Path of a tar file, fetched if need be.

        Raises:
            InputError: it cannot be fetched.
        """

    @abstractmethod
    def part(self, shard: int, start: int, length: int) -> bytes:
        """Read bytes of a tar file that need not be here.

        Raises:
            InputError: they cannot be fetched.
        """

    @abstractmethod
    def expect(self, shards: Sequence[int]) -> None:
        """Say which tar files will be asked for, the first of them soonest."""

    @abstractmethod
    def require_room(self, count: int) -> None:
        """Raise InputError unless ``count`` tar files can be here together."""


class FolderStore(Store):
    """Tar files of a folder, read where they lie."""

    def __init__(self, folder: Path, files: Sequence[StoredFile]) -> None:
        super().__init__(files)
        self._paths = [folder / file.name for file in files]

    def here(self, shard: int) -> Path:
        """The file."""
        return self._paths[shard]

    def whole(self, shard: int) -> Path:
        """The file."""
        return self.here(shard)

    def part(self, shard: int, start: int, length: int) -> bytes:
        """Read from the file."""
        with self.here(shard).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def expect(self, shards: Sequence[int]) -> None:
        """Nothing to do."""

    def require_room(self, count: int) -> None:
        """All are here."""


class StreamStore(Store):
    """Tar files at an address, of which a bounded part is kept in a folder; processes may share the folder.

    What was not used for longest makes room. A file that another process maps may be removed: its pages stay until they
    are let go. Expected files are fetched by a few threads while the training goes on.

    Args:
        address: http(s) address of the set's folder.
        folder: where they are kept.
        files: the tar files.
        limit: most bytes kept; None takes MEDAUC_STREAM_LIMIT (in GB), else 20 GB.
    """

    def __init__(
        self, address: str, folder: Path, files: Sequence[StoredFile], limit: int | None = None
    ) -> None:
        super().__init__(files)
        self.address = address
        self.folder = folder
        self.limit = limit_of_streams() if limit is None else limit
        self._held = hold(folder)  # `medauc cache --clean` leaves it alone as long as this lives
        self._expected: tuple[int, ...] = ()
        self.calls = 0  # of expect; what earlier ones wanted is no longer fetched

    def here(self, shard: int) -> Path | None:
        """The file, if it is kept."""
        path = self.folder / self.files[shard].name
        try:
            os.utime(path)  # by which the one not used for longest is known
        except OSError:
            return None
        return path

    def is_gone(self, shard: int) -> bool:
        """Whether it made room for others."""
        return not (self.folder / self.files[shard].name).exists()

    def whole(self, shard: int) -> Path:
        """The file, fetched if it is not kept; who asks for the same one meanwhile waits."""
        from filelock import FileLock

        found = self.here(shard)
        if found is not None:
            return found
        file = self.files[shard]
        path = self.folder / file.name
        with FileLock(self.folder / f"{file.name}.lock"):
            found = self.here(shard)
            if found is None:
                claim = self._make_room(file)
                try:
                    fetch_file(f"{self.address}/{file.name}", path, file)
                finally:
                    claim.unlink(missing_ok=True)
        return path

    def part(self, shard: int, start: int, length: int) -> bytes:
        """Fetch the bytes alone."""
        return fetch_range(f"{self.address}/{self.files[shard].name}", start, length)

    def expect(self, shards: Sequence[int]) -> None:
        """Fetch them in the background, as many as the limit holds."""
        if tuple(shards) == self._expected:
            return
        self._expected = tuple(shards)
        self.calls += 1
        room = self.limit // 2  # the other half is for what is being read
        for shard in shards:
            room -= self.files[shard].bytes
            if room < 0:
                break
            _fetchers.want(self, shard)

    def require_room(self, count: int) -> None:
        """Raise InputError unless the ``count`` largest tar files fit into half of what may be kept."""
        needed = 2 * sum(sorted(file.bytes for file in self.files)[-count:])
        if needed > self.limit and sum(file.bytes for file in self.files) > self.limit:
            raise InputError(
                f"{self.address}: {count} shards are mixed at a time and as many fetched ahead, {in_units(needed)} in "
                f"all, and {in_units(self.limit)} may be kept; lower it with --set sampling.window, or raise the "
                f"variable {LIMIT_VARIABLE}, in GB"
            )

    def _make_room(self, file: StoredFile) -> Path:
        """Remove what was not used for longest, until ``file`` fits; return what holds its place until it is there."""
        from filelock import FileLock

        if file.bytes > self.limit:
            raise InputError(
                f"{self.address}: a shard takes {in_units(file.bytes)}, {in_units(self.limit)} may be kept; "
                f"raise it with the variable {LIMIT_VARIABLE}, in GB"
            )
        with FileLock(self.folder / "room.lock"):
            self._remove_leftovers()
            coming, kept = 0, []  # what comes meanwhile is counted twice rather than not
            for path in self.folder.glob(f"*{_CLAIM}"):
                with suppress(OSError):  # it has come
                    coming += path.stat().st_size
            for path in self.folder.glob("*.tar"):
                with suppress(OSError):  # removed meanwhile
                    found = path.stat()
                    kept.append((found.st_mtime, found.st_size, path))
            total = sum(size for _, size, _ in kept) + coming + file.bytes
            for _, size, path in sorted(kept):
                if total <= self.limit:
                    break
                path.unlink(missing_ok=True)
                total -= size
            claim = self.folder / f"{file.name}{_CLAIM}"
            with claim.open("wb") as place:
                place.truncate(file.bytes)  # a hole, which takes no disk
        return claim

    def _remove_leftovers(self) -> None:
        """Remove what killed processes had begun to fetch."""
        for path in (*self.folder.glob(".*.tmp"), *self.folder.glob(f"*{_CLAIM}")):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()


class _Fetchers:
    """A few threads of the process that fetch what any store expects; they keep no store alive."""

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[weakref.ref[StreamStore], int, int]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def want(self, store: StreamStore, shard: int) -> None:
        """Fetch a tar file when there is time, unless the store expects others by then."""
        self._wanted.put((weakref.ref(store), shard, store.calls))
        while len(self._threads) < _THREADS:
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()

    def _work(self) -> None:
        while True:
            self._fetch(*self._wanted.get())

    @staticmethod
    def _fetch(reference: "weakref.ref[StreamStore]", shard: int, call: int) -> None:
        store = reference()
        if store is not None and store.calls == call:
            with suppress(Exception):  # whoever reads the shard meets the same failure, and tells it
                store.whole(shard)


_fetchers = _Fetchers()


def limit_of_streams() -> int:
    """Bytes that each streamed set may keep on disk: as MEDAUC_STREAM_LIMIT says in GB, else 20 GB.

    Raises:
        InputError: the variable is no positive number.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    if not text:
        return DEFAULT_LIMIT
    try:
        limit = int(float(text) * 10**9)
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise InputError(f"{LIMIT_VARIABLE} is {text!r}; it must be a number of GB, such as 20")
    return limit
