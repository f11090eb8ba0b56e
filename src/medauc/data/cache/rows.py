"""Preparing files and writing them as rows of the array on disk, in this process or in a worker."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from medauc.data.preparation import PreparationSpec, prepare_file
from medauc.data.readers.image import UnreadableImage
from medauc.data.readers.quiet import quiet
from medauc.errors import InputError
from medauc.files import write_all


@dataclass(frozen=True)
class RowJob:
    """What every row needs.

    Attributes:
        file: The ``.npy`` file.
        offset: Its bytes before the first row.
        shape: Shape of a row.
        spec: How images are prepared, with shape and colour settled.
        size: Pixels a side.
        spatial_dims: 2 or 3.
    """

    file: str
    offset: int
    shape: tuple[int, ...]
    spec: PreparationSpec
    size: int
    spatial_dims: int

    def to_json(self) -> str:
        """One line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "RowJob":
        """Read :meth:`to_json`."""
        fields = {name: _tuples(value) for name, value in json.loads(text).items()}
        return cls(spec=spec_of(fields.pop("spec")), **fields)


def write_rows(job: RowJob, rows: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Prepare files and write their pixels.

    Args:
        job: What they have in common.
        rows: Row and path of each.

    Returns:
        Row and reason of each that could not be prepared; nothing is written for it.

    Raises:
        OSError: The array cannot be written (disk full).
    """
    failed = []
    with (
        Path(job.file).open("rb+", buffering=0) as file,
        quiet(),
    ):  # once, since each reading would do it again
        for row, path in rows:
            try:
                pixels = prepare_file(path, job.spec, job.size, job.spatial_dims)
                assert pixels.shape == job.shape, f"prepared to {pixels.shape} instead of {job.shape}"
            except Exception as error:  # one file must not stop the others
                failed.append((row, _lasting_reason_of(error, path)))
                continue
            file.seek(job.offset + row * prod(job.shape))
            write_all(file, np.ascontiguousarray(pixels).data)
    return failed


def reason_of(error: Exception, path: str) -> str:
    """Why a file could not be prepared, in one line without its name."""
    if isinstance(error, InputError):
        return str(error).removeprefix(f"{path}: ")
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"


def _lasting_reason_of(error: Exception, path: str) -> str:
    """The same without the name of any file: it is kept under what files hold, and they may be renamed."""
    return (isinstance(error, UnreadableImage) and error.reason) or reason_of(error, path)


def spec_of(values: dict[str, Any]) -> PreparationSpec:
    """A spec from its JSON form."""
    fields: dict[str, Any] = {name: _tuples(value) for name, value in values.items()}
    return PreparationSpec(**fields)


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
