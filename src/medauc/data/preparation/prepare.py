"""The way of one image through all steps."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medauc.data.preparation.colour import has_colour, to_grey, to_rgb
from medauc.data.preparation.intensity import finite, rounded, to_bytes, to_levels, window_of
from medauc.data.preparation.orient import orient
from medauc.data.preparation.resample import AxisGrid, crop_axis, resample, resize_axis
from medauc.data.preparation.spec import PreparationSpec
from medauc.errors import InputError

if TYPE_CHECKING:
    from medauc.data.readers import MedicalImage

PREPARATION_VERSION = (
    1  # to be raised whenever the same file and spec give other pixels: caches of before are not used
)


def prepare(image: "MedicalImage", spec: PreparationSpec, size: int, spatial_dims: int) -> NDArray[np.uint8]:
    """Turn a decoded image into uint8 pixels of one shape.

    An 8-bit image that has the shape already passes unchanged, bit for bit (``spec`` as it is by default). Values are
    resampled before they are clipped to the window, and rounded half to even. NaN becomes the
    image's lowest value; the reader's ``notes`` tell that there was one.

    Args:
        image: From :func:`medauc.data.readers.read_image`.
        spec: What to do.
        size: Pixels a side where ``spec.shape`` is None.
        spatial_dims: 2 for images (a volume of one slice is one), 3 for volumes.

    Returns:
        uint8, (H, W), (H, W, 3) or (D, H, W).

    Raises:
        InputError: The image cannot be prepared so: wrong number of dimensions, its spacing or orientation is not
            known though the spec needs it, a window that it does not have. The line does not name the file.

    >>> from medauc.data.readers import MedicalImage
    >>> pixels = np.array([[0, 100], [200, 255]], dtype=np.uint8)
    >>> image = MedicalImage(pixels, colour=False, bits=8, spacing=None, affine=None, modality=None, window=None,
    ...                      tags={}, notes=())
    >>> prepare(image, PreparationSpec(), size=2, spatial_dims=2)
    array([[  0, 100],
           [200, 255]], dtype=uint8)
    """
    shape = spec.shape_of(size, spatial_dims)
    if 0 in image.pixels.shape:
        raise InputError(f"it has no pixels (shape {image.pixels.shape})")
    image = _in_colour(image, spec, spatial_dims)
    image = _in_dimensions(_oriented(image, spec), spatial_dims)
    if (pixels := finite(image.pixels)) is not image.pixels:
        image = replace(image, pixels=pixels)
    window, grids = window_of(image, spec.intensity), _grids(image, spec, shape)
    if not all(grid.unchanged for grid in grids):
        return rounded(resample(to_levels(image.pixels, window), grids))
    if image.pixels.dtype == np.uint8 and window == (0, 255):
        return image.pixels.copy()  # what the steps below would give, in a tenth of the time
    return to_bytes(image.pixels, window)


def prepare_file(path: Path | str, spec: PreparationSpec, size: int, spatial_dims: int) -> NDArray[np.uint8]:
    """Read and prepare one file, or a folder that is one DICOM series; see :func:`prepare`.

    Raises:
        InputError: It cannot be read or prepared; the line names the file.
    """
    from medauc.data.readers import read_image

    image = read_image(Path(path))
    try:
        return prepare(image, spec, size, spatial_dims)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def holds_colour(image: "MedicalImage") -> bool:
    """True if an image is in colour, and not only stored so."""
    return image.colour and has_colour(image.pixels)


def _in_colour(image: "MedicalImage", spec: PreparationSpec, spatial_dims: int) -> "MedicalImage":
    """The image with or without channels, as the spec asks."""
    if spec.colour == "rgb" and spatial_dims == 3:
        raise InputError("volumes are grey; set data.preparation.colour to auto or grey")
    if image.colour and spec.colour == "grey":
        return replace(image, pixels=to_grey(image.pixels), colour=False)
    if not image.colour and spec.colour == "rgb":
        return replace(image, pixels=to_rgb(image.pixels), colour=True)
    return image


def _oriented(image: "MedicalImage", spec: PreparationSpec) -> "MedicalImage":
    """Turn a volume; flat images have nothing to turn by."""
    if spec.orientation is None:
        return image
    if image.colour or image.affine is None:
        raise InputError(
            "data.preparation.orientation is for volumes whose file says where their axes point; leave it out"
        )
    pixels, spacing = orient(image.pixels, image.affine, image.spacing, spec.orientation)
    return replace(image, pixels=pixels, spacing=spacing)


def _in_dimensions(image: "MedicalImage", spatial_dims: int) -> "MedicalImage":
    """The image itself, or the only slice of a volume where flat images are wanted."""
    shape = image.pixels.shape[:2] if image.colour else image.pixels.shape
    if len(shape) == spatial_dims:
        return image
    if len(shape) < spatial_dims:
        raise InputError(f"it is a flat image (shape {shape}); this data set is of volumes")
    thin = [axis for axis, pixels in enumerate(shape) if pixels == 1]
    if not thin:
        raise InputError(f"it is a volume (shape {shape}); this data set is of flat images")
    kept = [axis for axis in range(3) if axis != thin[0]]
    spacing = None if image.spacing is None else tuple(image.spacing[axis] for axis in kept)
    return replace(image, pixels=image.pixels.squeeze(thin[0]), spacing=spacing, affine=None)


def _grids(image: "MedicalImage", spec: PreparationSpec, shape: tuple[int, ...]) -> list[AxisGrid]:
    """The new grid on each axis."""
    olds = image.pixels.shape[: len(shape)]
    if spec.fit == "resize":
        return [resize_axis(old, new) for old, new in zip(olds, shape, strict=True)]
    wanted = spec.spacing_of(len(shape))
    if wanted is None:
        return [crop_axis(old, new) for old, new in zip(olds, shape, strict=True)]
    if image.spacing is None:
        raise InputError(
            "its spacing is not known; leave data.preparation.spacing out, or give a format that says it"
        )
    steps = [new / own for new, own in zip(wanted, image.spacing, strict=True)]
    return [crop_axis(old, new, step) for old, new, step in zip(olds, shape, steps, strict=True)]
