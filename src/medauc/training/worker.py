"""The other end of a local executor's pipe: a process that trains what it is sent, one unit after the other."""

import multiprocessing
import os
import signal
import sys
import threading
from functools import lru_cache
from multiprocessing import connection
from pathlib import Path
from typing import Any

from medauc.data import load_dataset
from medauc.training.unit import Unit, run_unit


def serve(pipe: "connection.Connection[Any, Unit]", threads: int) -> None:
    """Train units until the pipe ends.

    Args:
        pipe: gives units, takes outcomes.
        threads: threads of torch.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    import medauc.training.fit  # noqa: F401  so that the first unit's seconds are its own

    torch.set_num_threads(threads)
    load = lru_cache(maxsize=1)(load_dataset)
    while True:
        try:
            unit = pipe.recv()
        except EOFError:
            return
        log = unit.folder.with_name(f"{unit.folder.name}.log")
        _write_to(log)
        outcome = run_unit(unit, load)
        if outcome.details:
            sys.stderr.write(outcome.details)
        _close(log)
        pipe.send(outcome)


def _end_with_parent() -> None:
    """Without this a training would go on after its benchmark was killed, and meet its own resumption."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _write_to(log: Path) -> None:
    """Send all output, that of C code too, to ``log``: the terminal belongs to the benchmark's progress."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _close(log: Path) -> None:
    """Remove the log when nothing was written."""
    sys.stdout.flush()
    sys.stderr.flush()
    if log.stat().st_size == 0:
        log.unlink()
