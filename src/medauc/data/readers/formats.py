"""Which format a file has, by its content; a name decides only where a format has no mark of its own."""

import re
import stat
import struct
import zlib
from pathlib import Path
from typing import Literal

from medauc.data.readers.image import Refusal
from medauc.data.readers.pairs import header_of_pair

Format = Literal[
    "PNG", "JPEG", "TIFF", "NumPy", "npz", "DICOM", "NIfTI", "Analyze", "MGH", "AFNI", "NRRD", "MetaImage"
]

_HEAD = 4096
# Bytes of a volume's header that tell its format; unpacking no more keeps a wrong checksum for the reader to find.
_VOLUME_HEAD = 348
_MARKS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x93NUMPY", "NumPy"),
    (b"NRRD000", "NRRD"),
)
_ZIP = b"PK\x03\x04"
_FOREIGN = (
    (_ZIP, "a ZIP archive without arrays (an Office document is one, too)"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"RIFF", "a WebP or another RIFF file"),
    (b"\x89HDF", "HDF5 (MINC 2, MATLAB 7.3)"),
    (b"CDF", "NetCDF (MINC 1)"),
    (b"MATRIX", "ECAT"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "packed by gzip and no volume that is read packed (unpack it first)"),
    (b"BZh", "packed by bzip2"),
    (b"\xfd7zXZ", "packed by xz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"\x80\x04\x95", "a Python pickle, which is never loaded"),
)
_META_IMAGE = re.compile(rb"\s*\w+\s*=.*?\bDimSize\s*=", re.DOTALL)
_AFNI = re.compile(rb"\s*type\s*=\s*\w+-attribute", re.DOTALL)
_MGH_TYPES = (0, 1, 3, 4)
# Groups with which a DICOM data set without file header can start.
_FIRST_GROUPS = (0x0002, 0x0008)


def regular_file(path: Path) -> int:
    """Size in bytes of a file that may be opened without waiting for anything.

    Raises:
        Refusal: It is missing, empty, a folder, a pipe, a device or a socket.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise Refusal(f"cannot be opened ({getattr(error, 'strerror', None) or 'not a name'})") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, device or socket"
        raise Refusal(f"is {kind}, not an image file")
    if status.st_size == 0:
        raise Refusal("is empty; copy it again or leave it out")
    return status.st_size


def format_of(path: Path) -> Format | None:
    """Format of a file, ``None`` where it is none of those read here.

    Args:
        path: A regular file.

    Raises:
        OSError: It cannot be opened.
        Refusal: The header beside it is a link.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return _format_of_bytes(head) or _format_of_second_half(path)


def foreign_format(path: Path) -> str:
    """What a file seems to be that no reader here takes, in words."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((name for mark, name in _FOREIGN if head.startswith(mark)), "of no known image format")


def _format_of_bytes(head: bytes) -> Format | None:
    """Format by the first bytes alone."""
    if head[128:132] == b"DICM":  # before the rest: a preamble may look like a TIFF (dual personality)
        return "DICOM"
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if head.startswith(_ZIP):
        return "npz" if _first_of_zip(head).endswith(b".npy") else None
    if head.startswith(b"\x1f\x8b"):
        inner = _inflated_head(head)
        return None if inner[128:132] == b"DICM" else _volume_format(inner)
    if volume := _volume_format(head):
        return volume
    if _META_IMAGE.match(head):
        return "MetaImage"
    if _AFNI.match(head):
        return "AFNI"
    return "DICOM" if _starts_like_dicom(head) else None


def _first_of_zip(head: bytes) -> bytes:
    """Name of the first file in a ZIP archive."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


def _volume_format(head: bytes) -> Format | None:
    """NIfTI, Analyze or MGH, which say what they are in binary fields."""
    if len(head) < 284:
        return None
    size = (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
    if 540 in size and head[4:8] in (b"n+2\0", b"ni2\0"):
        return "NIfTI"
    if 348 in size:
        return "NIfTI" if head[344:348] in (b"n+1\0", b"ni1\0") else "Analyze"
    fields = struct.unpack(">6i", head[:24])  # version, four sides, type
    if fields[0] == 1 and min(fields[1:5]) > 0 and fields[5] in _MGH_TYPES:
        return "MGH"
    return None


def _inflated_head(head: bytes) -> bytes:
    """First bytes of a gzip stream."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _VOLUME_HEAD)
    except zlib.error:
        return b""


def _starts_like_dicom(head: bytes) -> bool:
    """Whether bytes look like a data set without preamble: a low group, a small element, a sane length."""
    if len(head) < 16:
        return False
    for order in ("little", "big"):
        group, element = (int.from_bytes(head[i : i + 2], order) for i in (0, 2))
        if group not in _FIRST_GROUPS or element > 0x60:
            continue
        explicit = head[4:6].isalpha() and head[4:6].isupper()
        if explicit or int.from_bytes(head[4:8], order) <= 64:
            return True
    return False


def _format_of_second_half(path: Path) -> Format | None:
    """Format of a file of bare values, from the header beside it."""
    header = header_of_pair(path)
    if header is None:
        return None
    with header.open("rb") as file:
        found = _format_of_bytes(file.read(_HEAD))
    return found if found in ("NIfTI", "Analyze", "AFNI") else None
