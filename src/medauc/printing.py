"""Saying how far work is: whoever listens may leave, and the work goes on."""

import os
import sys
from typing import TextIO


def say(line: str, *, err: bool = False, end: str = "\n") -> None:
    """Print a line; where it cannot be written, nothing further is printed there and the work goes on.

    A reader that has seen enough (``| head``) closes its pipe, a disk that holds a log may be full, and a service may
    have no such stream: none is a reason to lose a training. Letters that the stream's encoding lacks are escaped.

    Args:
        line: without its end; may hold several.
        err: whether on standard error.
        end: what follows it.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None or stream.closed:  # not to print(), for which None is standard output
        return
    try:
        stream.write(_writable(line + end, stream))
        stream.flush()
    except OSError:
        # What is still buffered goes the same way: else Python tries again when it ends, and fails.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def open_missing() -> None:
    """Give a process the standard streams that it was started without (``2>&-``), leading nowhere.

    Else they are None, which libraries ask whether it is a terminal, and the next file that is opened takes their
    number and all that C code prints.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def show(part: object, *, highlight: bool = True) -> None:
    """Print a table of rich's, or another part that it lays out, as :func:`say` does a line.

    Args:
        part: what is laid out for the terminal that there is; a text's lines stay as they are.
        highlight: whether numbers and paths of a text have colours on a terminal.
    """
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(part, highlight=highlight, soft_wrap=isinstance(part, str))
    say(captured.get(), end="")


def _writable(text: str, stream: TextIO) -> str:
    """The text, with escapes for what the stream cannot take."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding, stream.errors or "strict")
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text
