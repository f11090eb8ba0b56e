"""Files that count what is read of them, so that a header of millions of elements cannot stall its reader."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from medauc.data.readers.image import Refusal

# An element costs a read for its tag and one for its value. Headers of several thousand frames stay well below both;
# at the bounds, pydicom takes a second or two.
MOST_READS = 250_000
MOST_HEADER_BYTES = 8 * 2**20
_ENDLESS = 1 << 62


class _Metered(io.BufferedIOBase):
    """Counts reads and their bytes, and refuses to go on beyond a bound.

    Attributes:
        left: Reads that were still allowed when the last :meth:`metered` block ended.
    """

    _reads = _bytes = left = _ENDLESS

    @contextmanager
    def metered(self, reads: int, count: int = _ENDLESS) -> Iterator[None]:
        """Allow so many reads, and so many bytes by them, inside of the block.

        Raises:
            Refusal: More was read.
        """
        self._reads, self._bytes = reads, count
        try:
            yield
        except Exception:
            if self._spent:  # pydicom makes another error of what is raised in some places
                raise too_long() from None
            raise
        finally:
            self.left, self._reads, self._bytes = self._reads, _ENDLESS, _ENDLESS

    @property
    def _spent(self) -> bool:
        return self._reads < 0 or self._bytes < 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file.

        Raises:
            Refusal: More was read than is allowed.
        """
        data: bytes = super().read(size)
        self._reads -= 1
        self._bytes -= len(data)
        if self._spent:
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
