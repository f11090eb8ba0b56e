"""Building one set of prepared images: resumable, in parallel, without ever holding more than a few images."""

import json
import os
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from medauc.data.cache.digests import Digests
from medauc.data.cache.folder import ABOUT, DIGESTS, IMAGES, discard
from medauc.data.cache.pool import prepare_rows
from medauc.data.cache.progress import ShowProgress
from medauc.data.cache.rows import RowJob
from medauc.files import telling_full, write_all, write_bytes_atomically, write_text_atomically

_DONE = "done"  # one byte a row: 1 where its pixels are safe on disk
_HEAD = 4096  # bytes before the first row: an image of 64 x 64 pixels is then one page of the disk, not parts of two
_CHUNK_BYTES = 2 << 20  # of pixels handed out at a time
_CHUNK_ROWS = 32
_SAVE_EVERY = 5.0  # seconds of work that a kill may cost
_COPY_ROWS = 1024


@dataclass(frozen=True)
class Plan:
    """What is to be built.

    Attributes:
        paths: One file a row.
        digests: Of their contents.
        job: How rows are prepared; its ``file`` and ``offset`` are filled in by :func:`build`.
        about: Stored beside the images.
    """

    paths: Sequence[str]
    digests: Digests
    job: RowJob
    about: dict[str, Any]


def bytes_of(rows: int, shape: Sequence[int]) -> int:
    """Bytes of the finished array and what lies beside it."""
    return rows * (prod(shape) + 64) + 2 * _HEAD


def build(
    plan: Plan, part: Path, known: Sequence[Path], jobs: int, progress: ShowProgress
) -> list[tuple[int, str]]:
    """Prepare all rows that are not done yet.

    Args:
        plan: What is to be built.
        part: Folder to build in; rows that an earlier, stopped building finished there are kept.
        known: Finished entries of the same preparation, whose rows of equal files are copied.
        jobs: Worker processes at a time; 0 for none.
        progress: Told how many rows are done.

    Returns:
        Row and reason of each file that could not be prepared; their pixels are 0.

    Raises:
        DiskFull: There is no room; what is done is kept.
        OSError: The folder cannot be written.
    """
    with telling_full(part):
        return _fill(plan, part, known, jobs, progress)


def _fill(
    plan: Plan, part: Path, known: Sequence[Path], jobs: int, progress: ShowProgress
) -> list[tuple[int, str]]:
    job, done = _begin(plan, part)
    for entry in known:
        _copy_rows(plan, job, entry, done)
    todo = np.flatnonzero(done == 0)
    total, ready = len(done), int(done.sum())
    failures: list[tuple[int, str]] = []
    progress("preparing images", ready, total)
    saved = time.monotonic()
    for rows, failed in prepare_rows(job, plan.paths, list(_chunks(todo, job.shape)), jobs):
        failures += failed
        done[rows] = 1
        done[[row for row, _ in failed]] = 0  # so that they are tried again when resumed
        ready += len(rows)
        progress("preparing images", ready, total)
        if time.monotonic() - saved > _SAVE_EVERY:
            _save(part, done)
            saved = time.monotonic()
    _save(part, done)
    return failures


def finish(plan: Plan, part: Path, entry: Path, failures: Sequence[tuple[int, str]]) -> None:
    """Make what was built the entry, at once."""
    about = plan.about | {"failures": [list(failure) for failure in failures]}
    write_text_atomically(part / ABOUT, json.dumps(about))
    (part / _DONE).unlink()
    if entry.exists():
        discard(entry)
    part.rename(entry)


def _begin(plan: Plan, part: Path) -> tuple[RowJob, NDArray[np.uint8]]:
    """Make the folder with an empty array, or take up what lies there."""
    count, shape = len(plan.paths), plan.job.shape
    if not (part / _DONE).exists():
        if part.exists():
            discard(part)
        part.mkdir()
        write_text_atomically(part / ABOUT, json.dumps(plan.about))
        np.save(part / DIGESTS, plan.digests)
        _empty_array(part / IMAGES, (count, *shape))
        write_bytes_atomically(part / _DONE, bytes(count))
    done = np.frombuffer((part / _DONE).read_bytes(), dtype=np.uint8).copy()
    offset = (part / IMAGES).stat().st_size - count * prod(shape)
    job = RowJob(str(part / IMAGES), offset, shape, plan.job.spec, plan.job.size, plan.job.spatial_dims)
    return job, done


def _empty_array(path: Path, shape: tuple[int, ...]) -> None:
    """Write the head of a ``.npy`` file of zeros; the rest is a hole that fills as rows are written."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode("ascii")
    head = npy.magic(1, 0) + struct.pack("<H", _HEAD - 10)
    with path.open("wb") as file:
        file.write(head + text.ljust(_HEAD - len(head) - 1) + b"\n")
        file.truncate(_HEAD + prod(shape))


def _chunks(rows: NDArray[np.int64], shape: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """Rows to hand out together."""
    step = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // max(1, prod(shape))))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _save(part: Path, done: NDArray[np.uint8]) -> None:
    """Write down what is done, after its pixels are on disk."""
    with (part / IMAGES).open("rb+") as file:
        os.fsync(file.fileno())
    write_bytes_atomically(part / _DONE, done.tobytes())


def _copy_rows(plan: Plan, job: RowJob, entry: Path, done: NDArray[np.uint8]) -> None:
    """Copy rows of equal files from another entry of the same preparation: a longer list costs the new files only."""
    try:
        theirs: Digests = np.load(entry / DIGESTS)
        images = np.load(entry / IMAGES, mmap_mode="r")
        failed = [row for row, _ in json.loads((entry / ABOUT).read_text(encoding="utf-8"))["failures"]]
    except (OSError, ValueError, KeyError, EOFError):  # removed meanwhile
        return
    read = np.ones(len(theirs), dtype=bool)
    read[failed] = False
    good = np.flatnonzero(read)
    if len(good) == 0 or images.shape[1:] != job.shape:
        return
    good = good[np.argsort(theirs[good], kind="stable")]
    open_rows = np.flatnonzero(done == 0)
    place = np.minimum(np.searchsorted(theirs[good], plan.digests[open_rows]), len(good) - 1)
    same = theirs[good[place]] == plan.digests[open_rows]
    rows, sources = open_rows[same], good[place[same]]
    with Path(job.file).open("rb+", buffering=0) as file:
        for start in range(0, len(rows), _COPY_ROWS):
            for row, source in zip(
                rows[start : start + _COPY_ROWS], sources[start : start + _COPY_ROWS], strict=True
            ):
                file.seek(job.offset + int(row) * prod(job.shape))
                write_all(file, images[source].data)
    done[rows] = 1
