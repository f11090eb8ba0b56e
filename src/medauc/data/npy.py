"""Arrays of ``.npy`` files, left on disk, and their headers."""

from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

_LAST_POINT = 0x10FFFF  # of Unicode; an array may hold any number


class Header(NamedTuple):
    """What a ``.npy`` says of its array before the values: shape, whether in Fortran's order, type."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the values, as a Python integer: a lying header cannot overflow it."""
        count = 1
        for length in self.shape:
            count *= length
        return count * self.dtype.itemsize


def read_header(file: IO[bytes]) -> Header:
    """Read the header at the start of a ``.npy``, or of such a member of an archive.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no header, or damaged.

    >>> import io
    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 3), np.uint8))
    >>> _ = file.seek(0)
    >>> read_header(file)
    Header(shape=(2, 3), fortran=False, dtype=dtype('uint8'))
    """
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        header = Header(*read(file))
    except (OSError, ValueError):
        raise
    except Exception as error:  # NumPy has Python's own parser read headers, which raises kinds of its own
        raise ValueError(_in_words(error)) from None
    if any(length < 0 for length in header.shape):
        raise ValueError(f"shape {header.shape}")
    return header


def map_npy(path: Path) -> npt.NDArray[Any]:
    """Map the array of a file without executing anything in it.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no plain array, or is damaged.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.arange(3))
    >>> int(map_npy(path)[2])
    2
    >>> _ = path.write_bytes(path.read_bytes().replace(b"(3,)", b"(3, "))
    >>> map_npy(path)
    Traceback (most recent call last):
    ...
    ValueError: ...
    """
    try:
        found: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        raise
    except Exception as error:  # as in read_header
        raise ValueError(_in_words(error)) from None
    if not isinstance(found, np.ndarray):
        raise ValueError("it holds several arrays")
    return found


def as_texts(values: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    """Strings of an array of strings, of bytes in UTF-8, or of integers.

    Raises:
        ValueError: They are something else, or no text.

    >>> as_texts(np.array(["Müller".encode(), b"x"])).tolist(), as_texts(np.array([7])).tolist()
    (['Müller', 'x'], ['7'])
    >>> as_texts(np.array(["Müller".encode("latin-1")]))
    Traceback (most recent call last):
    ...
    ValueError: holds bytes that are no UTF-8
    """
    if values.dtype.kind not in "USiu":
        raise ValueError(f"has type {values.dtype}, not strings or integers")
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise ValueError("holds bytes that are no UTF-8") from None
    texts = np.ascontiguousarray(values, dtype=np.str_)
    if texts.size and texts.itemsize:
        points = texts.reshape(-1).view(np.uint32)
        if (points > _LAST_POINT).any() or ((points >= 0xD800) & (points < 0xE000)).any():
            raise ValueError("holds strings with letters that do not exist")
    return texts


def _in_words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
