"""What the header of one DICOM file tells about the series that it belongs to, also where it is cut."""

from pathlib import Path
from typing import Any, NamedTuple

from medauc.data.readers.dicom.elements import text, whole
from medauc.data.readers.dicom.metered import MOST_HEADER_BYTES, MOST_READS, MeteredFile
from medauc.data.readers.dicom.source import opened, sop_class_of, unpacked
from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits

_GROUPING = ("SeriesInstanceUID", "Modality", "NumberOfFrames", "Rows", "ImagePositionPatient")
_SERIES = 0x0020000E  # SeriesInstanceUID
_IMAGES_BY_OTHER_NAMES = ("RTDoseStorage", "SegmentationStorage", "ParametricMapStorage")


class Header(NamedTuple):
    """What a file tells about its series.

    Attributes:
        uid: SeriesInstanceUID; of an image that has none a text of its own.
        modality: As it says, "" where it does not.
        placed: Whether it is one frame that says where it lies.
    """

    uid: str
    modality: str
    placed: bool


def header_of(path: Path, limits: Limits) -> Header | None:
    """What the header of a file tells; ``None`` where it is no DICOM image, or damaged."""
    try:
        if path.is_symlink() or not regular_file(path) or format_of(path) != "DICOM":
            return None
        with opened(path, limits, _GROUPING) as source:
            header = source.header
            uid = text(header, "SeriesInstanceUID") or f"?{path.name}"
            placed = (
                text(header, "ImagePositionPatient") is not None and whole(header, "NumberOfFrames", 1) <= 1
            )
            found = Header(uid, text(header, "Modality") or "", placed)
            return found if text(header, "Rows") else None
    except Exception:  # whatever a foreign file does, it is no member of a series
        return None


def is_damaged(path: Path, limits: Limits) -> bool:
    """Whether a file that is no member of a series is a DICOM file that does not say that it is no image."""
    from pydicom.uid import UID

    try:
        if path.is_symlink() or not regular_file(path) or format_of(path) != "DICOM":
            return False
    except (OSError, Refusal):
        return False
    try:
        kind = UID(sop_class_of(path, limits)).keyword
    except Exception:  # its header is cut
        return True
    return not kind or "Image" in kind or kind in _IMAGES_BY_OTHER_NAMES


def series_of_damaged(path: Path, limits: Limits) -> str | None:
    """SeriesInstanceUID of a file whose header is cut; ``None`` where it is cut before or within it."""
    from pydicom.filereader import read_partial

    passed = False

    def behind(tag: Any, *_: Any) -> bool:
        nonlocal passed
        passed = bool(tag > _SERIES)
        return passed

    try:
        with MeteredFile(path.open("rb", buffering=0)) as file:
            stream, _ = unpacked(file, limits)  # pydicom would unpack a deflated file without bound
            with stream.metered(MOST_READS, MOST_HEADER_BYTES):
                header = read_partial(stream, behind, force=True, specific_tags=[_SERIES])
            return text(header, "SeriesInstanceUID") if passed else None
    except Exception:  # damaged headers raise anything
        return None
