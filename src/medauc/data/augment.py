"""Augmentation of whole batches on their device, in 2D and 3D by the same code."""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal, get_args

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from medauc.errors import InputError

Padding = Literal["border", "zeros", "reflection"]


class Augment(nn.Module):
    """Random changes of float images in training; every image of the batch gets its own.

    All geometric changes are composed into one affine map per image and applied by one interpolation (linear;
    nearest neighbour, hence exact, if only flips, quarter turns and crops are on). Every option is off by
    default. In evaluation mode images pass unchanged, except for ``voxel_scaling``.

    Args:
        spatial_dims: 2 for images, 3 for volumes.
        flip: Probability of mirroring, 0 to 1, along each axis, or one for each axis in the order of the
            array ((H, W) or (D, H, W)).
        quarter_turns: Turn by a random multiple of 90 degrees: one of 4 orientations in 2D, of 24 in 3D.
            Needs equal sizes along all axes.
        rotation: Largest angle in degrees, 0 to 180; the angle is uniform up to it in both directions, the
            axis in 3D uniform over all directions.
        scale: Range of the factor of enlargement, 0 < low <= high, drawn log-uniformly; (1, 1) is off.
        shear: Largest tangent of the shear angle, 0 to 1, for each pair of axes.
        shift: Largest displacement along each axis as a fraction of its size, 0 to 1.
        crop: Largest displacement along each axis in whole pixels, at least 0: the result is that of
            padding by so many pixels and cropping at random to the old size.
        padding: What lies outside of the image: "border" repeats its edge, "reflection" mirrors it, "zeros"
            is the value 0 (black before, the mean grey after standardisation).
        brightness: Largest summand, at least 0, in units of the pixel values; uniform in both directions.
        contrast: Largest relative change of the distance to the image's own mean, 0 to 1.
        gamma: Largest absolute logarithm of the exponent applied to the image stretched to 0..1 between its
            own extremes, 0 to 2; 0.3 draws exponents from 0.74 to 1.35.
        noise: Largest standard deviation of white Gaussian noise, at least 0, in units of the pixel values;
            each image's is uniform up to it.
        voxel_scaling: Multiply each image by its own uniform number between 0 and 1 in training, by 0.5 in
            evaluation. Meant for images in 0..1 (Yang et al., MedMNIST v2, Scientific Data 2023, for 3D
            sets of shapes).

    Shape:
        Input and output (N, C, *spatial), of the same floating dtype and device.

    Raises:
        InputError: If an option is outside its range, or ``quarter_turns`` meets images that are not square.
        ValueError: On images that are not floating, or have another number of axes.

    >>> augment = Augment(2, flip=1.0)
    >>> augment(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    tensor([[[[4., 3.], [2., 1.]]]])
    """

    def __init__(
        self,
        spatial_dims: int,
        *,
        flip: float | Sequence[float] = 0.0,
        quarter_turns: bool = False,
        rotation: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        shear: float = 0.0,
        shift: float = 0.0,
        crop: int = 0,
        padding: Padding = "border",
        brightness: float = 0.0,
        contrast: float = 0.0,
        gamma: float = 0.0,
        noise: float = 0.0,
        voxel_scaling: bool = False,
    ) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.flip = tuple(flip) if isinstance(flip, Sequence) else (flip,) * spatial_dims
        self.quarter_turns = quarter_turns
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.crop = crop
        self.padding = padding
        self.brightness = brightness
        self.contrast = contrast
        self.gamma = gamma
        self.noise = noise
        self.voxel_scaling = voxel_scaling
        self._check_ranges()
        self._interpolates = rotation > 0 or tuple(scale) != (1.0, 1.0) or shear > 0 or shift > 0
        self._warps = self._interpolates or any(self.flip) or quarter_turns or crop > 0

    def _check_ranges(self) -> None:
        _require(self.spatial_dims in (2, 3), "spatial_dims", self.spatial_dims, "2 or 3")
        shares_fit = len(self.flip) == self.spatial_dims and all(0 <= share <= 1 for share in self.flip)
        _require(shares_fit, "flip", self.flip, "between 0 and 1, one number or one for each axis")
        _require(0 < self.scale[0] <= self.scale[1], "scale", self.scale, "(low, high) with 0 < low <= high")
        _require(0 <= self.crop == int(self.crop), "crop", self.crop, "a number of pixels, at least 0")
        _require(self.padding in get_args(Padding), "padding", self.padding, "border, zeros or reflection")
        largest = {"rotation": 180, "shear": 1, "shift": 1, "contrast": 1, "gamma": 2}
        for name, limit in largest.items():
            value = getattr(self, name)
            _require(0 <= value <= limit, name, value, f"between 0 and {limit}")
        for name in ("brightness", "noise"):
            value = getattr(self, name)
            _require(0 <= value < math.inf, name, value, "at least 0")

    def forward(self, images: Tensor, generator: Generator | None = None) -> Tensor:
        """Augment ``images`` (N, C, *spatial).

        Args:
            images: A floating batch. It is not changed in place.
            generator: Source of randomness on the device of ``images``; torch's global one of that device
                if None.
        """
        if not images.is_floating_point() or images.dim() != self.spatial_dims + 2:
            raise ValueError(
                f"expected float images (N, C, *spatial) with {self.spatial_dims} spatial axes, "
                f"got {images.dtype} of shape {tuple(images.shape)}"
            )
        if not self.training:
            return images * 0.5 if self.voxel_scaling else images
        draw = _Draw(images, generator)
        augmented = images.to(draw.dtype)
        if self._warps:
            augmented = self._warp(augmented, draw)
        return self._change_intensity(augmented, draw).to(images.dtype)

    def _warp(self, images: Tensor, draw: "_Draw") -> Tensor:
        sizes = images.shape[2:]
        if self.quarter_turns and len(set(sizes)) > 1:
            raise InputError(f"augment quarter_turns needs equal sizes along all axes, got {tuple(sizes)}")
        grid = _sampling_grid(self._draw_matrices(draw), self._draw_displacements(sizes, draw), sizes)
        mode = "bilinear" if self._interpolates else "nearest"
        return functional.grid_sample(images, grid, mode, self.padding, align_corners=False)

    def _draw_matrices(self, draw: "_Draw") -> Tensor:
        """Draw the maps (N, d, d), in pixels about the centre, from a place in the result to its source."""
        d = self.spatial_dims
        matrices = draw.identities(d)
        if any(self.flip):
            mirrored = draw.uniform(d) < torch.tensor(self.flip, device=draw.device)
            matrices = torch.diag_embed(1 - 2 * mirrored.to(draw.dtype))
        if self.quarter_turns:
            matrices = matrices @ _draw_quarter_turns(d, draw)
        if self.rotation > 0:
            matrices = matrices @ _draw_rotations(d, math.radians(self.rotation), draw)
        if self.shear > 0:
            identities = draw.identities(d)
            matrices = matrices @ (identities + (1 - identities) * draw.symmetric(self.shear, d, d))
        low, high = self.scale
        if (low, high) != (1, 1):
            matrices = matrices / (low * (high / low) ** draw.uniform(1, 1))
        return matrices

    def _draw_displacements(self, sizes: Sequence[int], draw: "_Draw") -> Tensor:
        """Draw how far (N, d) each image moves, in pixels."""
        pixels = torch.tensor(sizes, dtype=draw.dtype, device=draw.device)
        shifts = draw.symmetric(self.shift, self.spatial_dims) * pixels
        crops = (draw.uniform(self.spatial_dims) * (2 * self.crop + 1)).floor() - self.crop
        return shifts + crops

    def _change_intensity(self, images: Tensor, draw: "_Draw") -> Tensor:
        one = [1] * (images.dim() - 1)
        if self.gamma > 0:
            images = _stretched_power(images, torch.exp(draw.symmetric(self.gamma, *one)))
        if self.brightness > 0 or self.contrast > 0:
            factor = 1 + draw.symmetric(self.contrast, *one)
            mean = images.flatten(1).mean(dim=1).view(-1, *one)
            images = torch.addcmul(
                mean * (1 - factor) + draw.symmetric(self.brightness, *one), images, factor
            )
        if self.noise > 0:
            images = torch.addcmul(images, draw.normal(images), self.noise * draw.uniform(*one))
        if self.voxel_scaling:
            images = images * draw.uniform(*one)
        return images


