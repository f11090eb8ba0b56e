"""Volumes in two files: a header, and values of the same name beside it."""

from collections.abc import Iterable
from pathlib import Path

from medauc.data.readers.image import Refusal

# Ending of the header and what its values may end in (NIfTI and Analyze, packed or not; AFNI).
_PAIRS = (
    (".hdr", (".img", ".img.gz")),
    (".hdr.gz", (".img.gz", ".img")),
    (".head", (".brik", ".brik.gz")),
)
PAIR_ENDINGS = tuple(dict.fromkeys(ending for head, values in _PAIRS for ending in (head, *values)))


def header_of_pair(path: Path) -> Path | None:
    """The header beside a file of bare values (``.img`` of NIfTI and Analyze, ``.BRIK`` of AFNI).

    Raises:
        Refusal: It is a link.
    """
    for head, values in _PAIRS:
        stem = _without(path.name, values)
        if stem is not None and (header := _first_beside(path, stem, [head])) is not None:
            refuse_link(header, "header")
            return header
    return None


def values_of_pair(header: Path) -> Path | None:
    """The values beside a header.

    Raises:
        Refusal: They are a link.
    """
    for head, endings in _PAIRS:
        stem = _without(header.name, [head])
        if stem is not None and (values := _first_beside(header, stem, endings)) is not None:
            refuse_link(values, "file of values")
            return values
    return None


def refuse_link(path: Path, what: str) -> None:
    """Refuse a link in place of the second file of an image: it may lead to what nobody meant to read.

    Raises:
        Refusal: ``path`` is a link.
    """
    if path.is_symlink():
        raise Refusal(f"its {what} is a link; put both files side by side")


def _without(name: str, endings: Iterable[str]) -> str | None:
    """A name without the one of the endings that it has, in small or capital letters."""
    ending = next((ending for ending in endings if name.lower().endswith(ending)), None)
    return None if ending is None else name[: -len(ending)]


def _first_beside(path: Path, stem: str, endings: Iterable[str]) -> Path | None:
    """The first file beside ``path`` named by the stem and an ending, in small or capital letters."""
    # AFNI writes .HEAD, .BRIK and .BRIK.gz.
    cases = (
        case for ending in endings for case in (ending, ending.upper(), ending.upper().replace(".GZ", ".gz"))
    )
    beside = (path.with_name(stem + case) for case in cases)
    return next((file for file in beside if file.is_symlink() or file.is_file()), None)
