"""A folder of DICOM files as series, and one series as a volume."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.elements import acquisition, text, whole
from medauc.data.readers.dicom.frames import Layout, decoded, layout_of
from medauc.data.readers.dicom.image import meant, overlay_notes, read_dicom
from medauc.data.readers.dicom.modality import rescale_of, result_type, stored_values, window_of
from medauc.data.readers.dicom.planes import plane_of, stacked
from medauc.data.readers.dicom.source import opened
from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits

_GROUPING = ("SeriesInstanceUID", "Modality", "NumberOfFrames", "Rows", "ImagePositionPatient")
_NAMED = re.compile(r"(.+)#([0-9a-f]{8})")


@dataclass(frozen=True)
class Series:
    """The files of one series in one folder.

    Attributes:
        folder: Where they are.
        name: Eight hexadecimal digits, a digest of SeriesInstanceUID.
        files: Its files, sorted by name.
        modality: As the first file says.
        placed: Whether each file is one frame that says where it lies, so that they may be a volume.
        skipped: Files of the folder that are no DICOM images.
    """

    folder: Path
    name: str
    files: tuple[Path, ...]
    modality: str = ""
    placed: bool = True
    skipped: int = 0

    def __str__(self) -> str:
        """Name, modality and number of files."""
        return f"#{self.name} ({self.modality or 'unknown modality'}, {len(self.files)} files)"


def series_of_folder(folder: Path, limits: Limits, files: Iterable[Path] | None = None) -> list[Series]:
    """The series whose files lie directly in a folder; links and files of other formats are passed over."""
    found: dict[str, list[tuple[Path, Any]]] = {}
    skipped = 0
    for path in sorted(files if files is not None else folder.iterdir()):
        header = _grouping_header(path, limits)
        if header is None:
            skipped += not path.is_dir()
            continue
        found.setdefault(text(header, "SeriesInstanceUID") or f"?{path.name}", []).append((path, header))
    return [
        Series(
            folder,
            hashlib.sha256(uid.encode()).hexdigest()[:8],
            tuple(path for path, _ in members),
            text(members[0][1], "Modality") or "",
            all(_is_placed(header) for _, header in members),
            skipped,
        )
        for uid, members in found.items()
    ]


def series_of_path(path: Path, limits: Limits) -> Series | None:
    """The series that a folder, or ``folder#name``, stands for; ``None`` for the path of a file.

    Raises:
        Refusal: The folder holds no series or several, or none of that name, or ``folder#name`` is of a link.
    """
    folder, name = path, ""
    if not path.exists() and (named := _NAMED.fullmatch(path.name)):
        folder, name = path.with_name(named[1]), named[2]
        if folder.is_symlink():  # whoever checked the path could not see it: nothing of that name is there
            raise Refusal(f"names a series of a linked folder; name it as {folder.resolve().name}#{name}")
    if not folder.is_dir():
        return None
    every = series_of_folder(folder, limits)
    chosen = [series for series in every if name in ("", series.name)]
    if not chosen:
        raise Refusal(
            f"has no series {name}" if name else "is a folder without DICOM images; name its images singly"
        )
    if len(chosen) > 1:
        listed = ", ".join(map(str, chosen[:6])) + (", ..." if len(chosen) > 6 else "")
        raise Refusal(
            f"holds {len(chosen)} DICOM series: {listed}; name one as {folder.name}#{chosen[0].name}"
        )
    return chosen[0]


def _grouping_header(path: Path, limits: Limits) -> Any | None:
    """What tells the series of a file; ``None`` where it is no DICOM image."""
    try:
        if path.is_symlink() or not regular_file(path) or format_of(path) != "DICOM":
            return None
        with opened(path, limits, _GROUPING) as source:
            header = source.header
            return header if text(header, "Rows") else None
    except Exception:  # whatever a foreign file does, it is no member of a series
        return None


def _is_placed(header: Any) -> bool:
    return text(header, "ImagePositionPatient") is not None and whole(header, "NumberOfFrames", 1) <= 1


def read_series(series: Series, limits: Limits) -> MedicalImage:
    """Read the files of a series as a volume, ordered by their positions along the normal.

    Raises:
        Refusal: Files differ in size, direction or pixel spacing, lie at one place, or one cannot be read.
    """
    notes = (f"{series.skipped} files beside the series are no DICOM images",) if series.skipped else ()
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
    members: dict[str, _Member] = {}
    twice = 0
    for path in series.files:
        member = _Member(path, limits)
        uid = text(member.header, "SOPInstanceUID") or path.name
        twice += uid in members
        members.setdefault(uid, member)
    return list(members.values()), (f"{twice} copies of slices were left out",) if twice else ()


def _common_layout(members: list[_Member], limits: Limits) -> Layout:
    """Layout of one slice, the same for all; the whole volume within the limits."""
    first = members[0].layout
    if first.samples > 1 or first.frames > 1:
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
        with opened(member.path, limits) as source:
            (frame,) = decoded(source, layout, limits)
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
