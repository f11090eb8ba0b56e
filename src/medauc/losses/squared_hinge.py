"""The squared hinge over all positive-negative pairs, exactly, by one sort instead of a matrix of pairs."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad


def squared_hinge_over_pairs(scores: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    r"""Sum over all pairs of ``p_i q_j max(0, margin - (h_i - h_j))^2``, in O(n log n) time and O(n) memory.

    Negatives are moved up by the margin and everything is sorted; a pair counts when its negative then stands
    above its positive. Going up from one key to the next, over a gap ``g``, every such distance below grows
    by ``g``: sums of distances are sums of gaps times the weight that lies below, and sums of squares follow
    from them. All terms are >= 0, so nothing cancels, however large the scores; sums are kept in float64.

    Args:
        scores: h, shape (L, n), floating.
        positive: weight p of every entry as a positive, >= 0, 0 for those that are none; shape (L, n).
        negative: weight q of every entry as a negative; no entry has both.
        margin: distance that a pair should have.

    Returns:
        Shape (L,), dtype of the scores. Differentiable in the scores, twice and under :mod:`torch.func` too;
        pairs exactly at the margin have gradient 0, and belong to either side in the second derivative.

    Reference:
        Rust and Hocking: A Log-linear Gradient Descent Algorithm for Unbalanced Binary Classification using
        the All Pairs Squared Hinge Loss, arXiv 2302.11062, algorithm 2; sums of gaps replace its coefficients
        of a parabola, which cancel when scores are far from zero.

    >>> scores = torch.tensor([[0.5, 0.0, 2.0]])
    >>> classes = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 1.0]])
    >>> squared_hinge_over_pairs(scores, *classes, margin=1.0)
    tensor([6.5000])
    """
    if scores.shape[-1] == 0:
        return scores.sum(-1)
    value: Tensor = _SquaredHinge.apply(scores, positive, negative, margin)[0]  # type: ignore[no-untyped-call]
    return value


class _SquaredHinge(torch.autograd.Function):
    """Value and gradient from one sort. The gradient is an output so that it can be differentiated in turn."""

    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, positive: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, Tensor]:
        keys, order, positive, negative = _sorted(scores, positive, negative, margin)
        gaps = keys.diff(dim=-1)
        rise = positive.cumsum(-1)[..., :-1] * gaps
        fall = _cumsum_from_above(negative)[..., 1:] * gaps
        # Of every key: weighted distances to the positives below it, and to the negatives above it.
        to_positives = pad(rise.cumsum(-1), (1, 0))
        to_negatives = pad(_cumsum_from_above(fall), (0, 1))
        value = (fall * (to_positives[..., 1:] + to_positives[..., :-1])).sum(-1)
        slope = 2 * (negative * to_positives - positive * to_negatives)
        gradient = torch.empty_like(slope).scatter(-1, order, slope)
        return value.to(scores.dtype), gradient.to(scores.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        *tensors, ctx.margin = inputs
        ctx.save_for_backward(*tensors, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> tuple[Tensor | None, None, None, None]:
        of_value, of_gradient = outer
        scores, positive, negative, gradient = ctx.saved_tensors
        total = None if of_value is None else of_value.unsqueeze(-1) * gradient
        if of_gradient is not None:
            second = _times_hessian(of_gradient, scores, positive, negative, ctx.margin)
            total = second if total is None else total + second
        return total, None, None, None


def wide_dtype(scores: Tensor) -> torch.dtype:
    """In which long sums are kept: float64, which only Apple's GPU lacks."""
    return torch.float32 if scores.device.type == "mps" else torch.float64


def _sorted(scores: Tensor, positive: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, ...]:
    """Keys in ascending order, the order, and the weights in that order."""
    wide = wide_dtype(scores)
    keys = scores.detach().to(wide)
    keys, order = keys.where(negative == 0, keys + margin).sort(dim=-1)
    return keys, order, positive.to(wide).gather(-1, order), negative.to(wide).gather(-1, order)


def _times_hessian(
    vector: Tensor, scores: Tensor, positive: Tensor, negative: Tensor, margin: float
) -> Tensor:
    """The second derivative, which is constant between kinks, times a vector."""
    keys, order, positive, negative = _sorted(scores, positive, negative, margin)
    sorted_vector = vector.to(keys.dtype).gather(-1, order)
    below, above = positive.cumsum(-1), _cumsum_from_above(negative)
    product = negative * (below * sorted_vector - (positive * sorted_vector).cumsum(-1))
    product = product + positive * (above * sorted_vector - _cumsum_from_above(negative * sorted_vector))
    return torch.zeros_like(product).scatter(-1, order, 2 * product).to(vector.dtype)


def _cumsum_from_above(values: Tensor) -> Tensor:
    return values.flip(-1).cumsum(-1).flip(-1)
