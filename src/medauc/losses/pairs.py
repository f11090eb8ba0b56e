"""Surrogates of the AUC summed over weighted positive-negative pairs: what all pairwise losses are made of."""

import inspect
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from medauc.losses import smooth_pairs, squared_hinge
from medauc.losses.base import one_if_none

Surrogate = Literal["square", "squared_hinge", "logistic", "sigmoid"]
SURROGATES: tuple[str, ...] = get_args(Surrogate)


def sum_over_pairs(surrogate: Surrogate, scores: Tensor, weights: Tensor, margin: float) -> Tensor:
    r"""Sum over all pairs of ``p_i q_j phi(h_i - h_j)``, for every row.

    ``phi(d)`` is ``(margin - d)^2`` ("square"), ``max(0, margin - d)^2`` ("squared_hinge"),
    ``log(1 + exp(-d))`` ("logistic") or ``1 / (1 + exp(d))`` ("sigmoid"). The first is computed from moments in
    O(n), the second by a sort in O(n log n), the other two pair by pair in chunks: O(n+ n-) time, O(n) memory.

    Args:
        surrogate: name of phi.
        scores: h, shape (L, n), floating.
        weights: shape (2, L, n), >= 0: p, what every entry weighs as a positive, then q, as a negative; 0 where
            it is none, and never both > 0.
        margin: in units of the scores; the logistic and the sigmoid surrogate have none.

    Returns:
        Shape (L,), dtype of the scores; 0 where there is no pair. Differentiable in the scores, any number of
        times and under :mod:`torch.func`.

    >>> weights = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> [sum_over_pairs(name, torch.zeros(1, 2), weights, margin=2.0).item() for name in ("square", "sigmoid")]
    [4.0, 0.5]
    """
    if scores.shape[-1] == 0:
        return scores.sum(-1)
    value: Tensor = _PairSum.apply(scores, weights, surrogate, margin)[0]  # type: ignore[no-untyped-call]
    return value


def class_weights(positive: Tensor, negative: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights of shape (2, L, n) that sum to one over each class, so that the sum over pairs is their mean.

    >>> class_weights(torch.tensor([[True, False, False]]), torch.tensor([[False, True, True]]), torch.float32)
    tensor([[[1.0000, 0.0000, 0.0000]],
            [[0.0000, 0.5000, 0.5000]]])
    """
    members = torch.stack([positive, negative]).to(dtype)
    return members / one_if_none(members.sum(-1, keepdim=True))


def wide_dtype(scores: Tensor) -> torch.dtype:
    """In which weights and long sums are kept: float64, which only Apple's GPU lacks."""
    return torch.float32 if scores.device.type == "mps" else torch.float64


class _PairSum(torch.autograd.Function):
    """Value and gradient in one pass. The gradient is an output so that it can be differentiated in turn."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        scores: Tensor, weights: Tensor, surrogate: Surrogate, margin: float
    ) -> tuple[Tensor, Tensor]:
        if surrogate in ("logistic", "sigmoid"):
            return smooth_pairs.value_and_gradient(surrogate, scores.detach(), weights.to(scores.dtype))
        compute = _square if surrogate == "square" else squared_hinge.value_and_gradient
        value, gradient = compute(scores.detach().to(weights.dtype), weights, margin)
        return value.to(scores.dtype), gradient.to(scores.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        scores, weights, ctx.surrogate, ctx.margin = inputs
        ctx.save_for_backward(scores, weights, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> tuple[Tensor | None, None, None, None]:
        of_value, of_gradient = outer
        scores, weights, gradient = ctx.saved_tensors
        total = None if of_value is None else of_value.unsqueeze(-1) * gradient
        if of_gradient is not None:
            second = _times_hessian(ctx.surrogate, of_gradient, scores, weights, ctx.margin)
            total = second if total is None else total + second
        return total, None, None, None


# Found anew at every call otherwise, which takes as long as a sort of 128 scores.
_PairSum.forward.__signature__ = inspect.signature(_PairSum.forward)  # type: ignore[attr-defined]


def _square(scores: Tensor, weights: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The pairs' sum is that of the classes' variances and of the squared distance of their means from the margin."""
    total = weights.sum(-1)
    mean = (weights * scores).sum(-1) / total.where(total > 0, 1.0)
    off = scores - mean.unsqueeze(-1)
    spread = (weights * off.square()).sum(-1)
    partners = total.flip(0)
    missing = margin - mean[0] + mean[1]
    value = (partners * spread).sum(0) + total[0] * total[1] * missing.square()
    pull = torch.stack([-missing, missing]).unsqueeze(-1)
    return value, (2 * partners.unsqueeze(-1) * weights * (off + pull)).sum(0)


def _times_hessian(
    surrogate: Surrogate, vector: Tensor, scores: Tensor, weights: Tensor, margin: float
) -> Tensor:
    """Second derivative by the scores, times a vector."""
    if surrogate in ("logistic", "sigmoid"):
        return smooth_pairs.times_hessian(surrogate, vector, scores, weights.to(scores.dtype))
    wide = vector.to(weights.dtype)
    if surrogate == "square":  # whose gradient is linear
        return _square(wide, weights, 0.0)[1].to(vector.dtype)
    return squared_hinge.times_hessian(wide, scores.to(weights.dtype), weights, margin).to(vector.dtype)
