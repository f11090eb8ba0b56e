"""Where a search's trials are kept: a journal file in its folder, or a database by URL."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from medauc.errors import InputError
from medauc.files import telling_full

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

JOURNAL = "journal.log"
_SECRET = frozenset({"password", "passwd", "sslpassword", "passfile"})  # in a URL's query
_HIDDEN = "***"


class Unreachable(InputError):
    """The database does not answer, which may pass."""


def open_storage(url: str | None, folder: Path) -> "BaseStorage":
    """Open the storage, made if it is not there.

    Args:
        url: as SQLAlchemy has it (``postgresql://user@host/database``); None takes ``journal.log`` in the folder.
        folder: the search's.

    Raises:
        InputError: the database cannot be reached, or what speaks to it is not installed.
    """
    return _journal(folder / JOURNAL) if url is None else _database(url)


def open_study(
    storage: "BaseStorage",
    name: str,
    sampler: "BaseSampler | None" = None,
    pruner: "BasePruner | None" = None,
) -> "Study":
    """The study of that name, made if it is not there; higher values are better."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        direction="maximize",
        sampler=sampler,
        pruner=pruner,
    )


def without_password(url: str | None) -> str | None:
    """A storage's URL as it may be written down.

    Raises:
        InputError: it is no URL; what was given is not repeated, since it may hold a password.

    >>> without_password("postgresql://me:secret@host/tune?sslpassword=secret")
    'postgresql://me:***@host/tune?sslpassword=***'
    """
    if url is None:
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise InputError("--storage: not a URL such as postgresql://user@host:5432/database") from None
    if "@" in (parsed.host or ""):  # the rest of a password would be shown as part of the host
        raise InputError("--storage: an @ in a user's name or password is written %40")
    hidden = {key: _HIDDEN for key in parsed.query if key.lower() in _SECRET}
    shown = parsed.update_query_dict(hidden).render_as_string(hide_password=True)
    return shown.replace(quote_plus(_HIDDEN), _HIDDEN)


def _journal(path: Path) -> "BaseStorage":
    from filelock import FileLock
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    lock = FileLock(f"{path}.lock")

    class KernelLock(JournalFileOpenLock):
        """A lock that ends with its process; Optuna's own outlives a killed one by half a minute."""

        def __init__(self) -> None: ...

        def acquire(self) -> bool:
            """Called before each line is appended, which must not continue the half of another."""
            with ExitStack() as failed:
                failed.enter_context(lock.acquire())
                _cut_half_line(path)
                failed.pop_all()
            return True

        def release(self) -> None:
            lock.release()

    class Journal(JournalFileBackend):
        """Optuna's, that says which file found no room."""

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            with telling_full(path):
                super().append_logs(logs)

    return JournalStorage(Journal(str(path), KernelLock()))


def _cut_half_line(path: Path) -> None:
    """Cut off the half of a line that a full disk or a kill left; needs no room, and only who holds the lock may."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0 or (file.seek(-1, os.SEEK_END), file.read(1))[1] == b"\n":
            return
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
    os.truncate(path, whole)


def _database(url: str) -> "BaseStorage":
    import sqlalchemy.exc
    from optuna.storages import RDBStorage

    shown = without_password(url)
    try:
        return RDBStorage(_with_driver(url), engine_kwargs={"pool_pre_ping": True})
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        missing = _cause(error)
        hint = (
            "install it with: pip install 'medauc[postgres]'"
            if "psycopg" in missing
            else "install its driver"
        )
        raise InputError(f"--storage {shown}: {missing}; {hint}") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise Unreachable(f"--storage {shown}: cannot be used: {_cause(error)}") from None


def outage(error: BaseException) -> str | None:
    """What the database says, in one line, where an error means that it is away; else None."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import InterfaceError, OperationalError

    inner = error.__cause__ if isinstance(error, StorageInternalError) else error
    return _cause(inner) if isinstance(inner, InterfaceError | OperationalError) else None


def _cause(error: BaseException) -> str:
    """What the innermost error says, in one line; SQLAlchemy adds the statement and a link."""
    inner: Any = getattr(error, "orig", None) or error.__cause__ or error
    return " ".join(str(inner).split())


def _with_driver(url: str) -> str:
    """PostgreSQL is spoken by psycopg 3, whatever SQLAlchemy's version takes by default.

    >>> _with_driver("postgres://me@host/tune")
    'postgresql+psycopg://me@host/tune'
    """
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg{separator}{rest}" if scheme in ("postgres", "postgresql") else url
