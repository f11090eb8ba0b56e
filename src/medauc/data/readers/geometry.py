"""Affine maps from array indices to the patient, whatever the convention of the file."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Affine = npt.NDArray[np.float64]

# x to the left and y to the back (LPS: DICOM, ITK, most NRRD) against RAS+ (nibabel).
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine_of_axes(axes: Sequence[Sequence[float]], origin: Sequence[float]) -> Affine:
    """Affine whose columns are the steps along array axes ``d, h, w`` and the position of the first voxel.

    >>> affine_of_axes([[0, 0, 2], [0, 1, 0], [1, 0, 0]], [5, 6, 7])[:3].tolist()
    [[0.0, 0.0, 1.0, 5.0], [0.0, 1.0, 0.0, 6.0], [2.0, 0.0, 0.0, 7.0]]
    """
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(np.asarray(axes, dtype=np.float64))
    affine[:3, 3] = origin
    return affine


def usable_affine(affine: Any, factor: float = 1.0) -> Affine | None:
    """An affine in millimetres (``factor`` times its unit), ``None`` where it maps no volume onto a volume."""
    try:
        array = np.array(affine, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if array.shape != (4, 4):
        return None
    array[:3] *= factor
    if not np.isfinite(array).all() or np.abs(array).max() > 1e9:
        return None
    lengths = np.linalg.norm(array[:3, :3], axis=0)
    if lengths.min() < 1e-9 or abs(np.linalg.det(array[:3, :3] / lengths)) < 1e-4:
        return None
    return array


def spacing_of_affine(affine: Affine) -> tuple[float, ...]:
    """Millimetres of one step along each of the three axes.

    >>> spacing_of_affine(np.diag([-1.0, 2.0, 0.5, 1.0]))
    (1.0, 2.0, 0.5)
    """
    return tuple(float(length) for length in np.linalg.norm(affine[:3, :3], axis=0))
