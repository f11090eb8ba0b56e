"""Enlarging the input, so that a network made for larger images keeps more of a small one."""

from torch import Tensor, nn
from torch.nn import functional


class Upsample(nn.Module):
    """Linear interpolation of images (N, C, *spatial), 2D or 3D, to ``factor`` times their size, rounded.

    Unlike ``nn.Upsample`` it serves both dimensions, so conversion from 2D to 3D leaves it as it is.

    >>> import torch
    >>> Upsample(1.5)(torch.zeros(2, 1, 5, 6)).shape
    torch.Size([2, 1, 8, 9])
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge ``images``; pixels are areas (``align_corners=False``)."""
        size = [round(self.factor * side) for side in images.shape[2:]]
        mode = "bilinear" if len(size) == 2 else "trilinear"
        return functional.interpolate(images, size=size, mode=mode, align_corners=False)

    def extra_repr(self) -> str:
        """Show the factor."""
        return f"{self.factor:g}"
