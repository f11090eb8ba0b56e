"""Many trainings: an executor takes units and gives back outcomes; local worker processes are one kind of it.

Benchmarks, ensembles and searches all train through an :class:`Executor`, so that another kind (a cluster) serves
them all.
"""

import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from medauc.errors import InputError
from medauc.training import ranks
from medauc.training.deaths import KILLED, OUT_OF_MEMORY, after_death, goes_on_elsewhere
from medauc.training.memory import OomKills
from medauc.training.pool import Pool
from medauc.training.scratch import make_scratch
from medauc.training.unit import Outcome, Unit
from medauc.training.worker import serve


class Executor(Protocol):
    """Runs units somewhere; a context manager, after which nothing runs."""

    @property
    def jobs(self) -> int:
        """Trainings at a time, as it stands."""
        ...

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """Run ``units`` and yield each outcome as it comes, in any order.

        The next unit is taken from ``units`` when there is a place for it, so a generator can decide late what to
        train, or stop when a budget is used up. Closing the iterator, or an exception at it (Ctrl-C), stops
        what is running; every stopped run can be resumed by running its unit again.
        """
        ...


def open_executor(
    where: str = "local", jobs: int | None = None, threads: int | None = None, gpus: float | None = None
) -> AbstractContextManager[Executor]:
    """Make the executor that a user named; it stops what runs when its context is left.

    Args:
        where: "local", "ray://HOST:PORT" of a cluster's head, or "ray://auto" for the cluster that this machine is in.
        jobs: trainings at a time; None is one here, and all that a cluster has room for.
        threads: threads of each; None shares the cores here, and is one on a cluster.
        gpus: GPUs of each on a cluster, a fraction where several share one; None is 1 where the cluster has any.

    Raises:
        InputError: another name, Ray is not installed, the cluster does not answer or has no room, or GPUs are asked
            for here.

    >>> with open_executor("local", jobs=2, threads=1) as executor:
    ...     executor.jobs
    2
    """
    if where == "local":
        if gpus is not None:
            raise InputError(
                "--gpus: only a cluster shares out GPUs; name one with --executor, or leave it out"
            )
        return LocalExecutor(jobs or 1, threads)
    if where.startswith("ray://") and where != "ray://":
        from medauc.training.cluster.executor import RayExecutor

        return RayExecutor(where.removeprefix("ray://"), jobs, threads or 1, gpus)
    raise InputError(f"--executor {where}: it must be local, ray://HOST:PORT or ray://auto")


class LocalExecutor(Pool):
    """Worker processes on this machine, started when first needed and used again until the executor is closed.

    A worker loads a data set once and keeps it; several workers map the pixels of one copy. One that dies (killed, out
    of memory) is replaced, and its unit continued from its last checkpoint, once. With this process, however it ends,
    the workers end.

    Args:
        jobs: trainings at a time, 1 or more.
        threads: threads of each; None shares the cores that this process may use (``OMP_NUM_THREADS`` is an upper
            bound).

    Raises:
        ValueError: ``jobs`` or ``threads`` is below 1.

    >>> with LocalExecutor(jobs=2, threads=1) as executor:
    ...     list(executor.run([]))
    []
    """

    def __init__(self, jobs: int = 1, threads: int | None = None) -> None:
        if jobs < 1 or (threads is not None and threads < 1):
            raise ValueError(f"an executor needs 1 or more jobs and threads, got {jobs} and {threads}")
        super().__init__()
        self._jobs = jobs
        self.threads = threads or threads_for(jobs)
        self._idle: list[_Worker] = []
        self._shared: Path | None = None

    @property
    def jobs(self) -> int:
        """Trainings at a time."""
        return self._jobs

    def close(self) -> None:
        """Stop the workers; what they were at can be resumed."""
        self.stop()
        for worker in self._idle:
            worker.kill()
        self._idle = []
        if self._shared is not None:
            shutil.rmtree(self._shared, ignore_errors=True)
            self._shared = None

    def stop(self) -> None:
        """End what runs."""
        for task in self.busy.values():
            task.worker.kill()
        self.busy = {}

    def begin(self, unit: Unit) -> None:
        """Give a unit to a worker."""
        self._start(unit, attempt=1)

    def wait(self) -> Iterable[Any]:
        """Pipes of workers that have answered or died."""
        return connection.wait(list(self.busy))

    def _start(self, unit: Unit, attempt: int) -> None:
        worker = self._idle.pop() if self._idle else self._new_worker()
        try:
            worker.begin(unit)
        except OSError:  # it died while it was idle
            worker.kill()
            worker = self._new_worker()
            worker.begin(unit)
        self.busy[worker.connection] = _Task(worker, unit, attempt)

    def _new_worker(self) -> "_Worker":
        if self.jobs > 1 and self._shared is None:
            self._shared = make_scratch()
        return _Worker(self.threads, self._shared)

    def collect(self, ready: Any) -> Outcome | None:
        """Take a worker's answer, or replace the worker; None while its unit is tried again."""
        task = self.busy.pop(ready)
        try:
            outcome: Outcome = ready.recv()
        except (EOFError, OSError):
            given_up = after_death(task.unit, task.attempt, task.worker.bury())
            if given_up is None:
                self._start(task.unit, task.attempt + 1)
            return given_up
        if not outcome.exhausted:
            self._idle.append(task.worker)
            return outcome
        task.worker.kill()
        if goes_on_elsewhere(outcome, task.attempt):
            self._start(task.unit, task.attempt + 1)
            return None
        return outcome


def threads_for(jobs: int) -> int:
    """Threads of each of ``jobs`` processes that share the cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    share = max(1, cores // jobs)
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(wanted)) if wanted.isdigit() and int(wanted) else share


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, threads: int, shared: Path | None) -> None:
        context = get_context("spawn")  # a forked torch may hang
        self.connection, theirs = context.Pipe()
        self._oom_kills: OomKills | None = None
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, threads, shared), daemon=True)
        values = ranks.nobody() | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        with _environment(values), _interrupts_ignored():
            self.process.start()
        theirs.close()  # else the pipe would not end with the process

    def begin(self, unit: Unit) -> None:
        """Give it something to do; of kills for want of memory only later ones can be its own."""
        self._oom_kills = None if self.process.pid is None else OomKills.of(self.process.pid)
        self.connection.send(unit)

    def kill(self) -> None:
        """End it at once: everything it writes is written atomically."""
        self.process.kill()
        self.bury()

    def bury(self) -> str:
        """Wait for its end and say how it ended."""
        self.connection.close()
        self.process.join()
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return OUT_OF_MEMORY if self._oom_kills is not None and self._oom_kills.any_more() else KILLED
        return f"signal {-code}" if code < 0 else f"exit status {code}"


@dataclass(frozen=True)
class _Task:
    """What a worker is at."""

    worker: _Worker
    unit: Unit
    attempt: int


@contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """Set or remove variables that a process started meanwhile inherits: they count before torch is imported."""
    before = {name: os.environ.get(name) for name in values}
    _set_variables(values)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process started meanwhile ignores Ctrl-C from its first moment on; this one decides what it means."""
    if threading.current_thread() is not threading.main_thread():  # only there handlers can be set
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
