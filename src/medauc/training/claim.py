"""A run folder belongs to one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from medauc.errors import InputError
from medauc.files import telling_full


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep every other process out of a run folder; the claim ends with the process, however it ends.

    It is a lock on a file beside the folder, which the system gives up when its process dies: the file that a killed
    one leaves keeps nobody out.

    Raises:
        InputError: another process holds it, or nothing can be written there.
        DiskFull: there is no room for the file.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "run"
    >>> with claimed(folder), claimed(folder):
    ...     pass
    Traceback (most recent call last):
    medauc.errors.InputError: ...run: another process is training it; wait for that one, or name another with --out
    """
    from filelock import FileLock, Timeout  # brings asyncio along, which every start of medauc would pay for

    whole = folder.resolve()
    claim = whole.with_name(f".{whole.name}.lock")
    lock = FileLock(claim, timeout=0)
    made = [parent for parent in claim.parents if not parent.exists()]
    try:
        with telling_full(claim):
            claim.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except Timeout:
        raise InputError(
            f"{folder}: another process is training it; wait for that one, or name another with --out"
        ) from None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error.strerror or error}); name another with --out"
        ) from None
    try:
        yield
    finally:
        claim.unlink(missing_ok=True)  # before it is given up, so that nobody's file is removed
        lock.release()
        with suppress(OSError):  # what was refused leaves no empty folders, what was begun is not empty
            for parent in made:
                parent.rmdir()
