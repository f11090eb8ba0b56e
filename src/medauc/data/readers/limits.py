"""What reading one image may cost, whatever its file claims about itself."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from medauc.data.readers.image import Refusal

_VARIABLE = "MEDAUC_IMAGE_MIB"
_DEFAULT_MIB = 768


def _allowed_bytes() -> int:
    """Bytes that one image may take, from the environment where it says so."""
    text = os.environ.get(_VARIABLE, "")
    return (int(text) if text.isdecimal() and int(text) else _DEFAULT_MIB) * 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds that are checked before memory is taken; a file beyond them is refused.

    >>> Limits(max_bytes=2**20).check((64, 64, 65), 4)
    Traceback (most recent call last):
    ...
    medauc.data.readers.image.Refusal: 64 x 64 x 65 values need 2 MiB while they are read, ...

    Attributes:
        max_bytes: Memory for the values of one image, copies made on the way included, and the largest size of
            a file; environment variable ``MEDAUC_IMAGE_MIB`` (in MiB), else 768 MiB, which holds a CT of
            512 x 512 x 700 voxels.
        max_side: Largest length of one axis.
        max_slices: Most files of a series, frames of a file or pages of a TIFF.
        max_seconds: Processor time for decoding one compressed DICOM file, and half a million values a second on top.
    """

    max_bytes: int = field(default_factory=_allowed_bytes)
    max_side: int = 65_535
    max_slices: int = 8_192
    max_seconds: float = 3.0

    def check(self, shape: Sequence[int], bytes_a_value: int) -> int:
        """Number of values of an array that is about to be read.

        Args:
            shape: Its declared shape.
            bytes_a_value: Bytes that each value takes, those of copies included.

        Raises:
            Refusal: A side is not positive or too long, or the whole is too large.
        """
        text = " x ".join(str(side) for side in shape[:8])
        if not shape or min(shape) < 1:
            raise Refusal(f"its header declares {text or 'no'} values; there is no image in it")
        count = math.prod(shape)
        if max(shape) > self.max_side:
            raise Refusal(
                f"its header declares {text} values; no side may be longer than {self.max_side}: "
                "the file is damaged, or the image must be made smaller first"
            )
        if count * bytes_a_value > self.max_bytes:
            raise Refusal(
                f"{text} values need {_mib(count * bytes_a_value)} MiB while they are read, more than the "
                f"{_mib(self.max_bytes)} MiB allowed; make the image smaller, or set {_VARIABLE} to more"
            )
        return count

    def check_bytes(self, count: int, what: str) -> None:
        """Refuse ``count`` bytes of ``what`` where they are more than the limit."""
        if count > self.max_bytes:
            raise Refusal(
                f"{what} takes {_mib(count)} MiB, more than the {_mib(self.max_bytes)} MiB allowed; "
                f"make the image smaller, or set {_VARIABLE} to more"
            )

    def check_slices(self, count: int, what: str) -> None:
        """Refuse more than ``max_slices`` of ``what`` ("frames", "pages")."""
        if not 1 <= count <= self.max_slices:
            raise Refusal(f"it declares {count} {what}; between 1 and {self.max_slices} are read")


def _mib(count: int) -> int:
    """Bytes in MiB, rounded up so that a refusal never names less than the limit."""
    return math.ceil(count / 2**20)
