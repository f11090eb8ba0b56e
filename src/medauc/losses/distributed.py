"""Losses of several processes: every process sees the scores of all, so that pairs across processes count."""

from typing import Any

import torch
from torch import Tensor, distributed

from medauc.losses.neighbours import gather


def has_process_group() -> bool:
    """Whether this process belongs to a group, be it the only one: DistributedDataParallel may be at work."""
    return distributed.is_available() and distributed.is_initialized()


_NARROW = (torch.bool, torch.int16)  # which the gloo backend does not send


def is_distributed() -> bool:
    """Whether this process is one of several that train together."""
    return has_process_group() and distributed.get_world_size() > 1


def gather_batch(
    scores: Tensor, targets: Tensor, index: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Concatenate the batches of all processes along the first dimension, in the order of their ranks.

    Every process then computes the same loss of the global batch. Gradients flow back to the process's own
    scores, times the number of processes: DistributedDataParallel divides by it when it averages, which
    leaves exactly the gradient of the global loss. Batches may differ in size, or be empty.

    Args:
        scores: shape (n, ...), equal on all processes but for n.
        targets: shape (n, ...).
        index: shape (n,), given on all processes or on none.

    Returns:
        Scores, targets and index of all processes.
    """
    sizes = _sizes(scores)
    gathered: Tensor = _GatherScores.apply(scores, sizes)  # type: ignore[no-untyped-call]
    return gathered, _gather(targets, sizes), None if index is None else _gather(index, sizes)


def gather_rows(values: Tensor) -> Tensor:
    """Concatenate ``values`` (n, ...) of all processes, in the order of their ranks; no gradient flows.

    Args:
        values: of shapes equal on all processes but for n, which may be 0.
    """
    return _gather(values, _sizes(values)) if is_distributed() else values


class _GatherScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, sizes: list[int]) -> Tensor:
        rank = distributed.get_rank()
        ctx.own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        return _gather(scores, sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][ctx.own] * distributed.get_world_size(), None


def _sizes(scores: Tensor) -> list[int]:
    """Batch size of every process."""
    return [int(size) for size in gather(torch.tensor([len(scores)], device=scores.device)).flatten()]


def _gather(values: Tensor, sizes: list[int]) -> Tensor:
    """All processes' rows; shorter batches travel padded, since all_gather wants equal shapes."""
    values = values.to(torch.int64) if values.dtype in _NARROW else values
    padded = values.new_zeros((max(sizes), *values.shape[1:]))
    padded[: len(values)] = values.detach()
    return torch.cat([rows[:size] for rows, size in zip(gather(padded), sizes, strict=True)])
