"""Surrogates of the AUC summed over weighted positive-negative pairs: what all pairwise losses are made of."""

from collections.abc import Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from medauc.losses.base import _is_traced
from medauc.losses.squared_hinge import squared_hinge_over_pairs, wide_dtype

Surrogate = Literal["square", "squared_hinge", "logistic", "sigmoid"]
SURROGATES: tuple[str, ...] = get_args(Surrogate)

# Pairs held at a time: on a CPU few enough for its cache, elsewhere many enough to keep the device busy.
_CPU_CHUNK, _DEVICE_CHUNK = 1 << 16, 1 << 24


def sum_over_pairs(
    surrogate: Surrogate, scores: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> Tensor:
    r"""Sum over all pairs of ``p_i q_j phi(h_i - h_j)``, for every row.

    ``phi(d)`` is ``(margin - d)^2`` ("square"), ``max(0, margin - d)^2`` ("squared_hinge"),
    ``log(1 + exp(-d))`` ("logistic") or ``1 / (1 + exp(d))`` ("sigmoid"). The first is computed from moments in
    O(n), the second by a sort in O(n log n), the other two pair by pair in chunks: O(n+ n-) time, O(n) memory.

    Args:
        surrogate: name of phi.
        scores: h, shape (L, n), floating.
        positive: weight p of every entry as a positive, >= 0, 0 for those that are none; shape (L, n).
        negative: weight q of every entry as a negative; no entry has both.
        margin: in units of the scores; the logistic and the sigmoid surrogate have none.

    Returns:
        Shape (L,), dtype of the scores; 0 where there is no pair.

    >>> classes = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> [sum_over_pairs(name, torch.zeros(1, 2), *classes, margin=2.0).item() for name in ("square", "sigmoid")]
    [4.0, 0.5]
    """
    if surrogate == "squared_hinge":
        return squared_hinge_over_pairs(scores, positive, negative, margin)
    if surrogate == "square":
        return _square_over_pairs(scores, positive, negative, margin)
    value: Tensor = _SmoothPairs.apply(scores, positive, negative, surrogate)[0]  # type: ignore[no-untyped-call]
    return value


def _square_over_pairs(scores: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Weighted variances of the classes, and the distance of their means from the margin."""
    wide = scores.to(wide_dtype(scores))
    (total_p, mean_p, spread_p), (total_q, mean_q, spread_q) = (
        _moments(wide, weight.to(wide.dtype)) for weight in (positive, negative)
    )
    distance = (margin - mean_p + mean_q).square()
    value = total_q * spread_p + total_p * spread_q + total_p * total_q * distance
    return value.to(scores.dtype)


def _moments(scores: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Total weight, mean, and weighted sum of squares about the mean."""
    total = weight.sum(-1)
    mean = (weight * scores).sum(-1) / total.where(total > 0, 1.0)
    return total, mean, (weight * (scores - mean.unsqueeze(-1)).square()).sum(-1)


class _SmoothPairs(torch.autograd.Function):
    """Logistic or sigmoid over pairs. The gradient is an output so that it can be differentiated in turn."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        scores: Tensor, positive: Tensor, negative: Tensor, surrogate: Surrogate
    ) -> tuple[Tensor, Tensor]:
        scores = scores.detach()
        left, p, left_index = _members(scores, positive)
        right, q, right_index = _members(scores, negative)
        value, toward_right = torch.zeros_like(scores[..., :1]).sum(-1), torch.zeros_like(right)
        slopes = [torch.zeros_like(left[..., :0])]
        for rows in _chunks(left, right):
            weight = p[..., rows]
            loss, slope = _value_and_slope(surrogate, left[..., rows, None] - right[..., None, :])
            value = value + (weight * (loss * q[..., None, :]).sum(-1)).sum(-1)
            slopes.append(weight * (slope * q[..., None, :]).sum(-1))
            toward_right = toward_right + (slope * weight[..., None]).sum(-2)
        gradient = torch.zeros_like(scores).scatter_add(-1, left_index, torch.cat(slopes, -1))
        return value, gradient.scatter_add(-1, right_index, -q * toward_right)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        *tensors, ctx.surrogate = inputs
        ctx.save_for_backward(*tensors, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> tuple[Tensor | None, None, None, None]:
        of_value, of_gradient = outer
        scores, positive, negative, gradient = ctx.saved_tensors
        total = None if of_value is None else of_value.unsqueeze(-1) * gradient
        if of_gradient is not None:
            second = _times_hessian(of_gradient, scores, positive, negative, ctx.surrogate)
            total = second if total is None else total + second
        return total, None, None, None


def _value_and_slope(surrogate: Surrogate, difference: Tensor) -> tuple[Tensor, Tensor]:
    """The surrogate and its derivative."""
    if surrogate == "logistic":
        return logsigmoid(difference).neg(), (-difference).sigmoid().neg()
    value = (-difference).sigmoid()
    return value, value * (value - 1)


def _times_hessian(
    vector: Tensor, scores: Tensor, positive: Tensor, negative: Tensor, surrogate: Surrogate
) -> Tensor:
    """The second derivative times a vector."""
    p, q = positive.to(scores.dtype), negative.to(scores.dtype)
    products, toward_right = [torch.zeros_like(scores[..., :0])], torch.zeros_like(scores)
    for rows in _chunks(scores, scores):
        risk = (scores[..., None, :] - scores[..., rows, None]).sigmoid()
        curvature = risk * (1 - risk) * (1.0 if surrogate == "logistic" else 1 - 2 * risk)
        change = curvature * (vector[..., rows, None] - vector[..., None, :])
        products.append(p[..., rows] * (change * q[..., None, :]).sum(-1))
        toward_right = toward_right + (change * p[..., rows, None]).sum(-2)
    return torch.cat(products, -1) - q * toward_right


def _members(scores: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores and weights of a class, and where they stand: cut to its size where counting waits for no device."""
    count = scores.shape[-1]
    if scores.device.type == "cpu" and weight.numel() and not _is_traced(weight):
        count = int((weight > 0).sum(-1).max())
    weight, index = weight.topk(count, dim=-1)
    return scores.gather(-1, index), weight.to(scores.dtype), index


def _chunks(left: Tensor, right: Tensor) -> Iterator[slice]:
    """Slices of the left entries whose pairs with all of the right ones are held at once."""
    budget = _CPU_CHUNK if left.device.type == "cpu" else _DEVICE_CHUNK
    rows = max(1, budget // max(1, right.numel()))
    return (slice(start, start + rows) for start in range(0, left.shape[-1], rows))
