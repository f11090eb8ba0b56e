"""Several processes that prepare rows at a time; one that dies costs the file that killed it, nothing else."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medauc.data.cache.rows import RowJob, write_rows

_KILLED = f"signal {int(signal.SIGKILL)}"
Rows = NDArray[np.int64]
Failed = list[tuple[int, str]]  # rows and reasons
_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1") | {
    # glibc keeps what one image took for the next: fresh pages for each cost a third of the time of volumes.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def prepare_rows(
    job: RowJob, paths: Sequence[str], chunks: Sequence[Rows], jobs: int
) -> Iterator[tuple[Rows, Failed]]:
    """Prepare rows and write them.

    Args:
        job: What they have in common.
        paths: Path of every row.
        chunks: Rows that are handed out together.
        jobs: Worker processes; 0 works in this one, as do few rows, which are not worth a start.

    Yields:
        Each chunk when it is done, in their order, with the rows that failed.

    Raises:
        OSError: The array cannot be written (disk full).
    """
    if jobs == 0 or len(chunks) <= 1:
        for chunk in chunks:
            yield chunk, write_rows(job, [(int(row), paths[row]) for row in chunk])
        return
    workers = _Workers(job)
    threads = ThreadPoolExecutor(min(jobs, len(chunks)))
    try:
        done = threads.map(lambda chunk: workers.run([(int(row), paths[row]) for row in chunk]), chunks)
        yield from zip(chunks, done, strict=True)
    finally:
        workers.close()
        threads.shutdown(cancel_futures=True)


class _Workers:
    """One worker process for each thread that asks."""

    def __init__(self, job: RowJob) -> None:
        self._job = job
        self._mine = threading.local()
        self._all: list[_Worker] = []
        self._closed = False
        self._lock = threading.Lock()

    def run(self, rows: list[tuple[int, str]], again: bool = True) -> Failed:
        """Have rows prepared; where that ends the worker, each by itself, to find the one.

        A file is not to blame for a worker that was killed from outside: it is tried ``again``.
        """
        try:
            return self._worker().run(rows)
        except _Died as death:
            if self._closed:
                raise
            self._mine.worker = None
            if len(rows) == 1:
                if again and str(death) == _KILLED:
                    return self.run(rows, again=False)
                return [(rows[0][0], f"reading it ended the process ({death})")]
            return [failure for row in rows for failure in self.run([row])]

    def close(self) -> None:
        """End them all; what they were at is done again next time."""
        with self._lock:
            self._closed = True
            for worker in self._all:
                worker.kill()

    def _worker(self) -> "_Worker":
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            with self._lock:
                if self._closed:
                    raise _Died("closed")
                worker = self._start()
                self._all.append(worker)
            self._mine.worker = worker
        return worker

    def _start(self) -> "_Worker":
        """Start one, once more if it is killed from outside."""
        try:
            return _Worker(self._job)
        except _Died as death:
            if str(death) == _KILLED:
                return _Worker(self._job)
            # Else every file would be blamed for it.
            raise RuntimeError(f"a worker process of the cache does not start ({death})") from None


class _Died(Exception):
    """The worker is no more."""


class _Worker:
    """One process, asked and answered by lines of JSON."""

    def __init__(self, job: RowJob) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "medauc.data.cache.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _ENVIRONMENT,
        )
        self._send(job.to_json())
        self._answer()

    def run(self, rows: list[tuple[int, str]]) -> Failed:
        """Have rows prepared."""
        self._send(json.dumps(rows))
        answer: Any = json.loads(self._answer())
        if isinstance(answer, dict):
            raise OSError(answer["errno"], answer["strerror"])
        return [(int(row), str(reason)) for row, reason in answer]

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._end()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            raise _Died(self._end()) from None

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise _Died(self._end())
        return line

    def _end(self) -> str:
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit status {code}"
