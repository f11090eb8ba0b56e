"""From stored values to the values that the modality means: rescale, lookup tables, inversion, window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.elements import number, numbers, text, value, whole
from medauc.data.readers.dicom.sequences import items_of
from medauc.data.readers.values import native, rescaled_type

Window = tuple[float, float]


@dataclass(frozen=True)
class Rescale:
    """``slope * stored + intercept``."""

    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True)
class Stored:
    """What stored values are: their bits and sign, and whether high values are dark."""

    bits: int
    signed: bool
    inverted: bool
    whole: bool = True

    @property
    def ends(self) -> tuple[int, int]:
        """Lowest and highest value that the bits can hold."""
        if self.signed:
            return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1
        return 0, 2**self.bits - 1


def stored_values(header: Any) -> Stored:
    """How the header describes stored values."""
    allocated = whole(header, "BitsAllocated", 8)
    bits = whole(header, "BitsStored", allocated)
    return Stored(
        bits=min(max(bits, 1), 64),
        signed=whole(header, "PixelRepresentation", 0) == 1,
        inverted=text(header, "PhotometricInterpretation") == "MONOCHROME1",
    )


def rescale_of(header: Any, *groups: Any) -> Rescale:
    """Rescale of a file, or of a frame by its functional groups; RT dose by its grid scaling."""
    places = [inner for group in groups for inner in items_of(group, "PixelValueTransformationSequence")[:1]]
    for place in (*places, header):
        slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
        if slope not in (None, 0.0):
            return Rescale(float(slope or 1.0), float(intercept or 0.0))
    scaling = number(header, "DoseGridScaling")
    return Rescale(scaling) if scaling else Rescale()


def result_type(rescales: Sequence[Rescale], stored: Stored, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """One type that holds all slices after their rescales."""
    types = {rescaled_type(dtype, *stored.ends, each.slope, each.intercept) for each in set(rescales)}
    return types.pop() if len(types) == 1 else np.dtype(np.float32)


def apply_rescale(frame: npt.NDArray[Any], rescale: Rescale, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """``slope * frame + intercept`` in the common type of the volume."""
    result = native(frame).astype(dtype)
    if rescale != Rescale():
        with np.errstate(over="ignore", invalid="ignore"):
            result *= dtype.type(rescale.slope)
            result += dtype.type(rescale.intercept)
    return result


def lookup(frame: npt.NDArray[Any], header: Any) -> npt.NDArray[Any] | None:
    """Values through the modality lookup table, ``None`` where the file has none."""
    if not items_of(header, "ModalityLUTSequence"):
        return None
    from pydicom.pixels.processing import apply_modality_lut

    return native(apply_modality_lut(frame, header))


def invert(frame: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[Any]:
    """Mirror values so that low is dark: ``low + high - frame``, in place."""
    total = low + high
    if frame.dtype.kind in "iu":
        wide = np.int64(total) - frame.astype(np.int64)
        ends = np.iinfo(frame.dtype)
        frame[...] = np.clip(wide, ends.min, ends.max)
    else:
        np.subtract(np.float32(total), frame, out=frame)
    return frame


def mirrored(window: Window | None, low: float, high: float) -> Window | None:
    """The window that shows values mirrored between ``low`` and ``high`` as ``window`` shows the values."""
    return (low + high - window[1], low + high - window[0]) if window else None


def window_of(header: Any, *groups: Any) -> tuple[Window | None, tuple[str, ...]]:
    """The first window that the file proposes, as ``(low, high)``, and notes (PS3.3 C.11.2)."""
    places = [inner for group in groups for inner in items_of(group, "FrameVOILUTSequence")[:1]]
    for place in (*places, header):
        centre, width = numbers(place, "WindowCenter"), numbers(place, "WindowWidth")
        if centre and width:
            return _ends(centre[0], width[0], text(place, "VOILUTFunction") or "LINEAR")
        if tables := items_of(place, "VOILUTSequence"):
            return _ends_of_table(tables[0])
    return None, ()


def _ends(centre: float, width: float, function: str) -> tuple[Window | None, tuple[str, ...]]:
    if function == "LINEAR":  # its formula counts pixels' values, not the distance between the ends
        centre, width = centre - 0.5, width - 1
    if width <= 0:
        return None, ()
    notes = ("its window is a sigmoid; its ends were taken",) if function == "SIGMOID" else ()
    return (centre - width / 2, centre + width / 2), notes


def _ends_of_table(table: Any) -> tuple[Window | None, tuple[str, ...]]:
    """First and last value that a VOI table maps apart."""
    descriptor = numbers(table, "LUTDescriptor", 3)
    if descriptor is None or value(table, "LUTData") is None:
        return None, ()
    length = descriptor[0] or 2**16
    return (descriptor[1], descriptor[1] + length - 1), ("its VOI table was not applied, only its ends",)
