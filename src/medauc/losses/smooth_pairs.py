"""The logistic and the sigmoid surrogate, for which no shortcut is known: pair by pair, a chunk at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import softplus

from medauc.losses.base import _is_traced

# Pairs held at a time: on a CPU few enough for its cache, elsewhere many enough to keep the device busy.
_CPU_CHUNK, _DEVICE_CHUNK = 1 << 16, 1 << 24


def value_and_gradient(surrogate: str, scores: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of ``p_i q_j phi(h_i - h_j)`` over all pairs, and its gradient.

    Args:
        surrogate: "logistic" or "sigmoid".
        scores: h, shape (L, n), n >= 1.
        weights: p, then q, shape (2, L, n), same dtype.

    Returns:
        Shapes (L,) and (L, n).
    """
    (p, left), (q, right) = _members(weights)
    rows, columns = scores.gather(-1, left).unsqueeze(-1), scores.gather(-1, right).unsqueeze(-2)
    p_rows, q_columns = p.unsqueeze(-1), q.unsqueeze(-2)
    losses, slopes = [], []
    slope_of_columns: Tensor | float = 0.0
    for chunk in _chunks(rows, columns):
        loss, slope = _value_and_slope(surrogate, columns - rows[..., chunk, :])
        losses.append((loss * q_columns).sum(-1))
        slopes.append((slope * q_columns).sum(-1))
        slope_of_columns = slope_of_columns + (slope * p_rows[..., chunk, :]).sum(-2)
    gradient = torch.zeros_like(scores).scatter_add(-1, right, q * slope_of_columns)
    gradient = gradient.scatter_add(-1, left, -p * torch.cat(slopes, -1))
    return (p * torch.cat(losses, -1)).sum(-1), gradient


def times_hessian(surrogate: str, vector: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
    """The second derivative by the scores, times a vector of shape (L, n)."""
    p, q = weights.unbind()
    rows, columns = scores.unsqueeze(-1), scores.unsqueeze(-2)
    products, of_columns = [], torch.zeros_like(scores)
    for chunk in _chunks(rows, columns):
        risk = (columns - rows[..., chunk, :]).sigmoid()
        curvature = risk * (1 - risk) * (1.0 if surrogate == "logistic" else 1 - 2 * risk)
        change = curvature * (vector.unsqueeze(-1)[..., chunk, :] - vector.unsqueeze(-2))
        products.append((change * q.unsqueeze(-2)).sum(-1))
        of_columns = of_columns + (change * p[..., chunk].unsqueeze(-1)).sum(-2)
    return p * torch.cat(products, -1) - q * of_columns


def _value_and_slope(surrogate: str, excess: Tensor) -> tuple[Tensor, Tensor]:
    """The surrogate of what a negative's score is above a positive's, and its derivative."""
    risk = excess.sigmoid()
    if surrogate == "logistic":
        return softplus(excess, threshold=40.0), risk  # exp(-40) is less than the rounding of 40 in float64
    return risk, risk * (1 - risk)


def _members(weights: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each class weights, and where they stand: as many as its members where counting waits for no device."""
    counts = [weights.shape[-1]] * 2
    if weights.device.type == "cpu" and weights.numel() and not _is_traced(weights):
        counts = [max(of_labels) for of_labels in weights.count_nonzero(-1).tolist()]
    return [weight.topk(count, dim=-1) for weight, count in zip(weights.unbind(), counts, strict=True)]


def _chunks(rows: Tensor, columns: Tensor) -> Iterator[slice]:
    """Slices of the (L, n, 1) rows whose pairs with all (L, 1, m) columns are held at once; one at least."""
    budget = _CPU_CHUNK if rows.device.type == "cpu" else _DEVICE_CHUNK
    step = max(1, budget // max(1, columns.numel()))
    return (slice(start, start + step) for start in range(0, max(1, rows.shape[-2]), step))
