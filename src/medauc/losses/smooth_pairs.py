"""The logistic and the sigmoid surrogate, for which no shortcut is known: pair by pair, a chunk at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

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
    p, left = _members(weights[0])
    q, right = _members(weights[1])
    rows, columns = scores.gather(-1, left).unsqueeze(-1), scores.gather(-1, right).unsqueeze(-2)
    losses, slopes, toward_columns = [], [], torch.zeros_like(q)
    for chunk in _chunks(rows, columns):
        loss, slope = _value_and_slope(surrogate, rows[..., chunk, :] - columns)
        losses.append((loss * q.unsqueeze(-2)).sum(-1))
        slopes.append((slope * q.unsqueeze(-2)).sum(-1))
        toward_columns = toward_columns + (slope * p[..., chunk].unsqueeze(-1)).sum(-2)
    gradient = torch.zeros_like(scores).scatter_add(-1, left, p * torch.cat(slopes, -1))
    return (p * torch.cat(losses, -1)).sum(-1), gradient.scatter_add(-1, right, -q * toward_columns)


def times_hessian(surrogate: str, vector: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
    """The second derivative by the scores, times a vector of shape (L, n)."""
    p, q = weights.unbind()
    rows, columns = scores.unsqueeze(-1), scores.unsqueeze(-2)
    products, toward_columns = [], torch.zeros_like(scores)
    for chunk in _chunks(rows, columns):
        risk = (columns - rows[..., chunk, :]).sigmoid()
        curvature = risk * (1 - risk) * (1.0 if surrogate == "logistic" else 1 - 2 * risk)
        change = curvature * (vector.unsqueeze(-1)[..., chunk, :] - vector.unsqueeze(-2))
        products.append((change * q.unsqueeze(-2)).sum(-1))
        toward_columns = toward_columns + (change * p[..., chunk].unsqueeze(-1)).sum(-2)
    return p * torch.cat(products, -1) - q * toward_columns


def _value_and_slope(surrogate: str, difference: Tensor) -> tuple[Tensor, Tensor]:
    """The surrogate of every difference, and its derivative."""
    risk = (-difference).sigmoid()
    if surrogate == "logistic":
        return -logsigmoid(difference), -risk
    return risk, risk * (risk - 1)


def _members(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of a class, and where they stand: as many as its members where counting waits for no device."""
    count = weight.shape[-1]
    if weight.device.type == "cpu" and weight.numel() and not _is_traced(weight):
        count = int((weight > 0).sum(-1).max())
    return weight.topk(count, dim=-1)


def _chunks(rows: Tensor, columns: Tensor) -> Iterator[slice]:
    """Slices of the (L, n, 1) rows whose pairs with all (L, 1, m) columns are held at once; one at least."""
    budget = _CPU_CHUNK if rows.device.type == "cpu" else _DEVICE_CHUNK
    step = max(1, budget // max(1, columns.numel()))
    return (slice(start, start + step) for start in range(0, max(1, rows.shape[-2]), step))
