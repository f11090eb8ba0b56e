"""A folder of DICOM files as series."""

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple
from weakref import WeakValueDictionary

from medauc.data.readers.dicom.headers import Header, header_of, is_damaged, series_of_damaged
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits

_NAMED = re.compile(r"(.*)#([0-9a-f]{8})")
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
        damaged: Those of them that say that they are of this series, and whose header is cut.
        doubtful: Those of them whose header is cut before it says of which series they are, so maybe of this one.
    """

    folder: Path
    name: str
    files: tuple[Path, ...]
    modality: str = ""
    placed: bool = True
    skipped: int = 0
    damaged: tuple[Path, ...] = ()
    doubtful: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """Name, modality and number of files."""
        return f"#{self.name} ({self.modality or 'unknown modality'}, {len(self.files)} files)"


def series_of_folder(folder: Path, limits: Limits) -> tuple[Series, ...]:
    """The series whose files lie directly in a folder; links, hidden names and other files are passed over.

    The headers are read once, however many of the series are asked for, until a file of the folder changes.
    """
    with _one_at_a_time(folder):
        return _looked_through(folder, limits).series


def series_of_path(path: Path, limits: Limits) -> Series | None:
    """The series that a folder, ``folder/#name`` or ``folder#name`` stands for; ``None`` for the path of a file.

    Of a folder that is known, itself, the files of the series and those of no series are looked at for changes, so that
    all series of a folder of slices cost as many looks as it has files.

    Raises:
        Refusal: The folder holds no series or several, or none of that name, or ``folder#name`` is of a link.
    """
    folder, name = path, ""
    if not path.exists() and (named := _NAMED.fullmatch(path.name)):
        folder, name = path.with_name(named[1]) if named[1] else path.parent, named[2]
        if named[1] and folder.is_symlink():  # whoever checked the path could not see it: nothing is there
            words = "names a series of a linked folder; name it as"
            raise Refusal(f"{words} .../#{name}", f"{words} {folder.name}/#{name}")
    if not folder.is_dir():
        return None
    with _one_at_a_time(folder):
        known = _known.get((folder, limits))
        chosen = () if known is None else known.of_name(name)
        if known is None or not known.holds_for(chosen):
            known = _looked_through(folder, limits)
            chosen = known.of_name(name)
    if not chosen:
        raise Refusal(
            f"has no series {name}" if name else "is a folder without DICOM images; name its images singly"
        )
    if len(chosen) > 1:
        listed = ", ".join(map(str, chosen[:6])) + (", ..." if len(chosen) > 6 else "")
        words = f"holds {len(chosen)} DICOM series: {listed}; name one as"
        raise Refusal(
            f"{words} .../#{chosen[0].name}", f"{words} {PurePath(folder.name, f'#{chosen[0].name}')}"
        )
    return chosen[0]


class _State(NamedTuple):
    """How a file looks; one that looks the same has not changed."""

    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, state: os.stat_result) -> "_State":
        return cls(state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


@dataclass(frozen=True)
class _Listing:
    """A folder whose headers were read, which of its files are of no series, and how it and its files looked then."""

    series: tuple[Series, ...]
    others: tuple[Path, ...]
    folder: Path
    own_state: _State
    states: Mapping[str, _State]

    def of_name(self, name: str) -> tuple[Series, ...]:
        return tuple(series for series in self.series if name in ("", series.name))

    def holds_for(self, chosen: tuple[Series, ...]) -> bool:
        """Whether no file came or went, and those that these series may have look the same; never without series."""
        files = (*(file for series in chosen for file in series.files), *self.others)
        try:
            return (
                bool(chosen)
                and _State.of(self.folder.stat()) == self.own_state
                and all(_State.of(file.lstat()) == self.states.get(file.name) for file in files)
            )
        except OSError:
            return False


_known: dict[tuple[Path, Limits], _Listing] = {}
_reading: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()
_GUARD = threading.Lock()  # of the two


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Readers are threads too, and each would read all headers of the folder; those of others go on meanwhile."""
    with _GUARD:
        lock = _reading.setdefault(folder, threading.Lock())
    with lock:
        yield


def _looked_through(folder: Path, limits: Limits) -> _Listing:
    """The listing of a folder, remembered unless its files are too fresh to be relied on."""
    began, own_state, states = time.time(), _State.of(folder.stat()), _states_of(folder)
    known = _known.get((folder, limits))
    if known is not None and (known.own_state, known.states) == (own_state, states):
        return known
    found = _Listing(*_series_of(folder, limits), folder, own_state, states)
    newest = max((state.modified for state in (own_state, *states.values())), default=0) / 1e9
    with _GUARD:
        _known.pop((folder, limits), None)
        if began - newest >= _SETTLED:
            if len(_known) >= _REMEMBERED:
                _known.pop(next(iter(_known)))
            _known[folder, limits] = found
    return found


def _states_of(folder: Path) -> dict[str, _State]:
    states = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                states[entry.name] = _State.of(entry.stat(follow_symlinks=False))
            except OSError:  # it vanished meanwhile
                continue
    return states


def _series_of(folder: Path, limits: Limits) -> tuple[tuple[Series, ...], tuple[Path, ...]]:
    """Read the headers of a folder: its series, and the files of none."""
    found: dict[str, list[tuple[Path, Header]]] = {}
    damaged: dict[str | None, list[Path]] = {}
    others: list[Path] = []
    for path in sorted(file for file in folder.iterdir() if not file.name.startswith(".")):
        if (header := header_of(path, limits)) is not None:
            found.setdefault(header.uid, []).append((path, header))
            continue
        if not path.is_dir():
            others.append(path)
        if is_damaged(path, limits):
            damaged.setdefault(series_of_damaged(path, limits), []).append(path)
    series = tuple(
        Series(
            folder,
            hashlib.sha256(uid.encode()).hexdigest()[:8],
            tuple(path for path, _ in members),
            members[0][1].modality,
            all(header.placed for _, header in members),
            len(others),
            tuple(damaged.get(uid, ())),
            tuple(damaged.get(None, ())),
        )
        for uid, members in found.items()
    )
    return series, tuple(others)
