"""Whether the pixels of a DICOM file are all there: decoders fill up what is missing without a word."""

from typing import BinaryIO, Literal

from medauc.data.readers.image import Refusal

Order = Literal["little", "big"]

_PIXELS = {(0x7FE0, element) for element in (0x0008, 0x0009, 0x0010)}
_ITEM = (0xFFFE, 0xE000)
_ENDLESS = 0xFFFFFFFF
_MOST_PIECES = 2**18


def check_whole(file: BinaryIO, start: int, implicit: bool, little: bool) -> None:
    """Refuse a file that ends within its pixels; a missing end marker alone does no harm.

    Args:
        file: The file, whose position is kept.
        start: Where the element of the pixels starts.
        implicit: Whether elements do not name their kind.
        little: Whether low bytes come first.

    Raises:
        Refusal: It is cut short, or in more pieces than a real one.
    """
    order: Order = "little" if little else "big"

    def number(size: int) -> int:
        return int.from_bytes(file.read(size), order)

    kept = file.tell()
    end = file.seek(0, 2)
    file.seek(start)
    if (number(2), number(2)) in _PIXELS:
        file.seek(0 if implicit else 4, 1)
        length = number(4)
        if length == _ENDLESS:
            _check_pieces(file, end, order)
        elif file.tell() + length > end:
            raise _cut(end - file.tell(), length)
    file.seek(kept)


def _check_pieces(file: BinaryIO, end: int, order: Order) -> None:
    """Go over the pieces that compressed pixels come in."""
    for _ in range(_MOST_PIECES):
        head = file.read(8)
        tag = tuple(int.from_bytes(head[at : at + 2], order) for at in (0, 2))
        if len(head) < 8 or tag != _ITEM:  # what else may stand there is for the decoder to judge
            return
        length = int.from_bytes(head[4:], order)
        if file.tell() + length > end:
            raise _cut(end - file.tell(), length)
        file.seek(length, 1)
    raise Refusal(f"has its pixels in more than {_MOST_PIECES} pieces; save it anew or leave it out")


def _cut(found: int, length: int) -> Refusal:
    return Refusal(f"ends after {max(found, 0)} of {length} bytes of pixels; copy it again or leave it out")
