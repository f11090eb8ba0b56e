"""From the last feature maps to the scores: pooling over space, and dropout."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from medauc.sampling.part import current_rows, draw_rows

Pooling = Literal["mean", "max", "mean_max"]


class GlobalPool(nn.Module):
    """Maximum over space, or mean and maximum side by side.

    Shape:
        Input (N, C, *spatial), output (N, C) for "max" and (N, 2 C), means first, for "mean_max".

    >>> GlobalPool("mean_max")(torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[2., 3.]])
    """

    def __init__(self, pooling: Literal["max", "mean_max"]) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, features: Tensor) -> Tensor:
        """Pool ``features``."""
        space = tuple(range(2, features.dim()))
        largest = features.amax(dim=space)
        return largest if self.pooling == "max" else torch.cat([features.mean(dim=space), largest], dim=1)

    def extra_repr(self) -> str:
        """Show the kind."""
        return self.pooling


class SampleDropout(nn.Dropout):
    """Dropout that drops the same features of a sample however many processes share its batch.

    >>> SampleDropout(0.5).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def forward(self, features: Tensor) -> Tensor:
        """Drop ``features`` (N, ...) in training mode."""
        if not self.training or current_rows() is None:
            return super().forward(features)
        kept = draw_rows(self._kept, len(features), *features.shape[1:], like=features)
        return features * kept

    def _kept(self, *shape: int, like: Tensor) -> Tensor:
        return like.new_empty(shape).bernoulli_(1 - self.p).div_(1 - self.p)


def set_head(network: Any, pooling: Pooling, dropout: float) -> None:
    """Change the layers ``avgpool`` and ``fc`` of ``network`` in place.

    Args:
        network: Network that scores by ``fc(avgpool(features))``, whose pooling is the mean over space.
        pooling: "mean", "max" or both side by side ("mean_max", which doubles the weights of ``fc``).
        dropout: Probability that a pooled feature is set to zero in training (Srivastava et al. 2014).
    """
    if pooling != "mean":
        network.avgpool = GlobalPool(pooling)
    if pooling == "mean_max":
        network.fc = nn.Linear(2 * network.fc.in_features, network.fc.out_features)
    if dropout:
        network.avgpool = nn.Sequential(network.avgpool, SampleDropout(dropout))
