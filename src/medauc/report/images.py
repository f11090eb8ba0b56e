"""Images as PNG data URIs."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray


def views(image: NDArray[np.uint8]) -> list[tuple[str, NDArray[np.uint8]]]:
    """Turn one sample into the pictures that stand for it.

    Args:
        image: uint8, shape ``(H, W)``, ``(H, W, 3)`` or ``(D, H, W)``.

    Returns:
        ``(name, picture)``: the image itself, or the central slice across each axis of a volume.

    Raises:
        ValueError: Another shape or type.

    >>> dict((name, view.shape) for name, view in views(np.zeros((8, 9, 10), np.uint8)))
    {'central slice, axis 1': (9, 10), 'central slice, axis 2': (8, 10), 'central slice, axis 3': (8, 9)}
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"an image must be uint8 of 2 or 3 axes, got {image.dtype} of shape {image.shape}")
    if image.ndim == 2 or image.shape[-1] == 3:
        return [("image", image)]
    return [
        (f"central slice, axis {axis + 1}", image.take(image.shape[axis] // 2, axis=axis))
        for axis in range(3)
    ]


def png_data_uri(picture: NDArray[np.uint8]) -> str:
    """Encode a picture, losslessly.

    Args:
        picture: uint8, grey ``(H, W)`` or RGB ``(H, W, 3)``.

    Returns:
        ``data:image/png;base64,...``

    >>> png_data_uri(np.zeros((1, 1), np.uint8))[:32]
    'data:image/png;base64,iVBORw0KGg'
    """
    height, width = picture.shape[:2]
    colour_type = 0 if picture.ndim == 2 else 2
    rows = picture.reshape(height, -1)
    unfiltered = np.column_stack((np.zeros(height, np.uint8), rows))  # each row starts with its filter, 0
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)),
            (b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
