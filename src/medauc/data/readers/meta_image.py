"""MetaImage (``.mha``, ``.mhd``): a text header and plain or zlib-packed values."""

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

_LARGEST_HEADER = 2**16
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # ITK has written 32 bits under this name on every system
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_ORIGINS = ("Offset", "Position", "Origin")
_MATRICES = ("TransformMatrix", "Rotation", "Orientation")
_SPACINGS = ("ElementSpacing", "ElementSize")


def read_meta_image(path: Path, limits: Limits) -> MedicalImage:
    """Read an image or volume; positions are LPS, rows of TransformMatrix are the directions of the axes (ITK).

    Raises:
        Refusal: Several values a voxel in a volume, more than three axes, or a damaged file.
    """
    with path.open("rb") as file:
        fields, start = _header(file)
        sides = _numbers(fields, ("DimSize",))
        shape = tuple(int(side) for side in reversed(sides or ()))
        if len(shape) not in (2, 3) or fields.get("NDims", str(len(shape))) != str(len(shape)):
            raise Refusal(
                f"declares {fields.get('NDims', 'no')[:8]} dimensions; images of 2 and volumes of 3 are read"
            )
        channels = _channels(fields, shape)
        dtype = _dtype(fields)
        shape = (*shape, channels) if channels > 1 else shape
        place = fields["ElementDataFile"]
        if place.upper() == "LOCAL":
            file.seek(start)
            stored = _values(file, fields, shape, dtype, limits)
        else:
            with file_beside(path, place).open("rb") as beside:
                stored = _values(beside, fields, shape, dtype, limits)
    affine, spacing, notes = _geometry(fields, len(sides or ()))
    return MedicalImage(
        native(stored), channels > 1, 8 * min(dtype.itemsize, 4), spacing, affine, notes=notes
    )


def _header(file: IO[bytes]) -> tuple[Mapping[str, str], int]:
    """Fields up to ElementDataFile, which is the last, and where the values start."""
    fields: dict[str, str] = {}
    while file.tell() < _LARGEST_HEADER:
        line = file.readline(_LARGEST_HEADER).decode("latin-1")
        name, sign, value = line.partition("=")
        if not sign:
            break
        fields[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            return fields, file.tell()
    raise Refusal("its header does not end with ElementDataFile; the file is damaged")


def _numbers(fields: Mapping[str, str], names: tuple[str, ...]) -> list[float] | None:
    """Finite numbers of the first field present."""
    text = next((fields[name] for name in names if name in fields), None)
    if text is None:
        return None
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        numbers = [np.nan]
    if not np.isfinite(numbers).all():
        raise Refusal(f"its field {names[0]} is not made of numbers; the file is damaged")
    return numbers


def _true(fields: Mapping[str, str], *names: str) -> bool:
    return any(fields.get(name, "").lower() in ("true", "1") for name in names)


def _channels(fields: Mapping[str, str], shape: tuple[int, ...]) -> int:
    """1, or 3 for a flat image in colour."""
    numbers = _numbers(fields, ("ElementNumberOfChannels",)) or [1.0]
    if numbers not in ([1.0], [3.0]) or (numbers == [3.0] and len(shape) != 2):
        raise Refusal("holds several values a voxel; export one grey channel")
    if numbers == [3.0] and fields.get("ElementType") != "MET_UCHAR":
        raise Refusal("holds colours of other than 8 bits; export one grey channel")
    return int(numbers[0])


def _dtype(fields: Mapping[str, str]) -> np.dtype[Any]:
    name = fields.get("ElementType", "")
    if name not in _TYPES:
        raise Refusal("holds values of a type that is not one number a voxel")
    if "BinaryData" in fields and not _true(fields, "BinaryData"):
        raise Refusal("holds its values as text; save it with binary values")
    high_first = _true(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    return np.dtype(_TYPES[name]).newbyteorder(">" if high_first else "<")


def _values(
    file: IO[bytes], fields: Mapping[str, str], shape: tuple[int, ...], dtype: np.dtype[Any], limits: Limits
) -> npt.NDArray[Any]:
    """Read the values from a file that stands at their start."""
    extra = 4 if dtype.kind == "f" else dtype.itemsize if dtype.byteorder == ">" else 0
    skipped = _numbers(fields, ("HeaderSize",)) or [0.0]
    if _true(fields, "CompressedData"):
        stream = Inflated(file)
        values = read_values(stream, shape, dtype, limits, extra)  # type: ignore[arg-type]
        stream.finish()
        return values
    if skipped == [-1.0]:  # the values are the end of the file
        file.seek(-limits.check(shape, dtype.itemsize + extra) * dtype.itemsize, 2)
    elif skipped[0] > 0:
        file.seek(int(min(skipped[0], 2**40)))
    return read_values(file, shape, dtype, limits, extra)


def _geometry(
    fields: Mapping[str, str], axes: int
) -> tuple[npt.NDArray[np.float64] | None, tuple[float, ...] | None, tuple[str, ...]]:
    """Affine (RAS+), spacing in array order and notes."""
    steps = _numbers(fields, _SPACINGS)
    spacing = (
        tuple(abs(step) for step in reversed(steps))
        if steps and len(steps) == axes and 0 not in steps
        else None
    )
    if axes == 2:
        return None, spacing, ()
    origin, matrix = _numbers(fields, _ORIGINS), _numbers(fields, _MATRICES)
    if spacing is None or not matrix or len(matrix) != 9:
        return None, spacing, ("its header does not say how it lies in the patient",)
    rows = np.reshape(matrix, (3, 3))[::-1] * np.array(spacing)[:, None]
    usable = origin if origin and len(origin) == 3 else [0.0, 0.0, 0.0]
    affine = usable_affine(LPS_TO_RAS @ affine_of_axes(rows.tolist(), usable))
    if affine is None:
        return None, spacing, ("its TransformMatrix is not usable and was left out",)
    return affine, spacing_of_affine(affine), ()