def flips(images: Tensor, spatial_dims: int, axes: Sequence[int] | None = None) -> Iterator[Tensor]:
    """Yield the images mirrored along every subset of spatial axes, the images themselves first.

    The mean of a network's scores over them is test-time augmentation.

    Args:
        images: (N, C, *spatial).
        spatial_dims: 2 for images, 3 for volumes.
        axes: The spatial axes that may be mirrored, counted from 0; all of them if None.

    Yields:
        2 ** (number of axes) tensors of the shape of ``images``.

    >>> [image.flatten().tolist() for image in flips(torch.tensor([[[[1, 2], [3, 4]]]]), 2)]
    [[1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1]]
    """
    first = images.dim() - spatial_dims
    chosen = range(spatial_dims) if axes is None else axes
    for mirrored in product((False, True), repeat=len(chosen)):
        dims = [first + axis for axis, flipped in zip(chosen, mirrored, strict=True) if flipped]
        yield images.flip(dims) if dims else images


class _Draw:
    """Random numbers for each image of a batch, on its device, in single precision at least."""

    def __init__(self, images: Tensor, generator: Generator | None) -> None:
        self.count, self.device, self.generator = len(images), images.device, generator
        self.dtype = torch.promote_types(images.dtype, torch.float32)

    def uniform(self, *shape: int) -> Tensor:
        """Draw uniform numbers (N, *shape) in [0, 1)."""
        return torch.rand(self.count, *shape, dtype=self.dtype, device=self.device, generator=self.generator)

    def symmetric(self, limit: float, *shape: int) -> Tensor:
        """Draw uniform numbers (N, *shape) in [-limit, limit)."""
        return limit * (2 * self.uniform(*shape) - 1)

    def normal(self, like: Tensor) -> Tensor:
        """Draw standard normal numbers in the shape of ``like``."""
        return torch.randn(like.shape, dtype=self.dtype, device=self.device, generator=self.generator)

    def identities(self, d: int) -> Tensor:
        """Repeat the unit matrix for each image: (N, d, d)."""
        return torch.eye(d, dtype=self.dtype, device=self.device).expand(self.count, d, d)


