"""Stored numbers to values, with as little memory as the result allows."""

from typing import IO, Any

import numpy as np
import numpy.typing as npt
from isal import igzip_lib

from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits

_CHUNK = 1 << 20
# Small enough that the allocator hands out the same memory again, instead of the system fresh pages for every piece.
_PACKED, _UNPACKED = 1 << 16, 1 << 17
_GZIP = b"\x1f\x8b"


def native(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values in this machine's byte order; floats as float32, truth values as 0 and 255.

    Raises:
        Refusal: They are complex numbers, records or objects.
    """
    kind = values.dtype.kind
    if kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False)
    if kind not in "iu":
        words = {"c": "complex numbers", "V": "several numbers a pixel", "O": "Python objects"}
        raise Refusal(
            f"holds {words.get(kind, 'text or dates')}, not grey values; export magnitude or one channel"
        )
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def rescaled(values: npt.NDArray[Any], slope: float, intercept: float) -> npt.NDArray[Any]:
    """``slope * values + intercept``: integers where that is exact, else float32.

    >>> rescaled(np.array([0, 3071], dtype=np.uint16), 1.0, -1024.0)
    array([-1024,  2047], dtype=int16)
    >>> rescaled(np.array([0, 2], dtype=np.uint8), 0.5, 0.0).dtype
    dtype('float32')
    """
    if (slope, intercept) == (1.0, 0.0):
        return values
    low, high = (int(values.min()), int(values.max())) if values.dtype.kind in "iu" else (0, 0)
    dtype = rescaled_type(values.dtype, low, high, slope, intercept)
    if dtype.kind == "f":
        result = values.astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            result *= np.float32(slope)
            result += np.float32(intercept)
        return result
    result = values.astype(dtype)
    result *= dtype.type(int(slope))  # may wrap on the way: modular arithmetic still ends at the right value
    result += dtype.type(int(intercept))
    return result


def rescaled_type(
    stored: np.dtype[Any], low: int, high: int, slope: float, intercept: float
) -> np.dtype[Any]:
    """Type that holds ``slope * stored + intercept`` for stored values from ``low`` to ``high``."""
    if (slope, intercept) == (1.0, 0.0):
        return np.dtype(np.float32) if stored.kind == "f" else stored.newbyteorder("=")
    if stored.kind == "f" or not (slope.is_integer() and intercept.is_integer()):
        return np.dtype(np.float32)
    scale, shift = int(slope), int(intercept)
    ends = sorted((scale * low + shift, scale * high + shift, scale, shift))
    for dtype in (np.int16, np.int32):
        if np.iinfo(dtype).min <= ends[0] and ends[-1] <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.float32)


def read_values(
    file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], limits: Limits, extra: int = 0
) -> npt.NDArray[Any]:
    """Read an array of a declared shape from an uncompressed stream, its size checked before memory is taken.

    Args:
        file: A stream at the first value.
        shape: Shape of the result, slowest axis first.
        dtype: Type as stored.
        limits: What it may cost.
        extra: Further bytes a value that the caller will need.

    Raises:
        Refusal: It is too large, or the file ends early.
    """
    count = limits.check(shape, dtype.itemsize + extra)
    values = np.empty(count, dtype=dtype)
    view = values.view(np.uint8).reshape(-1).data
    done = 0
    while done < len(view):
        got = file.readinto(view[done : done + 64 * _CHUNK])  # type: ignore[attr-defined]
        if not got:
            raise Refusal(f"ends after {done} of {len(view)} bytes of values; copy it again or leave it out")
        done += got
    return values.reshape(shape)


class Inflated:
    """A stream that unpacks gzip or zlib data as it is read, never more than is asked for.

    ISA-L unpacks noisy images in half of zlib's time. The checksum at the end of the packed data is verified by
    :meth:`finish`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Unpack ``file`` from where it stands."""
        self._file = file
        self._packed = file.read(_PACKED)
        packing = igzip_lib.DECOMP_GZIP if self._packed.startswith(_GZIP) else igzip_lib.DECOMP_ZLIB
        self._machine = igzip_lib.IgzipDecompressor(packing)

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` as far as one step goes; 0 at the end.

        Raises:
            Refusal: The packed data are damaged.
        """
        while not self._machine.eof or self._next_member():
            hungry, fresh = self._machine.needs_input, b""
            if hungry:
                fresh, self._packed = self._packed or self._file.read(_PACKED), b""
            try:
                data = self._machine.decompress(fresh, min(len(view), _UNPACKED))
            except igzip_lib.IsalError:  # type: ignore[misc]  # its stubs call the class an instance
                raise Refusal("its packed data are damaged; copy it again or leave it out") from None
            if data:
                view[: len(data)] = data
                return len(data)
            if hungry and not fresh:
                return 0
        return 0

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes, less only at the end."""
        data = bytearray(count)
        view, done = memoryview(data), 0
        while done < count and (got := self.readinto(view[done:])):
            done += got
        return bytes(view[:done])

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        while count > 0 and (passed := len(self.read(min(count, _CHUNK)))):
            count -= passed

    def finish(self) -> None:
        """Read one byte on, which verifies the checksum where the data end here."""
        self.read(1)

    def _next_member(self) -> bool:
        """Go on to a further gzip member, as ``cat a.gz b.gz`` makes them."""
        rest = self._machine.unused_data or self._file.read(_PACKED)
        if len(rest) < len(_GZIP):  # a piece may end between the two bytes that tell
            rest += self._file.read(_PACKED)
        if not rest.startswith(_GZIP):
            return False
        self._packed, self._machine = rest, igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        return True
