r"""The squared hinge over all positive-negative pairs, exactly, by one sort instead of a matrix of pairs.

Negatives are moved up by the margin and everything is sorted; a pair counts when its negative then stands above
its positive. Going up from one key to the next, over a gap ``g``, every distance to a positive below grows by
``g``: sums of distances are sums of gaps times the weight that lies below, and sums of squares follow from them.
All terms are >= 0, so nothing cancels, however large the scores are.

After Rust and Hocking: A Log-linear Gradient Descent Algorithm for Unbalanced Binary Classification using the All
Pairs Squared Hinge Loss, arXiv 2302.11062. Sums of gaps replace the paper's coefficients of a parabola, which cancel
when scores are far from zero.
"""

from torch import Tensor
from torch.nn.functional import pad


def value_and_gradient(scores: Tensor, weights: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Sum of ``p_i q_j max(0, margin - (h_i - h_j))^2`` over all pairs, and its gradient.

    Args:
        scores: h, shape (L, n), n >= 1, in the dtype that sums are kept in.
        weights: p, then q, shape (2, L, n), same dtype.
        margin: in units of the scores.

    Returns:
        Shapes (L,) and (L, n). Pairs exactly at the margin have gradient 0.
    """
    keys, order, positive, negative = _sorted(scores, weights, margin)
    gaps = keys.diff(dim=-1)
    rise = positive.cumsum(-1)[..., :-1] * gaps
    fall = _cumsum_from_above(negative)[..., 1:] * gaps
    # Of every key: weighted distances to the positives below it, and to the negatives above it.
    to_positives = pad(rise.cumsum(-1), (1, 0))
    to_negatives = pad(_cumsum_from_above(fall), (0, 1))
    value = (fall * (to_positives[..., 1:] + to_positives[..., :-1])).sum(-1)
    slope = 2 * (negative * to_positives - positive * to_negatives)
    return value, slope.scatter(-1, order, slope)


def times_hessian(vector: Tensor, scores: Tensor, weights: Tensor, margin: float) -> Tensor:
    """The second derivative, which is constant between kinks, times a vector of shape (L, n).

    A pair exactly at the margin, a kink, may count or not.
    """
    _, order, positive, negative = _sorted(scores.detach(), weights, margin)
    moved = vector.gather(-1, order)
    below, above = positive.cumsum(-1), _cumsum_from_above(negative)
    product = negative * (below * moved - (positive * moved).cumsum(-1))
    product = product + positive * (above * moved - _cumsum_from_above(negative * moved))
    return product.scatter(-1, order, 2 * product)


def _sorted(scores: Tensor, weights: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Keys in ascending order, the order, and the weights in that order."""
    keys, order = scores.where(weights[1] == 0, scores + margin).sort(dim=-1)
    positive, negative = weights.gather(-1, order.expand_as(weights)).unbind()
    return keys, order, positive, negative


def _cumsum_from_above(values: Tensor) -> Tensor:
    return values.flip(-1).cumsum(-1).flip(-1)
