"""One function that reads any image file, and the fence around what its readers may raise."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medauc.data.readers.formats import Format, foreign_format, format_of, regular_file
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet, without_values

_MOST_NOTES = 20


def read_image(path: Path | str, limits: Limits | None = None, *, lenient: bool = False) -> MedicalImage:
    """Read an image or volume of any known format, or a folder that holds one DICOM series.

    The format is told by the content: PNG, JPEG, TIFF, NumPy, DICOM, NIfTI, Analyze, MGH, AFNI, NRRD, MetaImage.
    Whatever the file holds, it is read or refused in bounded time and memory, and nothing in it is executed.

    Args:
        path: A file, a folder with the files of one DICOM series, or ``folder/#name`` for one series of several
            as :func:`list_images` names them.
        limits: What it may cost.
        lenient: Read a series beside a damaged DICOM file that may be a slice of it too, with a note.

    Returns:
        The image. Its array is ``(H, W)``, ``(H, W, 3)`` or ``(D, H, W)``; a NIfTI volume ``(i, j, k)`` is
        transposed to ``(k, j, i)``.

    Raises:
        UnreadableImage: One line with the path, why it is not read, and what to do.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "image.npy"
    >>> np.save(path, np.arange(6, dtype=np.uint16).reshape(2, 3))
    >>> read_image(path).pixels
    array([[0, 1, 2],
           [3, 4, 5]], dtype=uint16)
    >>> read_image(path.parent / "other.npy")
    Traceback (most recent call last):
    ...
    medauc.data.readers.image.UnreadableImage: ...other.npy: cannot be opened (No such file or directory)
    """
    path = Path(path)
    limits = limits or Limits()
    with _fenced(path) as notes:
        image = _read(path, limits, lenient)
        return image.with_notes(*_about_values(image), *notes())


def _read(path: Path, limits: Limits, lenient: bool) -> MedicalImage:
    """Choose the reader."""
    from medauc.data.readers.dicom import read_dicom, read_series, series_of_path

    if not path.is_file() and (series := series_of_path(path, limits)):
        return read_series(series, limits, lenient=lenient)
    limits.check_bytes(regular_file(path), "the file")
    found = format_of(path)
    if found is None:
        raise Refusal(
            f"is {foreign_format(path)}; read are PNG, JPEG, TIFF, DICOM, NIfTI, Analyze, MGH, AFNI, NRRD, "
            "MetaImage and NumPy files"
        )
    if found == "DICOM":
        return read_dicom(path, limits)
    return _read_plain(path, found, limits)


def _read_plain(path: Path, found: Format, limits: Limits) -> MedicalImage:
    """Read any format but DICOM."""
    from medauc.data.readers.meta_image import read_meta_image
    from medauc.data.readers.neuro import read_neuro
    from medauc.data.readers.nrrd_file import read_nrrd
    from medauc.data.readers.numpy_file import read_npy, read_npz
    from medauc.data.readers.raster import read_raster

    match found:
        case "PNG" | "JPEG" | "TIFF":
            return read_raster(path, found, limits)
        case "NumPy":
            return read_npy(path, limits)
        case "npz":
            return read_npz(path, limits)
        case "NRRD":
            return read_nrrd(path, limits)
        case "MetaImage":
            return read_meta_image(path, limits)
        case _:
            return read_neuro(path, found, limits)


@contextlib.contextmanager
def _fenced(path: Path) -> Iterator["_Notes"]:
    """Turn whatever a reader raises into one line, and what its library warns of into notes."""
    with quiet() as caught:
        try:
            yield _Notes(caught)
        except Refusal as refusal:
            raise refusal.about(path) from None
        except MemoryError:
            raise Refusal("needs more memory than there is; make it smaller first").about(path) from None
        except OSError as error:
            reason = error.strerror if error.errno else without_values(error)
            raise Refusal(f"cannot be read ({reason}); copy it again or leave it out").about(path) from None
        except (
            Exception
        ) as error:  # readers are libraries fed with anything: what they raise is not foreseeable
            reason = without_values(error)
            raise Refusal(f"is damaged ({reason}); copy it again or leave it out").about(path) from None


class _Notes:
    """What was warned of, worded without values of the file."""

    def __init__(self, caught: list[warnings.WarningMessage]) -> None:
        self._caught = caught

    def __call__(self) -> list[str]:
        """One line each, no line twice."""
        lines = dict.fromkeys(without_values(warning.message) for warning in self._caught)
        return list(lines)[:_MOST_NOTES]


def _about_values(image: MedicalImage) -> list[str]:
    """A note where values are not finite."""
    if image.pixels.dtype.kind != "f":
        return []
    wrong = image.pixels.size - int(np.count_nonzero(np.isfinite(image.pixels)))
    return [f"{wrong} of {image.pixels.size} values are NaN or infinite"] if wrong else []
