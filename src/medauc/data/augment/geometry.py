"""Where the pixels of an augmented image come from: one map per image, one interpolation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from medauc.data.augment import elastic
from medauc.data.augment.draw import Draw, require, require_between
from medauc.errors import InputError

Padding = Literal["border", "zeros", "reflection"]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Flips, turns, affine maps and elastic deformation; options as in :class:`~medauc.data.augment.Augment`."""

    spatial_dims: int
    flip: tuple[float, ...]
    quarter_turns: bool
    rotation: float
    scale: tuple[float, float]
    shear: float
    shift: float
    crop: int
    elastic: float
    elastic_spacing: float
    warp_share: float
    padding: Padding

    def __post_init__(self) -> None:
        shares_fit = len(self.flip) == self.spatial_dims and all(0 <= share <= 1 for share in self.flip)
        require(shares_fit, "flip", self.flip, "between 0 and 1, one number or one for each axis")
        require(0 < self.scale[0] <= self.scale[1], "scale", self.scale, "(low, high) with 0 < low <= high")
        require(0 <= self.crop == int(self.crop), "crop", self.crop, "a number of pixels, at least 0")
        require(self.padding in get_args(Padding), "padding", self.padding, "border, zeros or reflection")
        for name, limit in {"rotation": 180, "shear": 1, "shift": 1, "warp_share": 1}.items():
            require_between(name, getattr(self, name), limit)
        spacing = self.elastic_spacing
        require(0.05 <= spacing <= 1, "elastic_spacing", spacing, "between 0.05 and 1")
        largest = round(elastic.LARGEST_OF_SPACING * spacing, 6)
        allowed = f"between 0 and {largest:g}, 0.4 of elastic_spacing, lest the image folds"
        require(0 <= self.elastic <= largest, "elastic", self.elastic, allowed)

    @property
    def interpolates(self) -> bool:
        """Whether images may be drawn at places between pixels."""
        changes = self.rotation, self.shear, self.shift, self.elastic
        return self.warp_share > 0 and (any(changes) or tuple(self.scale) != (1.0, 1.0))

    @property
    def is_on(self) -> bool:
        """Whether any option moves a pixel."""
        return self.interpolates or self._moves_whole_pixels

    @property
    def _moves_whole_pixels(self) -> bool:
        return any(self.flip) or self.quarter_turns or self.crop > 0

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        """Move the pixels of ``images`` (N, C, *spatial)."""
        sizes = images.shape[2:]
        if self.quarter_turns and len(set(sizes)) > 1:
            raise InputError(f"augment quarter_turns needs equal sizes along all axes, got {tuple(sizes)}")
        orientations = self.draw_orientations(draw)
        matrices = orientations @ self.draw_affine(draw) if self.interpolates else orientations
        shifts, crops = self.draw_shifts(sizes, draw), self.draw_crops(draw)
        if not self.interpolates:
            return self._move_whole_pixels(images, orientations, crops)
        grid = sampling_grid(matrices, shifts + crops, sizes)
        if self.elastic > 0:
            controls = elastic.draw_controls(self.elastic, self.elastic_spacing, sizes, draw)
            grid.add_(elastic.spread(_turned(controls, matrices, sizes), self.elastic_spacing, sizes))
        warped = self._sample(images, grid, "bilinear")
        if self.warp_share == 1:
            return warped
        # Both are computed: to choose first would make the host wait for the device.
        exact = self._move_whole_pixels(images, orientations, crops)
        return warped.where(draw.uniform(*[1] * (images.dim() - 1)) < self.warp_share, exact)

    def _move_whole_pixels(self, images: Tensor, orientations: Tensor, crops: Tensor) -> Tensor:
        if not self._moves_whole_pixels:
            return images
        return self._sample(images, sampling_grid(orientations, crops, images.shape[2:]), "nearest")

    def _sample(self, images: Tensor, grid: Tensor, mode: str) -> Tensor:
        return functional.grid_sample(images, grid, mode, self.padding, align_corners=False)

    def draw_orientations(self, draw: Draw) -> Tensor:
        """Draw flips and quarter turns (N, d, d), as maps about the centre from a place in the result to its source."""
        matrices = draw.identities(self.spatial_dims)
        if any(self.flip):
            mirrored = draw.uniform(self.spatial_dims) < torch.tensor(self.flip, device=draw.device)
            matrices = torch.diag_embed(1 - 2 * mirrored.to(draw.dtype))
        if self.quarter_turns:
            matrices = matrices @ draw_quarter_turns(self.spatial_dims, draw)
        return matrices

    def draw_affine(self, draw: Draw) -> Tensor:
        """Draw rotations, shears and enlargements (N, d, d), as maps like those of :meth:`draw_orientations`."""
        d = self.spatial_dims
        matrices = draw.identities(d)
        if self.rotation > 0:
            matrices = draw_rotations(d, math.radians(self.rotation), draw)
        if self.shear > 0:
            identities = draw.identities(d)
            matrices = matrices @ (identities + (1 - identities) * draw.symmetric(self.shear, d, d))
        low, high = self.scale
        if (low, high) != (1, 1):
            matrices = matrices / (low * (high / low) ** draw.uniform(1, 1))
        return matrices

    def draw_shifts(self, sizes: Sequence[int], draw: Draw) -> Tensor:
        """Draw how far (N, d) each image moves, in pixels."""
        pixels = torch.tensor(sizes, dtype=draw.dtype, device=draw.device)
        return draw.symmetric(self.shift, self.spatial_dims) * pixels

    def draw_crops(self, draw: Draw) -> Tensor:
        """Draw how far (N, d) each image moves, in whole pixels."""
        return (draw.uniform(self.spatial_dims) * (2 * self.crop + 1)).floor() - self.crop


