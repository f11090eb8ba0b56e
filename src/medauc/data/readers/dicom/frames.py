"""Decoding the frames of a DICOM file, after its size is checked."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.elements import value, whole
from medauc.data.readers.dicom.pixel_data import check_whole
from medauc.data.readers.dicom.sequences import items_of
from medauc.data.readers.dicom.source import Source
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.values import native

_EXTRA = 'pip install "medauc[dicom-codecs]"'
_NEWER = {"1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression"}  # than pydicom


@dataclass(frozen=True)
class Layout:
    """What the header declares about pixels."""

    frames: int
    rows: int
    columns: int
    samples: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one frame."""
        return (self.rows, self.columns, self.samples) if self.samples > 1 else (self.rows, self.columns)


def layout_of(header: Any, limits: Limits) -> Layout:
    """Check what a file declares before anything is decoded.

    Raises:
        Refusal: It is no image, or larger than the limits.
    """
    if value(header, "Rows") is None or value(header, "Columns") is None:
        raise Refusal(
            "is a DICOM object without an image (a report, plan, contour or waveform), or its header is damaged; "
            "leave it out"
        )
    frames = whole(header, "NumberOfFrames", 1) or 1
    layout = Layout(
        frames, whole(header, "Rows", 0), whole(header, "Columns", 0), whole(header, "SamplesPerPixel", 1)
    )
    if layout.samples not in (1, 3):
        raise Refusal(f"has {layout.samples} values a pixel, not 1 or 3")
    limits.check_slices(layout.frames, "frames")
    allocated = max(8, min(whole(header, "BitsAllocated", 8), 64)) // 8
    # All frames as the result, and one as stored, decoded and rescaled.
    limits.check((layout.frames, *layout.shape), max(allocated, 4) if layout.samples == 1 else allocated)
    limits.check(layout.shape, 2 * allocated + 8)
    return layout


def decoded(source: Source, layout: Layout, limits: Limits) -> Iterator[npt.NDArray[Any]]:
    """Frames one after the other, ``(rows, columns)`` or ``(rows, columns, 3)`` in RGB.

    Raises:
        Refusal: The transfer syntax needs a codec that is not installed, or pixels are missing.
    """
    installed_decoder(source.syntax)
    check_whole(source.stream, source.start, *source.header.original_encoding)
    count = 0
    for frame in described(_frames(source, layout, limits)):
        if frame.shape != layout.shape:
            raise Refusal("its frames are not as large as its header says; the file is damaged")
        count += 1
        yield native(frame)
    if count != layout.frames:
        raise Refusal(f"holds {count} of the {layout.frames} frames that its header declares; copy it again")


def installed_decoder(syntax: str) -> None:
    """Make sure that frames of a transfer syntax can be decoded.

    Raises:
        Refusal: pydicom does not know it, or the codec is not installed.
    """
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(UID(syntax))
    except NotImplementedError:
        raise Refusal(
            f"is compressed as {_name(UID(syntax))}, which is not read; convert it to another"
        ) from None
    if not decoder.is_available:
        raise Refusal(f"is compressed as {_name(UID(syntax))}; install the codecs: {_EXTRA}")


def described(frames: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    """The same frames; what pydicom says of a missing element names the file, and its words are not kept."""
    try:
        yield from frames
    except AttributeError:
        raise Refusal(
            "has no pixels, or lacks an element that describes them; copy it again or leave it out"
        ) from None
    except RuntimeError:
        raise Refusal(
            "its compressed pixels are damaged or of a kind that no installed codec decodes; save it uncompressed or "
            "leave it out"
        ) from None


def _frames(source: Source, layout: Layout, limits: Limits) -> Iterator[npt.NDArray[Any]]:
    """Frames by pydicom: those of C codecs in another process, as damaged ones have been seen to stall them."""
    from pydicom.pixels.utils import iter_pixels
    from pydicom.uid import UID, RLELossless

    if UID(source.syntax).is_compressed and source.syntax != RLELossless:
        from medauc.data.readers.dicom.codecs import decoded_apart

        return decoded_apart(source.path, layout.shape, layout.frames, limits)
    return itertools.islice(iter_pixels(source.pixels), layout.frames)


def with_palette(frame: npt.NDArray[Any], header: Any) -> npt.NDArray[Any]:
    """RGB of a frame of palette indices, as many bits as the palette has."""
    from pydicom.pixels.processing import apply_color_lut

    return np.asarray(apply_color_lut(frame, header))[..., :3]


def frame_groups(header: Any, index: int) -> tuple[Any, ...]:
    """Functional groups of one frame, then those that all share (enhanced multi-frame)."""
    own = items_of(header, "PerFrameFunctionalGroupsSequence")
    return (*own[index : index + 1], *items_of(header, "SharedFunctionalGroupsSequence")[:1])


def _name(syntax: Any) -> str:
    """Name of a transfer syntax; one that is unknown stays unnamed."""
    known = syntax.name if syntax.name and not syntax.name[0].isdigit() else "an unknown transfer syntax"
    return _NEWER.get(syntax, known)
