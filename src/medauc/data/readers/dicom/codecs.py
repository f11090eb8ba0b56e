"""Decoding compressed frames in a process of their own (:mod:`.codec_process`), kept for the next file."""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits

_START_SECONDS = 120.0
# Codecs decode tens of millions of values a second; a share of that, so that a busy machine does not refuse a file.
_VALUES_A_SECOND = 500_000
# The process counts its own time; waiting for longer than this many times as much means that it does nothing at all.
_PATIENCE = 30.0
_STUCK = "its compressed pixels crash or stall the codec; the file is damaged: copy it again or leave it out"
_TYPES = tuple(
    f"{order}{kind}" for order in "|<>" for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
)


class _Process:
    """One decoding process."""

    def __init__(self, limits: Limits) -> None:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        self.owner = os.getpid()
        self.bytes = limits.max_bytes
        self.in_step = True  # whether it waits for a request, and has no more to say about the last
        self.child = subprocess.Popen(
            [sys.executable, "-m", "medauc.data.readers.dicom.codec_process", str(limits.max_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.requests: IO[bytes] = self.child.stdin
        self.replies: IO[bytes] = self.child.stdout
        with self._alarm(_START_SECONDS):
            if self._answer() != {"ready": True}:
                raise Refusal("needs a codec process, which did not start; is medauc installed properly?")

    def frames(
        self, path: Path, shape: tuple[int, ...], count: int, seconds: float
    ) -> Iterator[npt.NDArray[Any]]:
        """At most ``count`` frames of a file, each of ``shape``."""
        self.in_step = False
        with self._alarm(_PATIENCE * seconds):
            self.requests.write(json.dumps([str(path.absolute()), count, seconds]).encode() + b"\n")
            self.requests.flush()
            while "end" not in (answer := self._answer()):
                if tuple(answer["shape"]) != shape or answer["dtype"] not in _TYPES:
                    raise Refusal("its frames are not as large as its header says; the file is damaged")
                yield self._values(shape, np.dtype(answer["dtype"]))
        self.in_step = True
        if answer["end"]:
            raise Refusal(str(answer["end"])[:200])

    def close(self) -> None:
        """End the process."""
        self.child.kill()
        self.child.wait()
        for pipe in (self.requests, self.replies):
            with contextlib.suppress(OSError):  # what was not sent to a dead process cannot be flushed
                pipe.close()

    def _answer(self) -> dict[str, Any]:
        line = self.replies.readline(10_000)
        if not line.endswith(b"\n"):
            raise Refusal(_STUCK)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _values(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        values = np.empty(shape, dtype)
        view = values.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            if not (got := self.replies.readinto(view[done:])):  # type: ignore[attr-defined]
                raise Refusal(_STUCK)
            done += got
        return values

    def _alarm(self, seconds: float) -> "_Alarm":
        return _Alarm(seconds, self.child)


class _Alarm:
    """Kill a process that takes too long; what waits for its answer then sees the end of it."""

    def __init__(self, seconds: float, child: "subprocess.Popen[bytes]") -> None:
        self._timer = threading.Timer(seconds, child.kill)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


_lock = threading.Lock()
_running: list[_Process] = []


def decoded_apart(
    path: Path, shape: tuple[int, ...], frames: int, limits: Limits
) -> Iterator[npt.NDArray[Any]]:
    """Frames of a compressed DICOM file, decoded in another process within the limits of memory and time.

    Args:
        path: The file.
        shape: Shape of a frame, as the header says.
        frames: How many it declares.
        limits: What decoding may cost.

    Yields:
        Arrays of ``shape``.

    Raises:
        Refusal: The frames cannot be decoded, or the codec crashed, stalled or wanted too much memory.
    """
    seconds = limits.max_seconds + frames * float(np.prod(shape)) / _VALUES_A_SECOND
    with _lock:
        process = _process(limits)
        try:
            yield from process.frames(path, shape, frames, seconds)
        finally:
            if not process.in_step:
                _running.clear()
                process.close()


def _process(limits: Limits) -> _Process:
    """The running process, or a new one where it died, has other limits, or belongs to the parent of a fork."""
    if _running:
        process = _running[0]
        usable = process.owner == os.getpid() and process.child.poll() is None
        if usable and process.bytes == limits.max_bytes:
            return process
        _running.clear()
        if process.owner == os.getpid():
            process.close()
    _running.append(_Process(limits))
    return _running[0]


@atexit.register
def _end() -> None:
    if _running and _running[0].owner == os.getpid():
        _running[0].close()
        _running.clear()