def draw_quarter_turns(d: int, draw: Draw) -> Tensor:
    """Draw rotations (N, d, d) that map the axes onto each other, all equally likely."""
    order = draw.uniform(d).argsort(dim=1)
    permutations = functional.one_hot(order, d).to(draw.dtype)
    signs = 1 - 2 * (draw.uniform(d) < 0.5).to(draw.dtype)
    matrices = permutations * signs.unsqueeze(1)
    # A reflection (determinant -1) becomes a rotation when one more axis is mirrored.
    matrices[:, :, 0] *= torch.linalg.det(matrices).round().unsqueeze(1)
    return matrices


def draw_rotations(d: int, limit: float, draw: Draw) -> Tensor:
    """Draw rotations (N, d, d) by angles uniform within limit (radians), in 3D about a uniform direction."""
    generators = torch.zeros(draw.count, d, d, dtype=draw.dtype, device=draw.device)
    if d == 2:
        generators[:, 0, 1] = 1
    else:
        generators[:, [0, 1, 2], [1, 2, 0]] = functional.normalize(draw.normal(d), dim=1)
    generators = generators - generators.transpose(1, 2)
    rotations: Tensor = torch.linalg.matrix_exp(draw.symmetric(limit, 1, 1) * generators)
    return rotations


def sampling_grid(matrices: Tensor, displacements: Tensor, sizes: Sequence[int]) -> Tensor:
    """Compute the places (N, *spatial, d) to sample, in the coordinates of ``grid_sample``.

    The value at pixel x of the result is that of the source at M (x - c - t) + c, with c the centre and t the
    displacement. The terms of the axes are added as broadcast vectors, so that only the last addition runs
    over the whole grid.
    """
    d = len(sizes)
    matrices = _in_grid_units(matrices, sizes)
    grid = -(matrices @ displacements.unsqueeze(2)).view(-1, *[1] * d, d)
    for axis in reversed(range(d)):
        size = sizes[axis]
        places = torch.arange(size, dtype=matrices.dtype, device=matrices.device) - (size - 1) / 2
        terms = places[:, None] * matrices[:, None, :, axis]
        grid = grid + terms.view(-1, *[size if other == axis else 1 for other in range(d)], d)
    return grid


def _turned(controls: Tensor, matrices: Tensor, sizes: Sequence[int]) -> Tensor:
    """Map displacements u (N, *controls, d) of places in the result to those of their sources, M u, in grid units."""
    flat = controls.flatten(1, -2) @ _in_grid_units(matrices, sizes).mT
    return flat.view(controls.shape)


def _in_grid_units(matrices: Tensor, sizes: Sequence[int]) -> Tensor:
    """Let maps (N, d, d) end in the units of ``grid_sample``: from -1 to 1 across the image, last axis first."""
    half = torch.tensor(sizes, dtype=matrices.dtype, device=matrices.device) / 2
    return (matrices / half[:, None]).flip(1)
