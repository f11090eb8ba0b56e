"""Which files an image consists of."""

import os
import re
from pathlib import Path

from medauc.data.readers.detached import HEADER_ENDINGS
from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.pairs import PAIR_ENDINGS, header_of_pair, values_of_pair
from medauc.data.readers.quiet import quiet

_SEVERAL = (*PAIR_ENDINGS, *HEADER_ENDINGS)
# More generous than the readers: a file that is only mentioned does no harm, one that is missed would.
_NAMING = re.compile(
    rb"^[ \t]*(?:ElementDataFile\s*=|data ?file\s*:=?)[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE
)
_LARGEST_HEADER = 2**20


def files_of_image(
    path: Path | str, limits: Limits | None = None, *, whole_folder: bool = False
) -> tuple[Path, ...]:
    """The files that :func:`read_image` reads for a path: slices of a series, header and values of a pair.

    Args:
        path: As for :func:`read_image`; nothing need be there.
        limits: What reading the headers of a series may cost.
        whole_folder: Give all files in the folder of a series that a reader looks at, sorted; links and hidden names
            are none. No header is read for that, and whatever changes the series is among them.

    Returns:
        The files, a header first; the path itself where there is nothing.

    Raises:
        UnreadableImage: A folder with no series or several, unless the whole folder is asked for.
        OSError: The folder or a header cannot be read.

    >>> import tempfile
    >>> image = Path(tempfile.mkdtemp()) / "a.png"
    >>> _ = image.write_bytes(b"...")
    >>> [file.name for file in files_of_image(image)]
    ['a.png']
    """
    path = Path(path)
    if is_alone(path.name) and not path.is_dir():
        return (path,)
    if whole_folder and (folder := Path(place_of(str(path)))).is_dir():
        return _looked_at(folder)
    if not whole_folder and (series := _series(path, limits or Limits())):
        return series
    try:
        header = header_of_pair(path) or path
        values = values_of_pair(header)
    except Refusal:  # one of them is a link, which is not followed
        return (path,)
    if values is not None:
        return (header, values)
    return (path, *_named_in(path)) if path.name.lower().endswith(HEADER_ENDINGS) else (path,)


def is_alone(path: str) -> bool:
    """Whether a path has no other parts, unless it is a folder: told from its name, since a million files are asked."""
    return "#" not in path and not path.lower().endswith(_SEVERAL)


def place_of(path: str) -> str:
    """The folder of a series that is named as ``folder/#name`` or ``folder#name``, else the path itself.

    >>> place_of("scan#1.png")  # there is no folder "scan"
    'scan#1.png'
    """
    folder, sign, series = path.rpartition("#")
    folder = folder.rstrip(os.sep) or (os.sep if folder else ".")
    is_series = sign and os.sep not in series and Path(folder).is_dir() and not Path(path).exists()
    return folder if is_series else path


def _looked_at(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that may belong to a series in it."""
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
        ]
    return tuple(folder / name for name in sorted(names))


def _series(path: Path, limits: Limits) -> tuple[Path, ...]:
    """The files of a series; none where the path is that of a file."""
    from medauc.data.readers.dicom import series_of_path

    try:
        with quiet():
            series = series_of_path(path, limits)
    except Refusal as refusal:
        raise refusal.about(path) from None
    return series.files if series else ()


def _named_in(header: Path) -> list[Path]:
    """The files beside a header that it names as the place of its values."""
    if not header.is_file():  # opening a pipe would wait for ever
        return []
    with header.open("rb") as file:
        found = _NAMING.finditer(file.read(_LARGEST_HEADER))
        names = {match[1].decode("utf-8", "replace").strip() for match in found}
    plain = [
        header.with_name(name) for name in sorted(names - {"", ".", ".."}) if not set(name) & set("/\\\0")
    ]
    return [file for file in plain if file.is_file()]
