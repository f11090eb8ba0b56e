"""One DICOM file to one image or volume."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.elements import OVERLAYS, acquisition, numbers, text
from medauc.data.readers.dicom.frames import Layout, decoded, frame_groups, layout_of, with_palette
from medauc.data.readers.dicom.modality import (
    Rescale,
    Stored,
    apply_rescale,
    invert,
    lookup,
    mirrored,
    rescale_of,
    result_type,
    stored_values,
    window_of,
)
from medauc.data.readers.dicom.planes import Plane, Stack, pixel_spacing, plane_of, stacked
from medauc.data.readers.dicom.sequences import items_of
from medauc.data.readers.dicom.source import Source, opened
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits

_OVERLAY = "its overlay was left out"


def read_dicom(path: Path, limits: Limits) -> MedicalImage:
    """Read a file: one frame as an image, several grey frames as a volume in the order of their positions.

    Raises:
        Refusal: No image, several coloured frames, frames that are no volume, too large, or damaged.
    """
    with opened(path, limits) as source:
        layout = layout_of(source.header, limits)
        if layout.frames > 1:
            return _volume(source, layout, limits)
        (frame,) = decoded(source, layout, limits)
        return _single(source, frame)


def _single(source: Source, frame: npt.NDArray[Any]) -> MedicalImage:
    """Image of one frame."""
    header, groups = source.header, frame_groups(source.header, 0)
    stored = stored_values(header)
    notes = [*source.notes, *overlay_notes(header)]
    spacing = plane_of(header, *groups).spacing or pixel_spacing(header)
    common: dict[str, Any] = {
        "spacing": spacing,
        "modality": text(header, "Modality"),
        "tags": acquisition(header),
    }
    if text(header, "PhotometricInterpretation") == "PALETTE COLOR":
        frame = with_palette(frame, header)
        return MedicalImage(frame, True, 8 * frame.itemsize, notes=tuple(notes), **common)
    if frame.ndim == 3:
        return MedicalImage(frame, True, stored.bits, notes=tuple(notes), **common)
    window, further = window_of(header, *groups)
    pixels, window = meant(frame, header, stored, rescale_of(header, *groups), window)
    return MedicalImage(
        pixels, False, min(stored.bits, 32), window=window, notes=(*notes, *further), **common
    )


def meant(
    frame: npt.NDArray[Any],
    header: Any,
    stored: Stored,
    rescale: Rescale,
    window: tuple[float, float] | None,
    dtype: np.dtype[Any] | None = None,
) -> tuple[npt.NDArray[Any], tuple[float, float] | None]:
    """Values that the modality means, low dark, with the window that belongs to them."""
    if (table := lookup(frame, header)) is not None:
        low, high = float(table.min()), float(table.max())
        return (invert(table, low, high), mirrored(window, low, high)) if stored.inverted else (table, window)
    ends = (np.nanmin(frame), np.nanmax(frame)) if frame.dtype.kind == "f" else stored.ends
    if stored.inverted:  # before the rescale, where it is exact
        frame = invert(frame.copy(), *ends)
        window = mirrored(window, *(rescale.slope * float(end) + rescale.intercept for end in ends))
    return apply_rescale(frame, rescale, dtype or result_type([rescale], stored, frame.dtype)), window


def overlay_notes(header: Any) -> list[str]:
    """A note where the file carries an overlay, which is drawn on pixels elsewhere."""
    return [_OVERLAY] if any(tag in header for tag in OVERLAYS) else []


def _volume(source: Source, layout: Layout, limits: Limits) -> MedicalImage:
    """Volume of the frames of one file."""
    header = source.header
    if layout.samples > 1 or text(header, "PhotometricInterpretation") == "PALETTE COLOR":
        raise Refusal(f"has {layout.frames} coloured frames; save each as an image of its own")
    stack = _stack(header, layout.frames)
    place = np.argsort(stack.order)
    rescales = [rescale_of(header, *frame_groups(header, index)) for index in range(layout.frames)]
    stored = stored_values(header)
    window, notes = window_of(header, *frame_groups(header, 0))
    pixels: npt.NDArray[Any] | None = None
    shown = window
    for index, frame in enumerate(decoded(source, layout, limits)):
        if pixels is None:
            dtype = result_type(rescales, stored, frame.dtype)
            pixels = np.empty((layout.frames, *layout.shape), dtype)
        pixels[place[index]], shown = meant(frame, header, stored, rescales[index], window, pixels.dtype)
    assert pixels is not None
    return MedicalImage(
        pixels,
        bits=min(stored.bits, 32),
        spacing=stack.spacing,
        affine=stack.affine,
        modality=text(header, "Modality"),
        window=shown,
        tags=acquisition(header),
        notes=(*source.notes, *stack.notes, *overlay_notes(header), *notes),
    )


def _stack(header: Any, frames: int) -> Stack:
    """Order and place of the frames of one file."""
    offsets = numbers(header, "GridFrameOffsetVector", frames)
    first = plane_of(header, *frame_groups(header, 0))
    if offsets is not None and first.placed:  # RT dose: one position, and steps along the normal
        planes = [first.moved(offset - offsets[0]) for offset in offsets]
    elif items_of(header, "PerFrameFunctionalGroupsSequence"):
        planes = [plane_of(header, *frame_groups(header, index)) for index in range(frames)]
    else:
        planes = [Plane(spacing=first.spacing)] * frames
    return stacked(planes)
