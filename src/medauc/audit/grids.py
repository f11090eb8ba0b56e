"""Images of any size on small common grids, for comparison by sight: shrinking, rims, shifts."""

import numpy as np
from numpy.typing import NDArray

THUMBNAIL_SIDES = {2: 32, 3: 16}  # pixels a side by number of axes: 1 KiB and 4 KiB an image

FloatArray = NDArray[np.float32]


def grey(pixels: NDArray[np.generic], colour: bool) -> NDArray[np.generic]:
    """Mean of the colour channels, which are the last axis; other images as they are."""
    return np.asarray(pixels, dtype=np.float32).mean(axis=-1) if colour else np.asarray(pixels)


def shrink(images: NDArray[np.generic], shape: tuple[int, ...]) -> FloatArray:
    """Bring images to one shape by averaging over areas, each axis scaled on its own.

    Args:
        images: grey, shape (B, H, W) or (B, D, H, W); pixels that are not finite count as the image's lowest.
        shape: of the result, without B; larger than the images where these are smaller still.

    Returns:
        float32, shape (B, *shape).

    >>> shrink(np.array([[[0, 2], [4, 6]]]), (1, 1)).tolist()
    [[[3.0]]]
    """
    values = _finite(np.asarray(images, dtype=np.float32))
    for axis, side in enumerate(shape, start=1):
        values = np.moveaxis(np.moveaxis(values, axis, -1) @ _averaging(values.shape[axis], side), -1, axis)
    return np.ascontiguousarray(values)


def _averaging(old: int, new: int) -> FloatArray:
    """Weights that average ``old`` pixels to ``new``, each over the pixels it touches, shape (old, new)."""
    place, pixel = np.arange(new), np.arange(old)[:, None]
    touched = (pixel >= place * old // new) & (pixel < -(-(place + 1) * old // new))
    return np.asarray(touched / touched.sum(axis=0), dtype=np.float32)


def to_bytes(images: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale each image from its own lowest and highest value to 0..255; constant images become 0.

    >>> to_bytes(np.array([[[1.0, 3.0]], [[5.0, 5.0]]])).tolist()
    [[[0, 255]], [[0, 0]]]
    """
    values = _finite(np.asarray(images, dtype=np.float32))
    axes = tuple(range(1, values.ndim))
    low, high = values.min(axis=axes, keepdims=True), values.max(axis=axes, keepdims=True)
    span = np.where(high > low, high - low, 1.0)
    return np.asarray(np.rint((values - low) / span * 255.0), dtype=np.uint8)


def rim(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mask of the outermost pixels, one thick for every 28 a side.

    >>> int(rim((4, 4)).sum())
    12
    """
    inside = np.ones(shape, dtype=np.bool_)
    for axis, side in enumerate(shape):
        thick = max(1, side // 28)
        place = np.arange(side)
        kept = (place >= thick) & (place < side - thick)
        inside &= kept.reshape([-1 if number == axis else 1 for number in range(len(shape))])
    return ~inside


def corners(shape: tuple[int, ...]) -> tuple[NDArray[np.intp], ...]:
    """Indices of the corner pixels, for indexing an array of that shape.

    >>> [index.tolist() for index in corners((5, 7))]
    [[0, 0, 4, 4], [0, 6, 0, 6]]
    """
    ends = np.meshgrid(*([0, side - 1] for side in shape), indexing="ij")
    return tuple(end.reshape(-1) for end in ends)


def _finite(values: FloatArray) -> FloatArray:
    """Replace pixels that are not finite by the lowest finite one of their image, or 0."""
    wrong = ~np.isfinite(values)
    if not wrong.any():
        return values
    axes = tuple(range(1, values.ndim))
    lowest = np.where(wrong, np.inf, values).min(axis=axes, keepdims=True)
    return np.where(wrong, np.where(np.isfinite(lowest), lowest, 0.0), values).astype(np.float32)
