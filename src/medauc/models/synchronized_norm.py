"""Batch normalisation over the global batch of several processes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from medauc.losses.distributed import is_distributed
from medauc.losses.neighbours import gather


def synchronize_norm(network: nn.Module, device: str) -> nn.Module:
    """Let batch normalisations use the statistics of all processes; weights keep their names and values.

    Args:
        network: any network; other normalisations know no batch and stay.
        device: where it will be trained. torch's own layers know GPUs only, the CPU gets :class:`GlobalBatchNorm`.

    Returns:
        The network itself, changed in place.

    >>> network = synchronize_norm(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)), "cpu")
    >>> type(network[1]).__name__, list(network[1].state_dict()) == list(nn.BatchNorm2d(4).state_dict())
    ('GlobalBatchNorm', True)
    """
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            # In place, since branches that are left out at random hang on these layers by hooks.
            layer.__class__ = GlobalBatchNorm if device == "cpu" else nn.SyncBatchNorm
            layer.process_group = None  # type: ignore[assignment]  # all processes, for torch's
    return network


class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation whose mean and variance are those of all processes' batches together, in training mode.

    Equal to one process with the global batch, in values, gradients and running statistics; batches may differ in
    size, and none is empty. Gradients of weight and bias are of the process's own samples, as DistributedDataParallel
    expects. In evaluation mode, and in one process alone, it is torch's layer.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: weight of a batch in the running statistics; None averages all batches equally.

    Shape:
        Input and output (N, C, ...).
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``features``."""
        if not (self.training and is_distributed()):
            return super().forward(features)
        normalized, mean, variance, count = _Normalize.apply(  # type: ignore[no-untyped-call]
            features, self.weight, self.bias, self.eps
        )
        if self.track_running_stats:
            self._remember(mean, variance * (count / (count - 1)))
        result: Tensor = normalized
        return result

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics as torch's layer does."""
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        for running, value in ((self.running_mean, mean), (self.running_var, variance)):
            assert running is not None
            running.lerp_(value.to(running.dtype), share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of axes."""


class _Normalize(torch.autograd.Function):
    """Fused kernels of torch's evaluation form do the work, with the statistics of all processes."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance, count = _statistics(features)
        ctx.save_for_backward(features, weight, mean, variance, count)
        ctx.eps = eps
        normalized = functional.batch_norm(features, mean, variance, weight, bias, training=False, eps=eps)
        ctx.mark_non_differentiable(mean, variance, count)
        return normalized, mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        features, weight, mean, variance, count = ctx.saved_tensors
        given = torch.ones_like(mean) if weight is None else weight
        # With constant statistics: of the input, and the sums of gradient * normalised input and of gradient.
        direct, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, features, given, mean, variance, None, None, False, ctx.eps, [True, True, True],
        )  # fmt: skip
        sums = gather(torch.stack([by_weight, by_bias])).sum(0)
        # Through the statistics flows what is itself a normalisation, with other weights.
        slope, level = sums * (given / count * (variance + ctx.eps).rsqrt())
        through = functional.batch_norm(features, mean, variance, slope, level, training=False, eps=ctx.eps)
        own = (None, None) if weight is None else (by_weight, by_bias)
        return direct.sub_(through), *own, None


def _statistics(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel (C,) over all processes' batches, and the number of values behind them.

    Each process sends mean, squared deviations and count, which are put together as Chan, Golub and LeVeque (The
    American Statistician 37, 1983) do: no cancellation as in the mean of squares.
    """
    axes = [axis for axis in range(features.dim()) if axis != 1]
    count = features.numel() // features.shape[1]
    mean, variance = _own_statistics(features, axes)
    own = torch.cat([mean, variance, mean.new_tensor([count])])
    means, variances, counts = torch.split(gather(own), [len(mean), len(mean), 1], dim=1)
    total = counts.sum()
    shares = counts / total
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0), total


def _own_statistics(features: Tensor, axes: list[int]) -> tuple[Tensor, Tensor]:
    """Mean and variance over ``axes``, in single precision at least.

    In two passes of vectorised kernels: ``torch.var_mean`` takes ten times as long on a CPU, the statistics of torch's
    own layer three times.
    """
    wide = torch.promote_types(features.dtype, torch.float32)
    mean = features.mean(axes, dtype=wide, keepdim=True)
    return mean.flatten(), (features - mean).square_().mean(axes)
