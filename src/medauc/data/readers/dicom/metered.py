"""Files that count what is read of them, so that a header of millions of elements cannot stall its reader."""

import io
from typing import Any

from medauc.data.readers.image import Refusal

# An element costs a read for its tag and one for its value. Headers of several thousand frames stay well below both;
# at the bounds, pydicom takes a second or two.
MOST_READS = 250_000
MOST_HEADER_BYTES = 8 * 2**20


class _Metered(io.BufferedIOBase):
    """Counts reads and their bytes, and refuses to go on beyond a bound."""

    _reads = _bytes = 1 << 62

    def meter(self, reads: int = 1 << 62, count: int = 1 << 62) -> None:
        """Allow so many reads, and so many bytes by them, from here on."""
        self._reads, self._bytes = reads, count

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file.

        Raises:
            Refusal: More was read than is allowed.
        """
        data: bytes = super().read(size)
        self._reads -= 1
        self._bytes -= len(data)
        if self._reads < 0 or self._bytes < 0:
            raise too_long()
        return data


class MeteredFile(_Metered, io.BufferedReader):
    """A file; pydicom opens it again by its name for values that it put off."""


class MeteredBytes(_Metered, io.BytesIO):
    """Bytes in memory."""


def too_long() -> Refusal:
    """What is said of a header beyond the bounds."""
    return Refusal(
        "its header is too long: a DICOM header of more than "
        f"{MOST_READS // 2} elements or {MOST_HEADER_BYTES // 2**20} MiB beside pixels is not read; leave it out"
    )


def check_sequences(header: Any) -> None:
    """Refuse a header that put off more bytes of sequences than are read: they would be parsed when asked for.

    Args:
        header: A pydicom data set with deferred values.

    Raises:
        Refusal: They are more than ``MOST_HEADER_BYTES`` together.
    """
    put_off = sum(
        raw.length
        for raw in header.values()
        if getattr(raw, "is_raw", False) and raw.value is None and is_sequence(raw)
    )
    if put_off > MOST_HEADER_BYTES:
        raise too_long()


def is_sequence(element: Any) -> bool:
    """Whether an element holds further data sets, as far as it or the dictionary says."""
    from pydicom.datadict import dictionary_VR

    if element.VR not in (None, "UN"):
        return bool(element.VR == "SQ")
    try:
        return dictionary_VR(element.tag) == "SQ"
    except KeyError:
        return False
