"""Writing files so that a crash never leaves half of one, and saying what is wrong where they cannot be."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

from medauc.errors import InputError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskFull(Exception):
    """A disk, quota or limit on file sizes is used up: nobody's input is wrong, and it goes on when there is room.

    Not an OSError: what turns those into advice about the user's input lets this one pass.
    """


def is_full(error: BaseException) -> bool:
    """Whether an error means that there was no room to write."""
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _FULL)


@contextmanager
def telling_full(path: Path) -> Iterator[None]:
    """Raise :class:`DiskFull` that names ``path`` where the block finds no room to write it."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFull(f"no space left to write {path} ({error.strerror})") from error


def require_writable(folder: Path, remedy: str = "name another with --out") -> None:
    """Refuse a folder that nothing can be written into, before any work is done for it; it need not exist yet.

    Raises:
        InputError: it, or the nearest folder above it that exists, is none or is read-only for this user.

    >>> import tempfile
    >>> require_writable(Path(tempfile.mkdtemp()) / "new" / "run")
    """
    whole = folder.absolute()
    nearest = next(path for path in (whole, *whole.parents) if os.path.exists(path))  # noqa: PTH110  never raises
    if not nearest.is_dir():
        raise InputError(f"{folder}: cannot be written: {nearest} is not a folder; {remedy}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(
            f"{folder}: cannot be written: {nearest} is read-only here; make it writable or {remedy}"
        )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success, remove it on failure.

    The temporary file is flushed to disk before the rename, so ``path`` holds either its old or its
    whole new content, also after a power cut or a full disk.

    Raises:
        DiskFull: there is no room; ``path`` is as it was.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "answer.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("42")
    >>> target.read_text()
    '42'
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with telling_full(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_leftover(path: Path) -> bool:
    """Whether this is a half-written file of :func:`atomic_path`, which a killed process leaves.

    >>> is_leftover(Path("runs/.report.html.1f0c.tmp")), is_leftover(Path("runs/report.html"))
    (True, False)
    """
    return path.name.startswith(".") and path.suffix == ".tmp"


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` through :func:`atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` through :func:`atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_all(file: RawIOBase, content: bytes | memoryview) -> None:
    """Write all of ``content`` to an unbuffered file, which by itself stops in the middle where a disk gets full."""
    left = memoryview(content).cast("B")
    while left:
        left = left[file.write(left) or 0 :]


def save_text(path: Path | str, text: str) -> None:
    """Write a file that the user asked for, whole or not at all.

    Raises:
        InputError: The file cannot be written; one line says which and why.
        DiskFull: There is no room for it.
    """
    try:
        write_text_atomically(Path(path), text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None
