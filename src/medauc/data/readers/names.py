"""What files are called, kept out of messages about them."""

import re
from pathlib import Path

_QUOTED = re.compile(r"""(['"])(.+?)\1""")


def without_names(text: str, *names: str | Path) -> str:
    """A message about files without what they are called, for where names of files name patients.

    Args:
        text: The message.
        names: Ids, and paths: these go whole, and so do their last part, with and without its ending, the folder
            of ``folder/#series``, and a file in that folder which the message quotes. A name is replaced where it
            stands as a word of its own.

    >>> without_names("holds 2 series; name one as DOE_JANE/#1a2b", Path("ward/DOE_JANE"))
    'holds 2 series; name one as .../#1a2b'
    """
    found, quoted = {str(name) for name in names}, {word for _, word in _QUOTED.findall(text)}
    for path in (name for name in names if isinstance(name, Path)):
        place = path.parent / path.name.partition("#")[0]
        unpacked = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
        found |= {str(place), place.name, path.name, path.stem, Path(unpacked).stem}
        found |= {word for word in quoted if _is_in(path.parent, word) or _is_in(place, word)}
    longest = sorted(found - {"", "."}, key=len, reverse=True)  # paths before what they are made of
    if not longest:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", "...", text)


def _is_in(folder: Path, name: str) -> bool:
    try:
        return (folder / name).exists()
    except OSError:  # it is too long for a name
        return False
