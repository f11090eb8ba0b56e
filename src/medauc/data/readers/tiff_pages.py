"""How many pages a TIFF has, counted without a look at them: Pillow's time for that grows with their square."""

from pathlib import Path
from typing import Literal


def pages_of(path: Path, most: int) -> int:
    """Number of directories in the chain of a TIFF or BigTIFF, as far as it can be followed.

    Args:
        path: The file.
        most: Counting stops one beyond it.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"

        def number(size: int) -> int:
            return int.from_bytes(file.read(size), order)

        is_big = int.from_bytes(head[2:4], order) == 43
        entries, entry, address = (8, 20, 8) if is_big else (2, 12, 4)
        at = int.from_bytes(head[8:16] if is_big else head[4:8], order)
        seen: set[int] = set()
        while at and at not in seen and len(seen) <= most:
            seen.add(at)
            file.seek(at)
            file.seek(at + entries + entry * number(entries))
            at = number(address)
    return len(seen)
