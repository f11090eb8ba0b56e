"""Unpacking: the same bytes as zlib, in any pieces, and damage told."""

import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.readers.image import Refusal
from medauc.data.readers.values import _PACKED, Inflated

GZIP, ZLIB = 31, 15
CONTENT = st.binary(min_size=1, max_size=40).map(lambda piece: piece * (3000 // len(piece)))


def packed_by_zlib(content: bytes, wrapper: int, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, wrapper)
    return packer.compress(content) + packer.flush()


def unpacked(data: bytes, step: int) -> bytes:
    stream = Inflated(io.BytesIO(data))
    pieces = []
    while piece := stream.read(step):
        pieces.append(piece)
    stream.finish()
    return b"".join(pieces)


@settings(max_examples=30)
@given(
    content=CONTENT,
    wrapper=st.sampled_from([GZIP, ZLIB]),
    level=st.integers(0, 9),
    step=st.sampled_from([1, 7, 999, 10**6]),
    behind=st.binary(max_size=9).filter(lambda rest: not rest.startswith(b"\x1f\x8b")),
)
def test_what_zlib_packed_comes_out_in_any_steps(
    content: bytes, wrapper: int, level: int, step: int, behind: bytes
) -> None:
    assert unpacked(packed_by_zlib(content, wrapper, level) + behind, step) == content


@pytest.mark.parametrize("first", [10, 70_000, 300_000])
def test_members_follow_each_other_wherever_the_pieces_end(first: int) -> None:
    parts = [bytes(range(256)) * (first // 256 + 1), b"the second", b""]
    assert unpacked(b"".join(packed_by_zlib(part, GZIP, 0) for part in parts), 4096) == b"".join(parts)


@pytest.mark.parametrize("first", [_PACKED - 2, _PACKED - 1, _PACKED])
def test_a_member_may_begin_at_the_end_of_a_piece(first: int) -> None:
    contents = (bytes(size) for size in range(first - 60, first))
    content = next(content for content in contents if len(packed_by_zlib(content, GZIP, 0)) == first)
    packed = packed_by_zlib(content, GZIP, 0)
    assert unpacked(packed + packed_by_zlib(b"second", GZIP), 4096) == content + b"second"
    assert unpacked(packed + b"\x1f", 4096) == content  # the first byte alone is no member


@settings(max_examples=60)
@given(content=CONTENT, wrapper=st.sampled_from([GZIP, ZLIB]), data=st.data())
def test_a_flipped_bit_never_passes_the_checksum(content: bytes, wrapper: int, data: st.DataObject) -> None:
    packed = bytearray(packed_by_zlib(content, wrapper))
    place = data.draw(st.integers(10, len(packed) - 1))
    packed[place] ^= 1 << data.draw(st.integers(0, 7))
    stream = Inflated(io.BytesIO(bytes(packed)))
    try:
        found = stream.read(len(content))
        stream.finish()
    except Refusal:
        return
    if found != content:  # then the stream did not come to its end, where the checksum is
        with pytest.raises(zlib.error):
            zlib.decompress(bytes(packed), wrapper)


@pytest.mark.parametrize("wrapper", [GZIP, ZLIB])
def test_what_is_cut_short_gives_what_is_there(wrapper: int) -> None:
    content = bytes(range(256)) * 40
    packed = packed_by_zlib(content, wrapper, 0)
    found = unpacked(packed[:-3000], 10**6)
    assert len(found) > 7000
    assert content.startswith(found)


def test_no_more_is_unpacked_than_is_asked_for() -> None:
    packed = packed_by_zlib(bytes(2**26), GZIP, 1)
    bomb = io.BytesIO(packed)
    stream = Inflated(bomb)
    assert stream.read(2**20) == bytes(2**20)
    assert bomb.tell() == 2**16 < len(packed) / 4
