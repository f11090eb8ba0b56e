"""Which files an image is made of: one, a header with its values beside it, or a folder of slices."""

import glob
import re
from pathlib import Path

from medauc.data.readers.detached import HEADER_ENDINGS

_PAIRS = (".hdr", ".img", ".head", ".brik")  # the second file has the same stem
_PACKED = re.compile(r"\.gz$", re.IGNORECASE)
_WITH_OTHERS = (*_PAIRS, *HEADER_ENDINGS)
_NAMED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_HEADER_BYTES = 1 << 16


def image_parts(path: str) -> list[str]:
    """All files whose contents decide the image at ``path``, sorted.

    Args:
        path: A file, the folder of a DICOM series, or ``folder#series`` for one series of several.

    Raises:
        OSError: The folder or header cannot be read.

    >>> image_parts("chest.png")
    ['chest.png']
    """
    place = Path(path)
    if place.is_dir():
        return sorted(str(file) for file in place.iterdir())
    if "#" in place.name and (folder := Path(path.rpartition("#")[0])).is_dir():
        return image_parts(str(folder))
    unpacked = Path(_PACKED.sub("", place.name))
    if unpacked.suffix.lower() in _PAIRS:
        return sorted({path, *(str(file) for file in place.parent.glob(f"{glob.escape(unpacked.stem)}.*"))})
    if unpacked.suffix.lower() in HEADER_ENDINGS:  # the second file is named in the header
        return sorted({path, *_values_of(place)})
    return [path]


def is_alone(path: str) -> bool:
    """Whether a path has no other parts, unless it is a folder: told from its name, since a million files are asked."""
    return "#" not in path and not _PACKED.sub("", path).lower().endswith(_WITH_OTHERS)


def _values_of(header: Path) -> list[str]:
    """The file that a header names as the place of its values, where it lies beside it."""
    if not header.is_file():  # opening a pipe would wait for ever
        return []
    with header.open("rb") as file:
        named = _NAMED.search(file.read(_HEADER_BYTES))
    if named is None:
        return []
    name = named.group(1).decode(errors="replace").strip()
    values = header.with_name(name) if name and "/" not in name and "\0" not in name else header
    return [str(values)] if values.is_file() else []
