"""A small residual network that keeps the full resolution of small images."""

from collections import OrderedDict

from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from monai.networks.layers.factories import Pool
from torch import nn

from medauc.models.upsample import Upsample

_INSTANCE_NORM = ("instance", {"affine": True})


def full_resolution_net(
    spatial_dims: int, in_channels: int, num_outputs: int, width: int, upsample: float = 1.0
) -> nn.Module:
    """Build a residual network for images of about 28 pixels, with instance normalisation.

    A 5-wide convolution and two residual units at full resolution, one unit of 2 x ``width`` channels at half
    and one of 4 x ``width`` at a quarter of it, the mean over space, one linear layer. It downsamples late
    and by the maximum, because structures a few voxels wide vanish in an early stride.

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the input.
        num_outputs: Scores per image.
        width: Channels at full resolution; 8 to 16 suit about a thousand volumes.
        upsample: Factor by which images are enlarged before the first layer.

    Returns:
        A network from (N, in_channels, *spatial), at least 8 along each axis, to raw scores (N, num_outputs).

    >>> import torch
    >>> full_resolution_net(3, 1, 1, width=8)(torch.zeros(2, 1, 12, 12, 12)).shape
    torch.Size([2, 1])
    """

    def unit(inputs: int, outputs: int) -> nn.Module:
        return ResidualUnit(spatial_dims, inputs, outputs, act="relu", norm=_INSTANCE_NORM, bias=False)

    max_pool, mean_pool = Pool[Pool.MAX, spatial_dims], Pool[Pool.ADAPTIVEAVG, spatial_dims]
    stem = Convolution(
        spatial_dims, in_channels, width, kernel_size=5, act="relu", norm=_INSTANCE_NORM, bias=False
    )
    return nn.Sequential(
        OrderedDict(
            upsample=nn.Identity() if upsample == 1 else Upsample(upsample),
            stem=stem,
            unit1=unit(width, width),
            unit2=unit(width, width),
            pool1=max_pool(2),
            unit3=unit(width, 2 * width),
            pool2=max_pool(2),
            unit4=unit(2 * width, 4 * width),
            avgpool=mean_pool(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(4 * width, num_outputs),
        )
    )