def _draw_quarter_turns(d: int, draw: _Draw) -> Tensor:
    """Draw rotations (N, d, d) that map the axes onto each other, all equally likely."""
    order = draw.uniform(d).argsort(dim=1)
    permutations = functional.one_hot(order, d).to(draw.dtype)
    signs = 1 - 2 * (draw.uniform(d) < 0.5).to(draw.dtype)
    matrices = permutations * signs.unsqueeze(1)
    # A reflection (determinant -1) becomes a rotation when one more axis is mirrored.
    matrices[:, :, 0] *= torch.linalg.det(matrices).round().unsqueeze(1)
    return matrices


def _draw_rotations(d: int, limit: float, draw: _Draw) -> Tensor:
    """Draw rotations (N, d, d) by angles uniform within limit (radians), in 3D about a uniform direction."""
    generators = torch.zeros(draw.count, d, d, dtype=draw.dtype, device=draw.device)
    if d == 2:
        generators[:, 0, 1] = 1
    else:
        direction = functional.normalize(draw.normal(generators[:, 0]), dim=1)
        generators[:, [0, 1, 2], [1, 2, 0]] = direction
    generators = generators - generators.transpose(1, 2)
    rotations: Tensor = torch.linalg.matrix_exp(draw.symmetric(limit, 1, 1) * generators)
    return rotations


def _sampling_grid(matrices: Tensor, displacements: Tensor, sizes: Sequence[int]) -> Tensor:
    """Compute the places (N, *spatial, d) to sample, in the coordinates of ``grid_sample``.

    The value at pixel x of the result is that of the source at M (x - c - t) + c, with c the centre and t the
    displacement. The terms of the axes are added as broadcast vectors, so that only the last addition runs
    over the whole grid.
    """
    d = len(sizes)
    half = torch.tensor(sizes, dtype=matrices.dtype, device=matrices.device) / 2
    matrices = (matrices / half[:, None]).flip(1)  # from -1 to 1 across the image; last axis first
    grid = -(matrices @ displacements.unsqueeze(2)).view(-1, *[1] * d, d)
    for axis in reversed(range(d)):
        size = sizes[axis]
        places = torch.arange(size, dtype=matrices.dtype, device=matrices.device) - (size - 1) / 2
        terms = places[:, None] * matrices[:, None, :, axis]
        grid = grid + terms.view(-1, *[size if other == axis else 1 for other in range(d)], d)
    return grid


def _stretched_power(images: Tensor, exponents: Tensor) -> Tensor:
    """Raise each image, stretched to 0..1 between its extremes, to its exponent, and stretch it back."""
    low, high = (bound.view_as(exponents) for bound in images.flatten(1).aminmax(dim=1))
    span = (high - low).clamp_min(torch.finfo(images.dtype).tiny)
    return ((images - low) / span).pow_(exponents) * span + low


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"augment {name} is {value!r}; it must be {allowed}")
