"""Networks by name."""

from pathlib import Path
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn.utils import convert_conv3d_weight_memory_format

from medauc.errors import InputError
from medauc.models.acs import convert_acs
from medauc.models.bags import BagNetwork, BagPooling, set_attention
from medauc.models.fullres import full_resolution_net
from medauc.models.head import Pooling, set_head
from medauc.models.norm import Norm, set_norm
from medauc.models.resnet import Stem, resnet
from medauc.models.stochastic_depth import set_stochastic_depth
from medauc.models.weights import load_weights

ModelName = Literal["resnet10", "resnet18", "resnet50", "fullres"]
Conversion = Literal["none", "acs"]


def build_model(
    name: ModelName,
    *,
    spatial_dims: int,
    in_channels: int,
    num_outputs: int,
    width: int = 64,
    stem: Stem = "full",
    conversion: Conversion = "none",
    upsample: float = 1.0,
    norm: Norm | None = None,
    pooling: Pooling = "mean",
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
    weights: str | Path | None = None,
    bag_pooling: BagPooling | None = None,
) -> nn.Module:
    """Build a network that gives one raw score per label.

    Args:
        name: "resnet10", "resnet18", "resnet50" (He et al. 2016, from MONAI, with the layer names and parameter
            counts of torchvision's; "resnet10" has one block a stage, half the cost of "resnet18"), or
            "fullres" (:func:`~medauc.models.fullres.full_resolution_net`).
        spatial_dims: 2 for images, 3 for volumes.
        in_channels: Channels of the input (1 for grey images and volumes, 3 for colour).
        num_outputs: Scores per image, at least 1; one per label.
        width: Channels of the first stage, at least 1; ResNet's four stages have 1, 2, 4 and 8 times as many
            (resnet50: times 4 at each block's output). 64 is the published ResNet; 16 to 32 suit small sets.
        stem: How far ResNet's first layers reduce the resolution. "full": 3-wide convolution of stride 1, for
            images of 28 pixels; "half": the same with stride 2, about 4 (2D) to 6 (3D) times faster;
            "imagenet": 7-wide, stride 2, and a max-pool, a quarter of the resolution, for 128 pixels and
            more. "fullres" has a stem of its own and takes only "full".
        conversion: "acs" builds the 2D network and spreads its kernels over the three planes of a volume
            (:func:`~medauc.models.acs.convert_acs`); needs ``spatial_dims=3``.
        upsample: Factor, 1 to 8, by which images are enlarged (linearly) before the first layer.
        norm: Kind of every normalisation layer (:func:`~medauc.models.norm.set_norm`); None keeps the network's
            own, "batch" for ResNets and "instance" for "fullres".
        pooling: How the last feature maps become one number each: their "mean", their "max", or both.
        dropout: Probability, 0 to 0.9, that a pooled feature is dropped in training.
        stochastic_depth: Probability, 0 to 0.9, that the last residual branch is left out for an image in training;
            it grows linearly over the blocks (:func:`~medauc.models.stochastic_depth.set_stochastic_depth`).
        weights: File of weights to start from (:func:`~medauc.models.weights.load_weights`): 2D weights for
            a 2D or ACS network, 3D weights for a 3D one.
        bag_pooling: How the scores of several images become that of their bag
            (:class:`~medauc.models.bags.BagNetwork`); None scores single images.

    Returns:
        A network, its 3D kernels in the channels-last layout, from (N, in_channels, *spatial) float images
        to (N, num_outputs) raw scores, freshly drawn from torch's global random generator unless
        ``weights`` says otherwise.

    Raises:
        InputError: If an option is outside its range, options do not go together, or the weights do not fit.

    >>> options = {"spatial_dims": 3, "in_channels": 1, "num_outputs": 2, "width": 4}
    >>> network = build_model("resnet18", **options, stem="half", conversion="acs")
    >>> network(torch.zeros(2, 1, 16, 16, 16)).shape
    torch.Size([2, 2])
    """
    _check_choices(name, spatial_dims, stem, conversion, norm, pooling, bag_pooling)
    _check_ranges(in_channels, num_outputs, width, upsample, dropout, stochastic_depth)
    dims = 2 if conversion == "acs" else spatial_dims
    if name == "fullres":
        network = full_resolution_net(dims, in_channels, num_outputs, width, upsample)
    else:
        network = resnet(name, dims, in_channels, num_outputs, width, stem, upsample)
    if norm is not None:
        set_norm(network, dims, norm)
    set_head(network, pooling, dropout)
    if bag_pooling == "attention":
        set_attention(network)
    if conversion == "acs":
        network = convert_acs(network)
    elif spatial_dims == 3:  # 3D convolutions run up to 1.4 times faster on the CPU in this layout
        network = convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
    if stochastic_depth:
        set_stochastic_depth(network, stochastic_depth)
    if weights is not None:
        load_weights(network, Path(weights))
    return network if bag_pooling is None else BagNetwork(network, bag_pooling)


def _check_choices(
    name: str,
    spatial_dims: int,
    stem: str,
    conversion: str,
    norm: str | None,
    pooling: str,
    bag_pooling: str | None,
) -> None:
    choices = {
        "name": (name, get_args(ModelName)),
        "stem": (stem, get_args(Stem)),
        "conversion": (conversion, get_args(Conversion)),
        "norm": (norm, (None, *get_args(Norm))),
        "pooling": (pooling, get_args(Pooling)),
        "bag_pooling": (bag_pooling, (None, *get_args(BagPooling))),
        "spatial_dims": (spatial_dims, (2, 3)),
    }
    for option, (value, allowed) in choices.items():
        if value not in allowed:
            raise InputError(f"model {option} is {value!r}; choose one of {', '.join(map(str, allowed))}")
    if conversion == "acs" and spatial_dims != 3:
        raise InputError("model conversion 'acs' makes a 3D network, but the images are 2D; use 'none'")
    if name == "fullres" and stem != "full":
        raise InputError(f"model fullres keeps the full resolution; use stem 'full', not {stem!r}")


def _check_ranges(
    in_channels: int, num_outputs: int, width: int, upsample: float, dropout: float, stochastic_depth: float
) -> None:
    for option, count in {"in_channels": in_channels, "num_outputs": num_outputs, "width": width}.items():
        if count < 1:
            raise InputError(f"model {option} is {count}; it must be at least 1")
    if not 1 <= upsample <= 8:
        raise InputError(f"model upsample is {upsample:g}; it must be between 1 and 8")
    for option, rate in {"dropout": dropout, "stochastic_depth": stochastic_depth}.items():
        if not 0 <= rate <= 0.9:
            raise InputError(f"model {option} is {rate:g}; it must be between 0 and 0.9")
