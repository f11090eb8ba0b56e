"""ResNets of MONAI with the stems and sizes that suit small images."""

from typing import Any, Literal

from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from medauc.models.upsample import Upsample

Stem = Literal["full", "half", "imagenet"]

RESNET_BLOCKS: dict[str, tuple[str, list[int]]] = {
    "resnet10": ("basic", [1, 1, 1, 1]),
    "resnet18": ("basic", [2, 2, 2, 2]),
    "resnet50": ("bottleneck", [3, 4, 6, 3]),
}
_STEM_LAYERS: dict[str, dict[str, Any]] = {
    "full": {"conv1_t_size": 3, "conv1_t_stride": 1, "no_max_pool": True},
    "half": {"conv1_t_size": 3, "conv1_t_stride": 2, "no_max_pool": True},
    "imagenet": {"conv1_t_size": 7, "conv1_t_stride": 2, "no_max_pool": False},
}


class UpsamplingResNet(ResNet):
    """MONAI's ResNet behind a parameter-free enlargement, so that its parameters keep their names."""

    def __init__(self, *arguments: Any, upsample: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.upsample: nn.Module = nn.Identity() if upsample == 1 else Upsample(upsample)

    def forward(self, images: Tensor) -> Tensor:
        """Score ``images`` (N, C, *spatial)."""
        scores: Tensor = super().forward(self.upsample(images))
        return scores


def resnet(
    name: str,
    spatial_dims: int,
    in_channels: int,
    num_outputs: int,
    width: int,
    stem: Stem,
    upsample: float = 1.0,
) -> UpsamplingResNet:
    """Build a ResNet (He et al., CVPR 2016) with the layer names of torchvision's.

    Args:
        name: "resnet10", "resnet18" (basic blocks) or "resnet50" (bottleneck blocks).
        spatial_dims: 2 or 3.
        in_channels: Channels of the input.
        num_outputs: Scores per image.
        width: Channels of the first stage; the others have 2, 4 and 8 times as many.
        stem: How far the first layers reduce the resolution (:func:`~medauc.models.build.build_model`).
        upsample: Factor by which images are enlarged before the first layer.

    Returns:
        A network from (N, in_channels, *spatial) to raw scores (N, num_outputs).

    >>> import torch
    >>> resnet("resnet10", 3, 1, 1, width=4, stem="half")(torch.zeros(2, 1, 12, 12, 12)).shape
    torch.Size([2, 1])
    """
    block, layers = RESNET_BLOCKS[name]
    return UpsamplingResNet(
        block,
        layers,
        [width, 2 * width, 4 * width, 8 * width],
        spatial_dims=spatial_dims,
        n_input_channels=in_channels,
        num_classes=num_outputs,
        bias_downsample=False,  # as in torchvision; batch normalisation follows
        upsample=upsample,
        **_STEM_LAYERS[stem],
    )
