"""The kind of normalisation, changed in a finished network."""

import math
from typing import Literal

from torch import Tensor, nn

from medauc.errors import InputError

Norm = Literal["batch", "instance", "group"]


def set_norm(network: nn.Module, spatial_dims: int, norm: Norm) -> None:
    """Replace every normalisation layer in place; weights keep their names, shapes and starting values.

    Args:
        network: Network whose layers are batch or instance normalisations with affine weights.
        spatial_dims: 2 or 3, which layers for batches depend on.
        norm: "batch" (Ioffe & Szegedy 2015: over the batch, running averages in evaluation), "instance"
            (Ulyanov et al. 2016: over each channel of each image) or "group" (Wu & He 2018: over up to 8 groups
            of channels of each image, as many as divide the number of channels).

    >>> network = nn.Sequential(nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12))
    >>> set_norm(network, 2, "group")
    >>> network[1].num_groups
    4
    """
    for name, child in network.named_children():
        if isinstance(child, nn.modules.batchnorm._NormBase):
            setattr(network, name, _layer(norm, child.num_features, spatial_dims))
        else:
            set_norm(child, spatial_dims, norm)


class ChannelNorm(nn.GroupNorm):
    """Instance normalisation of (N, C, *spatial), written as one group a channel: any dimension, either memory layout.

    >>> import torch
    >>> ChannelNorm(2, 2)(torch.zeros(1, 2, 1, 1))
    Traceback (most recent call last):
    medauc.errors.InputError: model.norm instance: feature maps shrank to one pixel, which it would set to zero; ...
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``features``; raise InputError where nothing would be left of them."""
        if features[0, 0].numel() == 1:
            raise InputError(
                "model.norm instance: feature maps shrank to one pixel, which it would set to zero; "
                "use group, or a stem that keeps more of the resolution"
            )
        return super().forward(features)


def _layer(norm: Norm, channels: int, spatial_dims: int) -> nn.Module:
    if norm == "batch":
        return nn.BatchNorm2d(channels) if spatial_dims == 2 else nn.BatchNorm3d(channels)
    return (
        ChannelNorm(channels, channels)
        if norm == "instance"
        else nn.GroupNorm(math.gcd(channels, 8), channels)
    )
