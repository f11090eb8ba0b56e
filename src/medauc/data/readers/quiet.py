"""What libraries say while they read: kept from the terminal, and kept free of values of the file."""

import contextlib
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

_LOGGERS = ("pydicom", "nibabel", "nibabel.global", "PIL")
# What stands after a colon or in quotes may be a value of the file, and values may name a patient.
_FOREIGN_TEXT = re.compile(r"(?:[:\"`\n\[{<]|(?<!n)'|'(?!t\b)).*", re.DOTALL)  # can't is a word


@contextlib.contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Silence warnings and loggers; what this thread was warned of is in the list.

    Python's own ``catch_warnings`` is for one thread: with several, lists get each other's warnings, and what is
    restored last may be another thread's state.
    """
    caught: list[warnings.WarningMessage] = []
    outer: list[warnings.WarningMessage] | None = getattr(_heard, "caught", None)
    _heard.caught = caught
    _silence.enter()
    try:
        yield caught
    finally:
        _silence.leave()
        _heard.caught = outer


class _Silence:
    """Begins with the first that needs it and ends with the last, whatever thread they are in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._undo = contextlib.ExitStack()

    def enter(self) -> None:
        """Begin."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            self._undo.enter_context(warnings.catch_warnings())
            warnings.simplefilter("always")
            warnings.showwarning = partial(_hear, warnings.showwarning)
            for name in _LOGGERS:
                logger = logging.getLogger(name)
                self._undo.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.CRITICAL + 1)

    def leave(self) -> None:
        """End."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._undo.close()


_heard, _silence = threading.local(), _Silence()


def _hear(otherwise: Callable[..., None], *warning: Any) -> None:
    """Keep a warning for the thread that it is for; threads that do not listen get theirs as ever."""
    caught: list[warnings.WarningMessage] | None = getattr(_heard, "caught", None)
    if caught is None:
        otherwise(*warning)
    else:
        caught.append(warnings.WarningMessage(*warning))


def without_values(message: object) -> str:
    """First words of a message of a library, cut before anything that could be a value of the file.

    >>> without_values(ValueError("Invalid value for VR PN: 'Doe^Jane'"))
    'Invalid value for VR PN'
    """
    words = _FOREIGN_TEXT.sub("", str(message)).strip()
    return words[:120] or type(message).__name__
