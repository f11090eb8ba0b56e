"""Which images lie below a folder."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medauc.data.readers.formats import format_of, header_of_pair, regular_file
from medauc.data.readers.image import Refusal, UnreadableImage
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet

IMAGE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".nii", ".nii.gz", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".mgz", ".mgh", ".npy"),
)
_DIGITS = re.compile(r"(\d+)")


def list_images(folder: Path | str) -> list[Path]:
    """Images below a folder, each once, in natural order ("image2" before "image10").

    A DICOM series whose slices say where they lie counts once: as its folder where it is the only image there,
    else as ``folder#name``; :func:`read_image` takes both. Other DICOM files count singly, an ``.img`` with its
    ``.hdr`` once. Links are not followed, hidden files and folders not looked into, and what is no image by its
    content is passed over.

    Raises:
        UnreadableImage: It is not a folder that can be read, or an image's name is not text.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UnreadableImage(f"{root}: is not a folder; name a folder that holds images")
    with quiet():
        found = [image for place, files in _folders(root) for image in _images(place, files)]
    return _ordered(found)


def named_like_images(folder: Path | str) -> list[Path]:
    """Files below a folder that are named like images and hold none (empty, text): :func:`list_images` omits them.

    Returns:
        Their paths, in natural order; links and hidden names are passed over, as in :func:`list_images`.

    Raises:
        UnreadableImage: A name is not text.
    """
    files = (path for _, found in _folders(Path(folder)) for path in found)
    named = (path for path in files if path.name.lower().endswith(IMAGE_ENDINGS))
    with quiet():
        return _ordered(path for path in named if _format(path) is None)


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder below ``root`` with its plain files; links and hidden names left out."""
    for place, folders, names in os.walk(root, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(place, name) for name in names if not name.startswith(".")]
        yield Path(place), [path for path in files if not path.is_symlink()]


def _images(place: Path, files: list[Path]) -> list[Path]:
    """Images of one folder."""
    from medauc.data.readers.dicom import series_of_folder

    plain: list[Path] = []
    dicom: list[Path] = []
    for path in files:
        found = _format(path)
        if found == "DICOM":
            dicom.append(path)
        elif found is not None:
            plain.append(path)
    every = series_of_folder(place, Limits(), dicom) if dicom else []
    alone = len(every) == 1 and not plain
    for series in every:
        if len(series.files) == 1 or not series.placed:
            plain += series.files
        else:
            # Only the folder that was asked for may be a link; series_of_path takes none.
            folder = place.resolve() if place.is_symlink() else place
            plain.append(place if alone else folder.with_name(f"{folder.name}#{series.name}"))
    return plain


def _format(path: Path) -> str | None:
    """Format of a file that is an image of its own, ``None`` for other files and the second half of a pair."""
    try:
        regular_file(path)
        header = header_of_pair(path)
        return None if header is not None and header != path else format_of(path)
    except (Refusal, OSError):
        return None


def _ordered(paths: Iterable[Path]) -> list[Path]:
    """Paths in natural order; refuses names that no table and no terminal could show."""
    found = sorted(paths, key=_natural)
    for path in found:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            name = str(os.fsencode(path))[2:-1]
            raise UnreadableImage(f"{name}: its name is not UTF-8; rename the file or its folder") from None
    return found


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """Sorting key by which numbers in names count as numbers."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in _DIGITS.split(str(path)) if part]
