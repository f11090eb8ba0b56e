"""Which files an image consists of."""

import re
from pathlib import Path

from medauc.data.readers.detached import HEADER_ENDINGS
from medauc.data.readers.formats import header_of_pair
from medauc.data.readers.image import Refusal, UnreadableImage
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet

# Headers whose values lie in files of the same name, and headers that name the file of their values.
_SAME_NAME = (".hdr", ".head")
_NAMING = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_LARGEST_HEADER = 2**16


def files_of_image(path: Path | str, limits: Limits | None = None) -> tuple[Path, ...]:
    """The files that :func:`read_image` reads for a path: slices of a series, header and values of a pair.

    Raises:
        UnreadableImage: A folder with no series or several.

    >>> import tempfile
    >>> image = Path(tempfile.mkdtemp()) / "a.png"
    >>> _ = image.write_bytes(b"...")
    >>> [file.name for file in files_of_image(image)]
    ['a.png']
    """
    from medauc.data.readers.dicom import series_of_path

    path = Path(path)
    try:
        with quiet():
            series = series_of_path(path, limits or Limits())
    except Refusal as refusal:
        raise UnreadableImage(f"{path}: {refusal}") from None
    if series:
        return series.files
    header = header_of_pair(path) or path
    if header.suffix.lower() in _SAME_NAME:
        beside = sorted(header.parent.glob("*"))
        named = (file for file in beside if file.name.startswith(f"{header.stem}."))
        return tuple(file for file in named if file.is_file()) or (path,)
    return (path, *_values_named_in(path)) if path.suffix.lower() in HEADER_ENDINGS else (path,)


def _values_named_in(header: Path) -> list[Path]:
    """The file beside a header that it names as the place of its values."""
    if not header.is_file():  # opening a pipe would wait for ever
        return []
    with header.open("rb") as file:
        named = _NAMING.search(file.read(_LARGEST_HEADER))
    name = named[1].decode("utf-8", "replace").strip() if named else ""
    return (
        [header.with_name(name)]
        if name and not set(name) & set("/\\\0") and header.with_name(name).is_file()
        else []
    )
