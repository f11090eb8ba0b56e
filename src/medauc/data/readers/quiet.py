"""What libraries say while they read: kept from the terminal, and kept free of values of the file."""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator

_LOGGERS = ("pydicom", "nibabel", "nibabel.global", "PIL")
# What stands after a colon or in quotes may be a value of the file, and values may name a patient.
_FOREIGN_TEXT = re.compile(r"[:'\"`\n\[{<].*", re.DOTALL)


@contextlib.contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """Silence warnings and loggers; what was warned of is in the list."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    loggers = [
        logger for logger in loggers if logger.level <= logging.CRITICAL
    ]  # setting a level is not cheap
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield caught
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def without_values(message: object) -> str:
    """First words of a message of a library, cut before anything that could be a value of the file.

    >>> without_values(ValueError("Invalid value for VR PN: 'Doe^Jane'"))
    'Invalid value for VR PN'
    """
    words = _FOREIGN_TEXT.sub("", str(message)).strip()
    return words[:120] or type(message).__name__
