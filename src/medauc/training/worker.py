"""The other end of a local executor's pipe: a process that trains what it is sent, one unit after the other."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import connection
from pathlib import Path
from typing import Any

from medauc.data import Dataset, load_dataset
from medauc.training.shared_data import SharedData
from medauc.training.unit import Outcome, Unit, run_unit


def serve(pipe: "connection.Connection[Any, Unit]", threads: int, shared: Path | None = None) -> None:
    """Train units until the pipe ends.

    Args:
        pipe: gives units, takes outcomes.
        threads: threads of torch.
        shared: folder through which workers share data sets; None where there is but one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    import medauc.training.fit  # noqa: F401  so that the first unit's seconds are its own

    torch.set_num_threads(threads)
    load = lru_cache(maxsize=1)(load_dataset if shared is None else SharedData(shared))
    while True:
        try:
            unit = pipe.recv()
        except EOFError:
            return
        pipe.send(run_logged(unit, load))


def log_of(folder: Path) -> Path:
    """Where what a training prints is kept, if it prints anything."""
    return folder.with_name(f"{folder.name}.log")


def run_logged(unit: Unit, load: Callable[..., Dataset]) -> Outcome:
    """:func:`run_unit`, all output, tracebacks and that of C code too, in :func:`log_of` its folder."""
    with _output_to(log_of(unit.folder)):
        outcome = run_unit(unit, load)
        if outcome.details:
            sys.stderr.write(outcome.details)
        return outcome


def _end_with_parent() -> None:
    """Without this a training would go on after its benchmark was killed, and meet its own resumption."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send all output of the process to ``log``: the terminal belongs to the benchmark's progress."""
    before = os.dup(1), os.dup(2)
    _redirect(_opened(log))
    try:
        yield
    finally:
        _redirect(*before)
        if log.is_file() and log.stat().st_size == 0:
            log.unlink()


def _opened(log: Path) -> int:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:  # the training will say so
        return os.open(os.devnull, os.O_WRONLY)


def _redirect(output: int, errors: int | None = None) -> None:
    """Make these descriptors standard output and standard error, and close them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(output, 1)
    os.dup2(output if errors is None else errors, 2)
    for descriptor in {output, output if errors is None else errors}:
        os.close(descriptor)
