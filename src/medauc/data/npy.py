"""Arrays of ``.npy`` files, left on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


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
    except Exception as error:  # NumPy reads headers by Python's tokenizer, which raises kinds of its own
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None
    if not isinstance(found, np.ndarray):
        raise ValueError("it holds several arrays")
    return found
