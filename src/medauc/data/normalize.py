"""From uint8 arrays to normalised float batches on the training device."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medauc.data.mapped import ImageArray
from medauc.data.shards.images import ShardedImages
from medauc.errors import InputError

Normalization = Literal["train", "unit"]

_CHUNK_VALUES = 4_000_000  # counted at a time: 32 MB of NumPy's 64-bit indices


@dataclass(frozen=True)
class ImageStatistics:
    """Mean and standard deviation of each channel, in units of the full range (0 black, 1 white)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def compute_statistics(images: ImageArray, spatial_dims: int) -> ImageStatistics:
    """Compute mean and standard deviation of all pixels of each channel, exactly, from their histogram.

    The images are read a few megabytes at a time, so memory-mapped arrays larger than memory will do.

    Args:
        images: uint8, (N, *spatial) grey or (N, *spatial, C); N at least 1.
        spatial_dims: 2 for images, 3 for volumes.

    Returns:
        One mean and one (population) standard deviation a channel.

    Raises:
        InputError: If ``images`` is not uint8, has another number of axes, is empty, or a channel is
            constant.

    >>> compute_statistics(np.array([[[0, 255]], [[255, 0]]], dtype=np.uint8), spatial_dims=2)
    ImageStatistics(mean=(0.5,), std=(0.5,))
    """
    if images.dtype != np.uint8 or images.ndim - spatial_dims not in (1, 2) or images.size == 0:
        raise InputError(
            f"images are {images.dtype} of shape {images.shape}; give a non-empty uint8 array "
            f"(N, *spatial) or (N, *spatial, C) with {spatial_dims} spatial axes"
        )
    channels = images.shape[-1] if images.ndim == spatial_dims + 2 else 1
    counts = images.value_counts() if isinstance(images, ShardedImages) else _value_counts(images, channels)
    values = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    std = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
    if not std.all():
        raise InputError(
            f"channel {std.argmin()} has the same value in every image; there is nothing to learn"
        )
    return ImageStatistics(tuple(mean.tolist()), tuple(std.tolist()))


def _value_counts(images: ImageArray, channels: int) -> NDArray[np.int64]:
    counts = np.zeros((channels, 256), dtype=np.int64)
    step = max(1, _CHUNK_VALUES // (images.size // len(images)))
    for start in range(0, len(images), step):
        pixels = images[start : start + step].reshape(-1, channels)
        for channel in range(channels):
            counts[channel] += np.bincount(pixels[:, channel], minlength=256)
    return counts


class Normalize(nn.Module):
    """Turn a uint8 batch into normalised float32 images with a channel axis, on the batch's device.

    Args:
        spatial_dims: 2 for images, 3 for volumes.
        mode: "train" subtracts the training set's mean and divides by its standard deviation, a channel at a
            time; "unit" maps 0..255 to 0..1.
        statistics: The training set's, from :func:`compute_statistics`; needed by "train", ignored by "unit".

    Shape:
        Input uint8 (N, *spatial) or (N, *spatial, C), output float32 (N, 1, *spatial) or (N, C, *spatial).

    Raises:
        InputError: If ``mode`` is unknown or "train" comes without statistics.
        ValueError: On a batch that is not uint8 or has another number of axes.

    >>> Normalize(2, "unit")(torch.tensor([[[0, 255]]], dtype=torch.uint8))
    tensor([[[[0., 1.]]]])
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        spatial_dims: int,
        mode: Normalization = "train",
        statistics: ImageStatistics | None = None,
    ) -> None:
        super().__init__()
        if mode == "unit":
            statistics = ImageStatistics((0.0,), (1.0,))
        elif mode != "train":
            raise InputError(f"data normalization is {mode!r}; choose one of train, unit")
        elif statistics is None:
            raise InputError("data normalization 'train' needs the statistics of the training images")
        self.spatial_dims = spatial_dims
        self.statistics = statistics
        mean, std = np.array(statistics.mean), np.array(statistics.std)
        self.register_buffer("scale", self._per_channel(1 / (255 * std)))
        self.register_buffer("offset", self._per_channel(-mean / std))

    def _per_channel(self, values: NDArray[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32).view(-1, *[1] * self.spatial_dims)

    def forward(self, images: Tensor) -> Tensor:
        """Normalise ``images`` (N, *spatial) or (N, *spatial, C)."""
        extra_axes = images.dim() - self.spatial_dims
        if images.dtype != torch.uint8 or extra_axes not in (1, 2):
            raise ValueError(
                f"expected uint8 images (N, *spatial) or (N, *spatial, C) with {self.spatial_dims} spatial "
                f"axes, got {images.dtype} of shape {tuple(images.shape)}"
            )
        channels_first = images.unsqueeze(1) if extra_axes == 1 else images.movedim(-1, 1)
        values = channels_first.to(torch.float32, memory_format=torch.contiguous_format)
        return values.mul_(self.scale).add_(self.offset)
