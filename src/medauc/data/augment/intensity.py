"""Changes of the values of an image that leave every pixel where it is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from medauc.data.augment.draw import Draw, require, require_between


@dataclass(frozen=True, kw_only=True)
class Intensity:
    """Blur, gamma, brightness, contrast and noise; options as in :class:`~medauc.data.augment.Augment`."""

    blur: float
    gamma: float
    brightness: float
    contrast: float
    speckle: float
    noise: float
    voxel_scaling: bool

    def __post_init__(self) -> None:
        for name, limit in {"contrast": 1, "gamma": 2, "speckle": 1}.items():
            require_between(name, getattr(self, name), limit)
        for name in ("blur", "brightness", "noise"):
            value = getattr(self, name)
            require(0 <= value < math.inf, name, value, "at least 0")

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        """Change the values of ``images`` (N, C, *spatial)."""
        one = [1] * (images.dim() - 1)
        if self.blur > 0:
            images = blurred(images, self.blur * draw.uniform())
        if self.gamma > 0:
            images = _stretched_power(images, torch.exp(draw.symmetric(self.gamma, *one)))
        if self.brightness > 0 or self.contrast > 0:
            factor = 1 + draw.symmetric(self.contrast, *one)
            mean = images.flatten(1).mean(dim=1).view(-1, *one)
            summand = mean * (1 - factor) + draw.symmetric(self.brightness, *one)
            images = torch.addcmul(summand, images, factor)
        if self.speckle > 0:
            heights = images - images.flatten(1).amin(dim=1).view(-1, *one)
            deviations = self.speckle * draw.uniform(*one)
            images = torch.addcmul(images, heights * draw.normal(*images.shape[1:]), deviations)
        if self.noise > 0:
            images = torch.addcmul(images, draw.normal(*images.shape[1:]), self.noise * draw.uniform(*one))
        if self.voxel_scaling:
            images = images * draw.uniform(*one)
        return images


def blurred(images: Tensor, widths: Tensor) -> Tensor:
    """Convolve each image with a Gaussian that at the border is cut off and scaled to sum to one.

    Args:
        images: (N, C, *spatial).
        widths: standard deviation for each image in pixels, shape (N,), at least 0.
    """
    # The variance of a kernel that reaches no neighbour, for a width of 0.
    variances = widths.square().clamp_min(1e-4).view(-1, 1, 1)
    for axis in range(2, images.dim()):
        places = torch.arange(images.shape[axis], dtype=images.dtype, device=images.device)
        kernels = torch.exp(-(places - places[:, None]).square() / (2 * variances))
        kernels = kernels / kernels.sum(dim=2, keepdim=True)
        lines = images.movedim(axis, 1)
        images = (kernels @ lines.flatten(2)).view(lines.shape).movedim(1, axis)
    return images.contiguous()


def _stretched_power(images: Tensor, exponents: Tensor) -> Tensor:
    """Raise each image, stretched to 0..1 between its extremes, to its exponent, and stretch it back."""
    low, high = (bound.view_as(exponents) for bound in images.flatten(1).aminmax(dim=1))
    span = (high - low).clamp_min(torch.finfo(images.dtype).tiny)
    return ((images - low) / span).pow_(exponents) * span + low
