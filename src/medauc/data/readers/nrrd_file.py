"""NRRD: header by pynrrd, values read here within the limits (pynrrd unpacks without bound)."""

import bz2
import io
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.detached import file_beside
from medauc.data.readers.geometry import LPS_TO_RAS, affine_of_axes, spacing_of_affine, usable_affine
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.values import Inflated, native, read_values

_LARGEST_HEADER = 2**20
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": (
        "longlong",
        "long long",
        "long long int",
        "signed long long",
        "signed long long int",
        "int64",
        "int64_t",
    ),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TYPE_OF_NAME = {name: code for code, names in _TYPES.items() for name in names}
# Spaces of three dimensions by the sign that leads to RAS+ along x, y, z.
_SPACES = {
    "right-anterior-superior": np.eye(4),
    "left-anterior-superior": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "left-posterior-superior": LPS_TO_RAS,
}
_SPACES |= {"".join(word[0] for word in name.split("-")): matrix for name, matrix in _SPACES.items()}
_COLOURS = ("rgb-color", "3-color")


def read_nrrd(path: Path, limits: Limits) -> MedicalImage:
    """Read an image or volume, attached or with its values in a file beside it.

    Raises:
        Refusal: Several values a voxel, more than three axes, an encoding that is not read, or a damaged file.
    """
    with path.open("rb") as file:
        header, start = _header(file)
        shape, dtype = _shape_and_type(header)
        detached = header.get("data file", header.get("datafile"))
        if detached is None:
            file.seek(start)
            stored = _values(file, header, shape, dtype, limits)
        else:
            with file_beside(path, str(detached)).open("rb") as beside:
                stored = _values(beside, header, shape, dtype, limits)
    colour = _is_colour(header, shape, dtype)
    pixels = native(stored)
    affine, spacing, notes = (None, None, ()) if colour else _geometry(header, len(shape))
    return MedicalImage(pixels, colour, 8 * min(dtype.itemsize, 4), spacing, affine, notes=notes)


def _header(file: IO[bytes]) -> tuple[Mapping[str, Any], int]:
    """Parsed header and where the values start."""
    import nrrd

    head = file.read(_LARGEST_HEADER)
    ends = [(at + len(mark), at) for mark in (b"\n\n", b"\n\r\n") if (at := head.find(mark)) >= 0]
    start, end = min(ends, default=(len(head), len(head)))
    lines = head[:end].decode("ascii", "ignore").splitlines()
    return nrrd.read_header(lines), start


