"""Random erasing: a box of each image is filled with the image's mean."""

import math

import torch
from torch import Tensor

from medauc.data.augment.draw import Draw

LARGEST_STRETCH = 2.0


def erased(images: Tensor, share: float, draw: Draw) -> Tensor:
    """Fill a box of each image with the image's mean in each channel; everything else keeps its bits.

    The box covers a share of the image that is uniform between 0 and ``share``, less what rounding to whole
    pixels takes off. Relative to the image each side is up to twice as long, or half as long, as that of a box
    of the image's own shape; it lies anywhere inside the image. Zhong et al.: Random Erasing Data Augmentation,
    AAAI 2020, arXiv 1708.04896.

    Args:
        images: (N, C, *spatial).
        share: largest part of the image, 0 to 1.
        draw: random numbers for each image.
    """
    d = images.dim() - 2
    covered = share * draw.uniform(1)
    stretch = draw.symmetric(math.log(LARGEST_STRETCH), d)
    stretch = stretch - stretch.mean(dim=1, keepdim=True)  # keeps the product of the sides
    fractions = (covered ** (1 / d) * stretch.exp()).clamp_max(1)
    places = draw.uniform(d)
    inside = torch.ones((), dtype=torch.bool, device=images.device)
    for axis, size in enumerate(images.shape[2:]):
        side = (fractions[:, axis, None] * size).floor()
        start = (places[:, axis, None] * (size - side + 1)).floor()
        pixels = torch.arange(size, device=images.device)
        covers = (pixels >= start) & (pixels < start + side)
        inside = inside & covers.view(-1, 1, *[size if other == axis else 1 for other in range(d)])
    mean = images.mean(dim=tuple(range(2, d + 2)), keepdim=True)
    return mean.where(inside, images)
