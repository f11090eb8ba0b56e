"""A folder of DICOM files as series."""

import hashlib
import os
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import NamedTuple

from medauc.data.readers.dicom.elements import text, whole
from medauc.data.readers.dicom.source import opened, sop_class_of
from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits

_GROUPING = ("SeriesInstanceUID", "Modality", "NumberOfFrames", "Rows", "ImagePositionPatient")
_NAMED = re.compile(r"(.*)#([0-9a-f]{8})")
_IMAGES_BY_OTHER_NAMES = ("RTDoseStorage", "SegmentationStorage", "ParametricMapStorage")
_REMEMBERED = 16  # folders: whoever reads many series goes from one folder to the next
_SETTLED = 2.0  # seconds: a file written just now may change again within its time stamp's resolution


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
        damaged: Those of them that may be a slice of it, since they are DICOM and do not say that they are no image.
    """

    folder: Path
    name: str
    files: tuple[Path, ...]
    modality: str = ""
    placed: bool = True
    skipped: int = 0
    damaged: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """Name, modality and number of files."""
        return f"#{self.name} ({self.modality or 'unknown modality'}, {len(self.files)} files)"


def series_of_folder(folder: Path, limits: Limits) -> tuple[Series, ...]:
    """The series whose files lie directly in a folder; links, hidden names and other files are passed over.

    The headers are read once, however many of the series are asked for, until a file of the folder changes.
    """
    looks = _looks_of(folder)
    return _series_of(folder, limits) if looks is None else _remembered(folder, limits, looks)


def series_of_path(path: Path, limits: Limits) -> Series | None:
    """The series that a folder, ``folder/#name`` or ``folder#name`` stands for; ``None`` for the path of a file.

    Raises:
        Refusal: The folder holds no series or several, or none of that name, or ``folder#name`` is of a link.
    """
    folder, name = path, ""
    if not path.exists() and (named := _NAMED.fullmatch(path.name)):
        folder, name = path.with_name(named[1]) if named[1] else path.parent, named[2]
        if named[1] and folder.is_symlink():  # whoever checked the path could not see it: nothing is there
            raise Refusal(f"names a series of a linked folder; name it as {folder.name}/#{name}")
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
            f"holds {len(chosen)} DICOM series: {listed}; name one as {PurePath(folder.name, f'#{chosen[0].name}')}"
        )
    return chosen[0]


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


def _looks_of(folder: Path) -> str | None:
    """Digest of names, sizes and times of a folder's files; ``None`` where they are too fresh to be relied on."""
    states, newest = [], 0.0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:  # it vanished meanwhile
                return None
            states.append(
                f"{entry.name!r} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"
            )
            newest = max(newest, state.st_mtime)
    if time.time() - newest < _SETTLED:
        return None
    return hashlib.blake2b("\n".join(sorted(states)).encode()).hexdigest()


def _series_of(folder: Path, limits: Limits) -> tuple[Series, ...]:
    """Read the headers of a folder."""
    found: dict[str, list[_Member]] = {}
    skipped, damaged = 0, list[Path]()
    for path in sorted(file for file in folder.iterdir() if not file.name.startswith(".")):
        member = _member(path, limits)
        if member is None:
            skipped += not path.is_dir()
            damaged += [path] if is_damaged(path, limits) else []
        else:
            found.setdefault(member.uid, []).append(member)
    return tuple(
        Series(
            folder,
            hashlib.sha256(uid.encode()).hexdigest()[:8],
            tuple(member.path for member in members),
            members[0].modality,
            all(member.placed for member in members),
            skipped,
            tuple(damaged),
        )
        for uid, members in found.items()
    )


@lru_cache(maxsize=_REMEMBERED)
def _remembered(folder: Path, limits: Limits, looks: str) -> tuple[Series, ...]:
    return _series_of(folder, limits)


class _Member(NamedTuple):
    """What a file tells about the series that it belongs to."""

    path: Path
    uid: str
    modality: str
    placed: bool


def _member(path: Path, limits: Limits) -> _Member | None:
    """What the header of a file tells; ``None`` where it is no DICOM image."""
    try:
        if path.is_symlink() or not regular_file(path) or format_of(path) != "DICOM":
            return None
        with opened(path, limits, _GROUPING) as source:
            header = source.header
            uid = text(header, "SeriesInstanceUID") or f"?{path.name}"
            placed = (
                text(header, "ImagePositionPatient") is not None and whole(header, "NumberOfFrames", 1) <= 1
            )
            found = _Member(path, uid, text(header, "Modality") or "", placed)
            return found if text(header, "Rows") else None
    except Exception:  # whatever a foreign file does, it is no member of a series
        return None
