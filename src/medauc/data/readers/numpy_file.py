"""NumPy's ``.npy``, and ``.npz`` with a single array; never unpickled."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from medauc.data.npy import read_header
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.values import native, read_values


def read_npy(path: Path, limits: Limits) -> MedicalImage:
    """Read an array ``(H, W)``, ``(D, H, W)``, or ``(H, W, 3)`` of uint8 as colour."""
    with path.open("rb") as file:
        return _image(file, limits)


def read_npz(path: Path, limits: Limits) -> MedicalImage:
    """Read the only array of an ``.npz``; one with several is a data set, not an image."""
    with zipfile.ZipFile(path) as archive:
        arrays = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        if len(arrays) != 1:
            raise Refusal(
                f"holds {len(arrays)} arrays; only an .npz with one array is an image "
                "(a data set of train_images, train_labels, ... is named whole, not as an image)"
            )
        with archive.open(arrays[0]) as file:
            image = _image(file, limits)
            file.read(1)  # at its end the checksum is verified
            return image


def _image(file: IO[bytes], limits: Limits) -> MedicalImage:
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise Refusal("holds pickled objects, which are never loaded; save a plain array")
    if len(shape) not in (2, 3):
        raise Refusal(f"has shape {shape}, not (H, W), (D, H, W) or (H, W, 3); save one image a file")
    stored = read_values(file, shape[::-1] if fortran else shape, dtype, limits, extra=dtype.itemsize)
    pixels: Any = native(stored.T if fortran else stored)
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3 and pixels.dtype == np.uint8
    notes = ("a last axis of 3 was read as red, green, blue",) if colour else ()
    bits = 8 * min(dtype.itemsize, 4)
    return MedicalImage(np.ascontiguousarray(pixels), colour, bits=bits, notes=notes)
