"""Saying how far work is: whoever listens may leave, and the work goes on."""

import os
import sys


def say(line: str, *, err: bool = False) -> None:
    """Print a line; where it cannot be written, nothing further is printed there and the work goes on.

    A reader that has seen enough (``| head``) closes its pipe, and a disk that holds a log may be full: neither is a
    reason to lose a training.

    Args:
        line: without its end; may hold several.
        err: whether on standard error.
    """
    stream = sys.stderr if err else sys.stdout
    try:
        print(line, file=stream, flush=True)
    except OSError:
        # What is still buffered goes the same way: else Python tries again when it ends, and fails.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
