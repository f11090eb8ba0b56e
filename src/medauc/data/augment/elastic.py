"""Elastic deformation: a smooth random displacement, spread from few control points by cubic B-splines."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from medauc.data.augment.draw import Draw

# Below 0.403 of the spacing in 3D and 0.488 in 2D the deformation has no fold (Choi and Lee, Graphical Models 2000).
LARGEST_OF_SPACING = 0.4


def draw_controls(limit: float, spacing: float, sizes: Sequence[int], draw: Draw) -> Tensor:
    """Draw the displacements (N, *controls, d) of the control points, in pixels.

    Args:
        limit: largest displacement along each axis as a fraction of its size.
        spacing: distance of neighbouring control points as a fraction of the size.
        sizes: of the image.
        draw: random numbers for each image.
    """
    d, count = len(sizes), math.ceil(1 / spacing) + 3
    pixels = torch.tensor(sizes, dtype=draw.dtype, device=draw.device)
    return draw.symmetric(limit, *[count] * d, d) * pixels


def spread(controls: Tensor, spacing: float, sizes: Sequence[int]) -> Tensor:
    """Spread values at control points over all pixels.

    Cubic B-splines are positive and sum to one: the result is twice differentiable and nowhere larger than the
    largest control value.

    Args:
        controls: (N, *controls, c).
        spacing: as in :func:`draw_controls`.
        sizes: of the image.

    Returns:
        (N, *sizes, c).
    """
    field = controls
    for size, count in zip(sizes, controls.shape[1:-1], strict=True):
        # Contracts the first axis that is left and appends the pixels' axis behind the others.
        field = torch.tensordot(field, _splines(size, count, spacing, controls), dims=([1], [1]))
    return field.movedim(1, -1)


def _splines(size: int, count: int, spacing: float, like: Tensor) -> Tensor:
    """Weight (size, count) of each control point at the centre of each pixel."""
    pixels = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / (spacing * size)
    controls = torch.arange(count, dtype=like.dtype, device=like.device) - 1
    distances = (pixels[:, None] - controls).abs()
    near = 2 / 3 - distances.square() + distances.pow(3) / 2
    far = (2 - distances).clamp_min(0).pow(3) / 6
    return near.where(distances < 1, far)
