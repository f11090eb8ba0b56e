"""Turning the axes of a volume so that they point where the recipe says."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medauc.errors import InputError


def orient(
    pixels: NDArray[np.generic],
    affine: NDArray[np.float64] | None,
    spacing: tuple[float, ...] | None,
    codes: str,
) -> tuple[NDArray[np.generic], tuple[float, ...] | None]:
    """Transpose and flip a volume so that its axes run towards ``codes``, as near as its grid allows.

    No value is interpolated: of an oblique volume each axis is taken for the direction it is nearest to.

    Args:
        pixels: (D, H, W).
        affine: 4x4, array index to patient RAS+ millimetres.
        spacing: Millimetres along each axis, or None.
        codes: Three letters such as "SPL", the end each axis shall run to.

    Returns:
        The turned volume (a view) and its spacing in the new order of axes.

    Raises:
        InputError: The volume has no affine: where its axes point is not known.

    >>> upright, _ = orient(np.array([[[1, 2]]]), np.diag([1.0, 1, 1, 1]), None, "RAI")
    >>> upright.tolist()
    [[[2, 1]]]
    """
    from nibabel import orientations

    if affine is None:
        raise InputError(
            "its orientation is not known; leave data.preparation.orientation out, or give a format that says it"
        )
    tools: Any = orientations  # nibabel's functions carry no types
    steps = tools.ornt_transform(tools.io_orientation(affine), tools.axcodes2ornt(tuple(codes)))
    turned: NDArray[np.generic] = tools.apply_orientation(pixels, steps)
    if spacing is None:
        return turned, None
    target = steps[:, 0].astype(int)
    return turned, tuple(spacing[axis] for axis in np.argsort(target))
