"""Networks by name."""

from pathlib import Path
from typing import Any, Literal, get_args

import torch
from monai.networks.nets.resnet import ResNet
from torch import nn
from torch.nn.utils import convert_conv3d_weight_memory_format

from medauc.errors import InputError
from medauc.models.acs import convert_acs
from medauc.models.fullres import full_resolution_net
from medauc.models.weights import load_weights

ModelName = Literal["resnet18", "resnet50", "fullres"]
Stem = Literal["full", "half", "imagenet"]
Conversion = Literal["none", "acs"]

_RESNET_BLOCKS: dict[str, tuple[str, list[int]]] = {
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}
_STEM_LAYERS: dict[str, dict[str, Any]] = {
    "full": {"conv1_t_size": 3, "conv1_t_stride": 1, "no_max_pool": True},
    "half": {"conv1_t_size": 3, "conv1_t_stride": 2, "no_max_pool": True},
    "imagenet": {"conv1_t_size": 7, "conv1_t_stride": 2, "no_max_pool": False},
}


def build_model(
    name: ModelName,
    *,
    spatial_dims: int,
    in_channels: int,
    num_outputs: int,
    width: int = 64,
    stem: Stem = "full",
    conversion: Conversion = "none",
    weights: str | Path | None = None,
) -> nn.Module:
    """Build a network that gives one raw score per label.

    Args:
        name: "resnet18", "resnet50" (He et al. 2016, from MONAI, with the layer names and parameter counts of
            torchvision's), or "fullres" (:func:`~medauc.models.fullres.full_resolution_net`).
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
        weights: File of weights to start from (:func:`~medauc.models.weights.load_weights`): 2D weights for
            a 2D or ACS network, 3D weights for a 3D one.

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
    _check_options(name, spatial_dims, in_channels, num_outputs, width, stem, conversion)
    dims = 2 if conversion == "acs" else spatial_dims
    if name == "fullres":
        network = full_resolution_net(dims, in_channels, num_outputs, width)
    else:
        block, layers = _RESNET_BLOCKS[name]
        network = ResNet(
            block,
            layers,
            [width, 2 * width, 4 * width, 8 * width],
            spatial_dims=dims,
            n_input_channels=in_channels,
            num_classes=num_outputs,
            bias_downsample=False,  # as in torchvision; batch normalisation follows
            **_STEM_LAYERS[stem],
        )
    if conversion == "acs":
        network = convert_acs(network)
    elif spatial_dims == 3:  # 3D convolutions run up to 1.4 times faster on the CPU in this layout
        network = convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
    if weights is not None:
        load_weights(network, Path(weights))
    return network


def _check_options(
    name: str, spatial_dims: int, in_channels: int, num_outputs: int, width: int, stem: str, conversion: str
) -> None:
    choices = {
        "name": (name, get_args(ModelName)),
        "stem": (stem, get_args(Stem)),
        "conversion": (conversion, get_args(Conversion)),
        "spatial_dims": (spatial_dims, (2, 3)),
    }
    for option, (value, allowed) in choices.items():
        if value not in allowed:
            raise InputError(f"model {option} is {value!r}; choose one of {', '.join(map(str, allowed))}")
    for option, count in {"in_channels": in_channels, "num_outputs": num_outputs, "width": width}.items():
        if count < 1:
            raise InputError(f"model {option} is {count}; it must be at least 1")
    if conversion == "acs" and spatial_dims != 3:
        raise InputError("model conversion 'acs' makes a 3D network, but the images are 2D; use 'none'")
    if name == "fullres" and stem != "full":
        raise InputError(f"model fullres keeps the full resolution; use stem 'full', not {stem!r}")
