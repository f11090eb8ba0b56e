"""Grey or colour: what an image holds, and making one of the other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's grey images


def has_colour(pixels: NDArray[np.generic]) -> bool:
    """True if the channels of (..., 3) pixels differ anywhere; many grey images are stored in three equal ones."""
    return bool((pixels[..., 1:] != pixels[..., :1]).any())


def to_grey(pixels: NDArray[Any]) -> NDArray[Any]:
    """Luma of (..., 3) pixels, in their own type: rounded for integers, the value itself where channels are equal.

    >>> to_grey(np.array([[255, 0, 0], [7, 7, 7]], dtype=np.uint8))
    array([76,  7], dtype=uint8)
    """
    if not has_colour(pixels):
        return pixels[..., 0]
    luma = pixels @ _LUMA
    if np.issubdtype(pixels.dtype, np.integer):
        luma = np.rint(luma)
    grey: NDArray[Any] = luma.astype(pixels.dtype)
    return grey


def to_rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """Three equal channels as a last axis."""
    return np.repeat(pixels[..., None], 3, axis=-1)