def _shape_and_type(header: Mapping[str, Any]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape with the slowest axis first, and the stored type."""
    shape = tuple(int(side) for side in reversed(header["sizes"]))
    if header["dimension"] != len(shape):
        raise Refusal("its dimension and its sizes disagree; the file is damaged")
    name = str(header["type"]).strip()
    if name not in _TYPE_OF_NAME:
        raise Refusal("holds values of a type that is not one number a voxel")
    dtype = np.dtype(_TYPE_OF_NAME[name])
    if dtype.itemsize > 1 and not _is_text(header):
        order = {"little": "<", "big": ">"}.get(str(header.get("endian", "")).strip().lower())
        if order is None:
            raise Refusal("does not say its byte order (endian); the file is damaged")
        dtype = dtype.newbyteorder(order)  # type: ignore[arg-type]
    kinds = [str(kind).lower() for kind in reversed(header.get("kinds", []))]
    plain = all(kind in ("domain", "space", "none", "???") for kind in kinds)
    if len(shape) not in (2, 3) or not (plain or _is_colour(header, shape, dtype)):
        raise Refusal(
            f"holds {' x '.join(map(str, shape[:8]))} values of kinds {', '.join(kinds)[:60] or 'unknown'}; "
            "only images and volumes with one value a voxel are read"
        )
    return shape, dtype


def _is_colour(header: Mapping[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether the fastest axis of a flat image is red, green, blue."""
    kinds = header.get("kinds", [])
    return (
        bool(kinds)
        and str(kinds[0]).lower() in _COLOURS
        and len(shape) == 3
        and shape[-1] == 3
        and dtype.kind == "u"
    )


def _encoding(header: Mapping[str, Any]) -> str:
    return str(header.get("encoding", "")).strip().lower()


def _is_text(header: Mapping[str, Any]) -> bool:
    return _encoding(header) in ("ascii", "text", "txt")


def _values(
    file: IO[bytes], header: Mapping[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any], limits: Limits
) -> npt.NDArray[Any]:
    """Unpack and read the values from a file that stands at their start."""
    lines = int(header.get("line skip", header.get("lineskip", 0)))
    skipped = int(header.get("byte skip", header.get("byteskip", 0)))
    if not 0 <= lines <= 100_000 or not -1 <= skipped <= _LARGEST_HEADER:
        raise Refusal("its header skips an impossible number of lines or bytes; the file is damaged")
    for _ in range(lines):
        file.readline(_LARGEST_HEADER)
    extra = 4 if dtype.kind == "f" else dtype.itemsize if dtype.byteorder == ">" else 0
    encoding = _encoding(header)
    if _is_text(header):
        return _numbers(file, shape, dtype, limits)
    if encoding == "raw":
        if skipped == -1:  # the values are the end of the file, whatever stands before
            count = limits.check(shape, dtype.itemsize + extra)
            file.seek(-count * dtype.itemsize, io.SEEK_END)
        else:
            file.seek(skipped, io.SEEK_CUR)
        return read_values(file, shape, dtype, limits, extra)
    if encoding in ("gzip", "gz"):
        stream = Inflated(file)
        stream.skip(skipped)
        values = read_values(stream, shape, dtype, limits, extra)  # type: ignore[arg-type]
        stream.finish()
        return values
    if encoding in ("bzip2", "bz2"):
        with bz2.BZ2File(file) as unpacked:
            unpacked.read(max(skipped, 0))
            return read_values(unpacked, shape, dtype, limits, extra)
    raise Refusal(f"its encoding {encoding[:20]!r} is not read; save it as raw or gzip")


def _numbers(
    file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], limits: Limits
) -> npt.NDArray[Any]:
    """Values written as text; 100 bytes a number cover the text, its pieces and the array."""
    count = limits.check(shape, 100)
    words = file.read(40 * count).split()[:count]
    if len(words) < count:
        raise Refusal(f"ends after {len(words)} of {count} values; copy it again or leave it out")
    return np.array([float(word) for word in words]).astype(dtype).reshape(shape)


def _geometry(
    header: Mapping[str, Any], axes: int
) -> tuple[npt.NDArray[np.float64] | None, tuple[float, ...] | None, tuple[str, ...]]:
    """Affine (RAS+), spacing in array order and notes."""
    spacings = [abs(float(step)) for step in reversed(header.get("spacings", []))]
    plain = (
        tuple(spacings) if len(spacings) == axes and all(np.isfinite(s) and s > 0 for s in spacings) else None
    )
    directions = header.get("space directions")
    to_ras = _SPACES.get(str(header.get("space", "")).strip().lower())
    if directions is None:
        return None, plain, ("its header does not say how it lies in the patient",) if axes == 3 else ()
    rows = np.array([[np.nan] if row is None else row for row in directions], dtype=np.float64)[::-1]
    lengths = tuple(float(length) for length in np.linalg.norm(rows, axis=1))
    spacing = lengths if len(lengths) == axes and all(np.isfinite(x) and x > 0 for x in lengths) else plain
    if axes == 2:
        return None, spacing, ()
    if to_ras is None:
        return None, spacing, ("its space is not one of RAS, LAS, LPS, so its orientation is unknown",)
    if rows.shape != (3, 3):
        return None, spacing, ("its space directions are not usable and were left out",)
    origin = header.get("space origin")
    affine = usable_affine(to_ras @ affine_of_axes(rows.tolist(), [0, 0, 0] if origin is None else origin))
    if affine is None:
        return None, spacing, ("its space directions are not usable and were left out",)
    return affine, spacing_of_affine(affine), ()
