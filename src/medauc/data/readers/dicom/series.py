"""One DICOM series as a volume."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.elements import acquisition, text
from medauc.data.readers.dicom.folder import Series
from medauc.data.readers.dicom.frames import Layout, decoded, layout_of
from medauc.data.readers.dicom.image import meant, overlay_notes, read_dicom
from medauc.data.readers.dicom.modality import rescale_of, result_type, stored_values, window_of
from medauc.data.readers.dicom.planes import plane_of, stacked
from medauc.data.readers.dicom.source import opened
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits


def read_series(series: Series, limits: Limits, *, lenient: bool = False) -> MedicalImage:
    """Read the files of a series as a volume, ordered by their positions along the normal.

    Args:
        series: From :func:`~medauc.data.readers.dicom.series_of_path`.
        limits: What it may cost.
        lenient: Only note damaged files that do not say whether they are slices of it.

    Raises:
        Refusal: Files differ in size, direction or pixel spacing, lie at one place, differ under one identifier, are
            coloured, or one cannot be read.
    """
    notes = about_others(series, lenient)
    if len(series.files) == 1:
        return read_dicom(series.files[0], limits).with_notes(*notes)
    limits.check_slices(len(series.files), "files")
    members, dropped = _members(series, limits)
    layout = _common_layout(members, limits)
    stack = stacked([member.plane for member in members])
    if not all(member.plane.placed for member in members):
        raise Refusal(
            f"its {len(members)} files do not all say where they lie (ImagePositionPatient), so they are no volume; "
            "name them singly"
        )
    ordered = [members[index] for index in stack.order]
    pixels, window = _pixels(ordered, layout, limits)
    first = ordered[0]
    return MedicalImage(
        pixels,
        bits=min(stored_values(first.header).bits, 32),
        spacing=stack.spacing,
        affine=stack.affine,
        modality=text(first.header, "Modality"),
        window=window,
        tags=acquisition(first.header),
        notes=(*notes, *dropped, *stack.notes, *overlay_notes(first.header)),
    )


def about_others(series: Series, lenient: bool) -> tuple[str, ...]:
    """Notes on the files beside a series.

    Raises:
        Refusal: One is a damaged slice of it, or may be one.
    """
    remedy = "; copy again or take out of the folder"
    if series.damaged:
        reason, told = (f"{words} damaged{remedy}" for words in _counted(series.damaged, "of its slices"))
        raise Refusal(reason, told)
    doubtful = ""
    if series.doubtful:
        reason, doubtful = (
            f"{words} damaged and may be a slice of it"
            for words in _counted(series.doubtful, "of the DICOM files beside it")
        )
        if not lenient:
            raise Refusal(reason + remedy, doubtful + remedy)
    skipped = f"{series.skipped} files beside the series are no DICOM images" if series.skipped else ""
    return tuple(note for note in (doubtful, skipped) if note)


def _counted(files: tuple[Path, ...], what: str) -> tuple[str, str]:
    """How many files; the same with the name of the first."""
    count, verb = f"{len(files)} {what}", "is" if len(files) == 1 else "are"
    more = ", ..." if len(files) > 1 else ""
    return f"{count} {verb}", f"{count} ({files[0].name!r}{more}) {verb}"


class _Member:
    """One file of a series, its header read."""

    def __init__(self, path: Path, limits: Limits) -> None:
        with opened(path, limits) as source:
            self.path, self.header = path, source.header
        self.layout = layout_of(self.header, limits)
        self.plane = plane_of(self.header)
        self.rescale = rescale_of(self.header)


def _members(series: Series, limits: Limits) -> tuple[list[_Member], tuple[str, ...]]:
    """Files of a series; one that is there twice counts once."""
    members: list[_Member] = []
    by_uid: dict[str, _Member] = {}
    for path in series.files:
        member = _Member(path, limits)
        known = by_uid.setdefault(text(member.header, "SOPInstanceUID") or path.name, member)
        if known is member or not (known.plane.placed and member.plane.placed):
            members.append(member)
        elif not _are_copies(known, member, limits):  # as of exporters that give all slices one identifier
            raise Refusal(
                "has slices of one SOPInstanceUID that differ in place or pixels; export them anew, or keep one of each"
            )
    twice = len(series.files) - len(members)
    return members, (f"{twice} copies of slices were left out",) if twice else ()


def _are_copies(one: _Member, other: _Member, limits: Limits) -> bool:
    """Whether two placed slices lie at one place and show the same."""
    if one.layout != other.layout or not one.plane.coincides(other.plane):
        return False
    return np.array_equal(_frames(one, limits), _frames(other, limits))


def _frames(member: _Member, limits: Limits) -> list[npt.NDArray[Any]]:
    """Frames as stored."""
    with opened(member.path, limits) as source:
        return list(decoded(source, member.layout, limits))


def _common_layout(members: list[_Member], limits: Limits) -> Layout:
    """Layout of one slice, the same for all; the whole volume within the limits."""
    first = members[0].layout
    coloured = any(text(member.header, "PhotometricInterpretation") == "PALETTE COLOR" for member in members)
    if coloured or first.samples > 1 or first.frames > 1:
        raise Refusal("is a series of coloured or multi-frame files; name them singly")
    other = next((member.layout for member in members if member.layout != first), None)
    if other:
        raise Refusal(
            f"has slices of {first.rows} x {first.columns} and of {other.rows} x {other.columns}; "
            "put each volume into a folder of its own"
        )
    limits.check((len(members), *first.shape), 4)
    return first


def _pixels(
    members: list[_Member], layout: Layout, limits: Limits
) -> tuple[npt.NDArray[Any], tuple[float, float] | None]:
    """Decode each slice into its place."""
    pixels: npt.NDArray[Any] | None = None
    window, _ = window_of(members[len(members) // 2].header)
    shown = window
    for index, member in enumerate(members):
        stored = stored_values(member.header)
        (frame,) = _frames(member, limits)
        if pixels is None:
            pixels = np.empty(
                (len(members), *layout.shape), result_type([m.rescale for m in members], stored, frame.dtype)
            )
        values, shown = meant(frame, member.header, stored, member.rescale, window, pixels.dtype)
        if not np.can_cast(values.dtype, pixels.dtype, "same_kind"):
            raise Refusal(
                "its slices differ in how they store values; put each volume into a folder of its own"
            )
        pixels[index] = values
    assert pixels is not None
    return pixels, shown
