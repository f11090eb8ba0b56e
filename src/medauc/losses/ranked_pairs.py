"""Positives against other samples, hardest first, a block of pairs at a time: what partial AUC and AP share."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

Surrogate = Literal["squared_hinge", "logistic", "sigmoid"]
SURROGATES = ("squared_hinge", "logistic", "sigmoid")

# Pairs held at once: few enough for a processor's cache; an accelerator wants few, large kernels.
_PAIRS_ON_CPU, _PAIRS_ELSEWHERE = 2**17, 2**24


class Ranked(NamedTuple):
    """The members of one class, for each label sorted from the hardest to rank right to the easiest.

    Attributes:
        scores: shape (L, K); slots past the last member hold +inf (positives) or -inf (negatives), so that
            no pair with them has a loss.
        rows: place of each in the batch, shape (L, K).
        count: number of members, shape (L, 1), dtype of the scores.
    """

    scores: Tensor
    rows: Tensor
    count: Tensor

    @property
    def valid(self) -> Tensor:
        """Which slots hold a member, shape (L, K)."""
        return torch.arange(self.scores.shape[1], device=self.scores.device) < self.count


def hardest_first(scores: Tensor, members: Tensor, *, positive: bool) -> Ranked:
    """Sort the members of a class: positives from the lowest score up, negatives from the highest down.

    Args:
        scores: shape (N, L), N at least 1.
        members: bool, shape (N, L).
        positive: which of the two orders.
    """
    blank = float("inf" if positive else "-inf")
    ranked, rows = scores.T.where(members.T, blank).sort(dim=1, descending=not positive)
    count = members.sum(0)
    if may_look(scores):
        slots = max(int(count.max()), 1)
        ranked, rows = ranked[:, :slots].contiguous(), rows[:, :slots]
    return Ranked(ranked, rows, count.unsqueeze(1).to(scores.dtype))


def hardest_share(keys: Tensor, size: Tensor) -> Tensor:
    """Weights that average over the first ``size`` of sorted keys; equal keys share what falls to them.

    Args:
        keys: ascending, shape (L, K).
        size: shape (L, 1), > 0, need not be whole.

    Returns:
        Shape (L, K); the sum is 1 where size <= K.

    >>> hardest_share(torch.tensor([[0.0, 1.0, 1.0, 2.0]]), torch.tensor([[2.0]]))
    tensor([[0.5000, 0.2500, 0.2500, 0.0000]])
    """
    first = torch.searchsorted(keys, keys)
    after = torch.searchsorted(keys, keys, right=True)
    return (size.minimum(after) - size.minimum(first)) / ((after - first) * size)


class PairBlocks:
    """Loss of every pair of a positive i with another sample j, ``phi(h_j - h_i)``, in blocks of whole rows i.

    Args:
        positives: scores h_i, shape (L, P).
        others: scores h_j, shape (L, Q).
        surrogate: phi, see :func:`surrogate_loss`.
        margin: of the squared hinge.
    """

    def __init__(self, positives: Tensor, others: Tensor, surrogate: Surrogate, margin: float) -> None:
        self.positives, self.others = positives, others
        self.surrogate: Surrogate = surrogate
        self.margin = margin
        in_cache = positives.device.type == "cpu" and not torch.compiler.is_compiling()
        room = _PAIRS_ON_CPU if in_cache else _PAIRS_ELSEWHERE
        height = max(room // max(others.numel(), 1), 1)
        self.parts = [slice(start, start + height) for start in range(0, positives.shape[1], height)]
        self._only: tuple[Tensor, Tensor] | None = None

    def __iter__(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield rows, loss and slope ``phi'``, both (L, rows, Q), to be read only; may be walked again."""
        for part in self.parts:
            found = self._only or self._block(part)
            if len(self.parts) == 1:
                self._only = found
            yield part, *found

    def _block(self, part: slice) -> tuple[Tensor, Tensor]:
        lead = self.others.unsqueeze(1) - self.positives[:, part].unsqueeze(2)
        return surrogate_loss(lead, self.surrogate, self.margin)


def gradient_sums(weighted: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Gradient in the positives (L, P) and in the others (L, Q), from blocks of weight times slope."""
    by_positive, by_other = [], []
    for block in weighted:
        by_positive.append(-block.sum(2))
        by_other.append(block.sum(1))
    return torch.cat(by_positive, 1), torch.stack(by_other).sum(0)


def surrogate_loss(lead: Tensor, surrogate: Surrogate, margin: float) -> tuple[Tensor, Tensor]:
    """Loss of pairs whose other sample leads the positive by ``h_j - h_i``, and its derivative by the lead.

    ``squared_hinge`` is max(0, margin + lead)^2, ``logistic`` log(1 + exp(lead)), ``sigmoid`` 1 / (1 + exp(-lead)).
    All increase with the lead (the plain square does not), so the hardest others are those of the highest
    score; all are 0 at -inf.
    """
    if surrogate == "squared_hinge":
        short = (lead + margin).clamp(min=0)
        return short.square(), 2 * short
    chance = lead.sigmoid()
    if surrogate == "logistic":
        return softplus(lead), chance
    return chance, chance * (1 - chance)


def attach_gradient(scores: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """Return ``value`` as a function of the scores that has the given gradient, once differentiable."""
    attached: Tensor = _WithGradient.apply(scores, value, gradient)  # type: ignore[no-untyped-call]
    return attached


class _WithGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[2])

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        scores, gradient = ctx.saved_tensors
        once: Tensor = _Once.apply(scores, gradient)  # type: ignore[no-untyped-call]
        return outer[0] * once, None, None


class _Once(torch.autograd.Function):
    """A gradient that depends on the scores in a way that is not known: better an error than a wrong Hessian."""

    generate_vmap_rule = True

    @staticmethod
    def forward(scores: Tensor, gradient: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None]:
        raise RuntimeError("partial AUC and average precision losses can be differentiated once only")


def spread(ranked: Ranked, values: Tensor, rows: int) -> Tensor:
    """Bring (L, K) values of ranked members back to their places, shape (rows, L), zero elsewhere."""
    return values.new_zeros(len(values), rows).scatter(1, ranked.rows, values).T


def may_look(tensor: Tensor) -> bool:
    """Whether numbers may decide shapes: in plain CPU tensors, where looking waits for nothing and none traces."""
    return (
        tensor.device.type == "cpu"
        and type(tensor) is Tensor
        and not torch.compiler.is_compiling()
        and not in_transform(tensor)
    )


def in_transform(tensor: Tensor) -> bool:
    """Whether a torch.func transform follows this tensor."""
    return not torch.compiler.is_compiling() and torch._C._functorch.is_functorch_wrapped_tensor(tensor)
