"""Which images lie below a folder."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.image import Refusal, UnreadableImage
from medauc.data.readers.limits import Limits
from medauc.data.readers.pairs import PAIR_ENDINGS, header_of_pair
from medauc.data.readers.quiet import quiet

# What people take for an image, whether it is read here or not; TIFF and DICOM go by several names.
IMAGE_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".dcm", ".dicom", ".dic", ".ima"),
    *(".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".mgh", ".mgh.gz", ".npy", ".npz"),
    *PAIR_ENDINGS,
    *(".bmp", ".gif", ".webp", ".jp2", ".j2k", ".heic", ".mnc", ".svs"),
)
_DIGITS = re.compile(r"(\d+)")


def list_images(folder: Path | str) -> list[Path]:
    """Images below a folder, each once, in natural order ("image2" before "image10").

    A DICOM series whose slices say where they lie counts once: as its folder where it is the only image there,
    else as ``folder/#name``; :func:`read_image` takes both. Other DICOM files count singly, an ``.img`` with its
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
    """Files below a folder that are named like images and hold none that is read: :func:`list_images` omits them.

    They are empty, damaged, text, or of another format. A damaged DICOM file is one whatever its name. A name without
    an ending, or with a number in its place, is that of an image where it holds a digit and other images beside it
    are named so, as DICOM files often are. Values whose header stands beside them are named by it.

    Returns:
        Their paths, in natural order; links and hidden names are passed over, as in :func:`list_images`.

    Raises:
        UnreadableImage: A name is not text.
    """
    with quiet():
        return _ordered(path for place, files in _folders(Path(folder)) for path in _named(place, files))


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder below ``root`` with its plain files; links and hidden names left out."""
    for place, folders, names in os.walk(root, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(place, name) for name in names if not name.startswith(".")]
        yield Path(place), [path for path in files if not path.is_symlink()]


def _images(place: Path, files: list[Path]) -> list[Path]:
    """Images of one folder."""
    from medauc.data.readers.dicom import series_of_folder

    formats = {path: _format(path) for path in files}
    images = [path for path, found in formats.items() if found not in (None, "DICOM")]
    every = series_of_folder(place, Limits()) if "DICOM" in formats.values() else ()
    alone = len(every) == 1 and not images
    for series in every:
        if len(series.files) == 1 or not series.placed:
            images += series.files
        else:
            images.append(place if alone else place / f"#{series.name}")
    return images


def _named(place: Path, files: list[Path]) -> list[Path]:
    """Files of one folder that are named like images and hold none."""
    from medauc.data.readers.dicom import series_of_folder
    from medauc.data.readers.dicom.headers import is_damaged

    found = {path: _format(path) for path in files}
    every = series_of_folder(place, Limits()) if "DICOM" in found.values() else ()
    listed = {path for series in every for path in series.files}
    cut = {
        path for path in files if found[path] == "DICOM" and path not in listed and is_damaged(path, Limits())
    }
    bare = any(_is_bare(path) for path in files if found[path] is not None)
    return [
        path
        for path in files
        if path in cut
        or (
            found[path] is None
            and (path.name.lower().endswith(IMAGE_ENDINGS) or (bare and _is_bare(path)))
            and not _is_second_half(path)
        )
    ]


def _is_bare(path: Path) -> bool:
    """Whether a name is a number or ends in none of the usual ways: IM0001, 1.2.840.10008, not README or a.txt."""
    return bool(_DIGITS.search(path.name)) and (not path.suffix or path.suffix[1:].isdecimal())


def _format(path: Path) -> str | None:
    """Format of a file that is an image of its own, ``None`` for other files and the second half of a pair."""
    try:
        regular_file(path)
        return None if header_of_pair(path) is not None else format_of(path)
    except (Refusal, OSError):
        return None


def _is_second_half(path: Path) -> bool:
    """Whether a file holds the values of a header beside it, whatever that is."""
    try:
        return header_of_pair(path) is not None
    except Refusal:  # it is a link, which no list has
        return False


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
