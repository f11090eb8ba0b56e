"""Ways to damage a file, drawn by hypothesis so that a failure shrinks to the least damage."""

import re
from dataclasses import dataclass

from hypothesis import strategies as st

_EXTREMES = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff",
    b"\xff\x7f",
    b"\x00\x80",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x7f\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\x00\x00\xc0\x7f",  # NaN
    b"\x00\x00\x80\x7f",  # infinity
    b"\xff" * 8,
    b"\xff" * 7 + b"\x7f",
    b"\x00" * 8,
)
_NUMBERS = (b"0", b"-1", b"1e999", b"nan", b"99999999999", b"4294967296", b"65535", b"1e-30", b"")
_NUMBER = re.compile(rb"\d+")


@dataclass(frozen=True)
class Damage:
    """One change at ``where``, a share of the first half kilobyte, of the last three quarters or of the whole file."""

    kind: str
    where: float
    part: str
    length: int
    content: bytes

    def __call__(self, data: bytes) -> bytes:
        """The file after the change."""
        start, end = {"head": (0, min(len(data), 512)), "tail": (len(data) // 4, len(data))}.get(
            self.part, (0, len(data))
        )
        at = start + int(self.where * (end - start))
        end = min(at + self.length, len(data))
        match self.kind:
            case "flip" if at < len(data):
                return data[:at] + bytes([data[at] ^ (1 << self.length % 8)]) + data[at + 1 :]
            case "write":
                return data[:at] + self.content + data[at + len(self.content) :]
            case "insert":
                return data[:at] + self.content * (1 + self.length % 64) + data[at:]
            case "delete":
                return data[:at] + data[end:]
            case "double":
                return data[:end] + data[at:end] * (1 + self.length % 16) + data[end:]
            case "truncate":
                return data[:at]
            case "number":
                found = list(_NUMBER.finditer(data[:4096]))
                chosen = found[int(self.where * len(found))] if found else None
                return data[: chosen.start()] + self.content + data[chosen.end() :] if chosen else data
        return data


def damages() -> st.SearchStrategy[list[Damage]]:
    """One to four changes; most keep the length, or nothing behind them would stay where it belongs."""
    share = st.floats(0, 1, exclude_max=True, allow_subnormal=False)
    lengths = st.integers(1, 400)
    places = {"where": share, "part": st.sampled_from(["head", "tail", "tail", "whole"]), "length": lengths}
    binary = st.builds(
        Damage,
        kind=st.sampled_from(["flip", "write", "flip", "write", "insert", "delete", "double", "truncate"]),
        content=st.sampled_from(_EXTREMES) | st.binary(min_size=1, max_size=8),
        **places,
    )
    textual = st.builds(Damage, kind=st.just("number"), content=st.sampled_from(_NUMBERS), **places)
    return st.lists(binary | textual, min_size=1, max_size=4)


def damaged(data: bytes, changes: list[Damage]) -> bytes:
    """All changes in turn."""
    for change in changes:
        data = change(data)
    return data
