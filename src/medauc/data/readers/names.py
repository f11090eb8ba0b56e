"""What files are called: kept out of messages about them, or put into them."""

import os
import re
from pathlib import Path

from medauc.data.readers.image import Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet


def without_names(text: str, *names: str | Path) -> str:
    """A message about files without what they are called, for where names of files name patients.

    Args:
        text: The message.
        names: Ids, and paths: these go whole, and so do their last part, with and without its ending, the folder
            of ``folder/#series``, and the files of a folder where the message quotes them. A name is replaced where it
            stands as a word of its own.

    >>> without_names("holds 2 series; name one as DOE_JANE/#1a2b", Path("ward/DOE_JANE"))
    'holds 2 series; name one as .../#1a2b'
    """
    found = {str(name) for name in names}
    for path in (name for name in names if isinstance(name, Path)):
        place = path.parent / path.name.partition("#")[0]
        unpacked = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
        found |= {str(place), place.name, path.name, path.stem, Path(unpacked).stem}
        if "'" in text or '"' in text:
            for name in sorted(_files_of(path) | _files_of(place), key=len, reverse=True):
                text = text.replace(repr(name), "'...'")
    longest = sorted(found - {"", "."}, key=len, reverse=True)  # paths before what they are made of
    if not longest:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", "...", text)


def with_names(reason: str, path: Path | str) -> str:
    """Why a series is not read, kept without names (:class:`UnreadableImage`), with those that its files have now."""
    from medauc.data.readers.dicom import about_others, series_of_path

    try:
        with quiet():
            series = series_of_path(Path(path), Limits())
            if series is not None:
                about_others(series, lenient=False)
    except Refusal as refusal:
        return refusal.told if str(refusal) == reason else reason
    except OSError:  # it vanished meanwhile
        return reason
    return reason


def _files_of(folder: Path) -> set[str]:
    """Names of the files of a folder; none of what is no folder."""
    try:
        return set(os.listdir(folder))  # noqa: PTH208  names, not paths
    except (OSError, ValueError):
        return set()
