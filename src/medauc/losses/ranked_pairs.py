"""Positives against other samples, hardest first, a block of pairs at a time: what partial AUC and AP share."""

import math
from collections.abc import Callable, Iterable, Iterator
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
        ease: ascending, shape (L, K): the score of a positive, minus the score of a negative. Slots past the
            last member hold +inf, so that no pair with them has a loss.
        rows: place of each in the batch, shape (L, K).
        count: number of members, at least 1, shape (L, 1), dtype of the scores.
        valid: which slots hold a member, shape (L, K).
    """

    ease: Tensor
    rows: Tensor
    count: Tensor
    valid: Tensor


def hardest_first(scores: Tensor, positive: Tensor, negative: Tensor) -> tuple[Ranked, Ranked]:
    """Sort positives from the lowest score up, negatives from the highest down; all inputs (N, L), N >= 1."""
    members = torch.stack([positive.t(), negative.t()])
    across = scores.t()
    ease, rows = torch.stack([across, -across]).where(members, math.inf).sort(2)
    count = members.sum(2, keepdim=True).clamp_(min=1)
    slots = count.amax((1, 2)).tolist() if may_look(scores) else [len(scores)] * 2
    classes = zip(ease.unbind(), rows.unbind(), count.to(scores.dtype).unbind(), slots, strict=True)
    positives, negatives = (_ranked(*one) for one in classes)
    return positives, negatives


def _ranked(ease: Tensor, rows: Tensor, count: Tensor, slots: int) -> Ranked:
    ease = ease.narrow(1, 0, slots)
    # Unlike <, this counts a NaN as a member, so that it reaches the value and is noticed.
    return Ranked(ease, rows.narrow(1, 0, slots), count, ease != math.inf)


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
    keys = keys.contiguous()  # searchsorted warns otherwise
    first = torch.searchsorted(keys, keys)
    after = torch.searchsorted(keys, keys, right=True)
    return (size.minimum(after) - size.minimum(first)) / ((after - first) * size)


class PairBlocks:
    """A function of every pair of a positive i with another sample j, in blocks of whole rows i.

    Args:
        positives: h_i, shape (L, P).
        others: -h_j, shape (L, Q).
        function: takes leads ``h_j - h_i`` (L, rows, Q) and returns tensors that belong to these rows.
    """

    def __init__(
        self, positives: Tensor, others: Tensor, function: Callable[[Tensor], tuple[Tensor, ...]]
    ) -> None:
        self.positives, self.others = -positives.unsqueeze(2), others.unsqueeze(1)
        self.function = function
        in_cache = positives.device.type == "cpu" and not torch.compiler.is_compiling()
        room = _PAIRS_ON_CPU if in_cache else _PAIRS_ELSEWHERE
        height = max(room // max(others.numel(), 1), 1)
        self.parts = [slice(start, start + height) for start in range(0, positives.shape[1], height)]
        self._only: tuple[Tensor, ...] | None = None

    def __iter__(self) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
        """Yield rows and what the function gives for them, which is to be read only; may be walked again."""
        for part in self.parts:
            found = self._only or self.function(self.positives[:, part] - self.others)
            if len(self.parts) == 1:
                self._only = found
            yield part, found


def joined(blocks: Iterable[Tensor]) -> Tensor:
    """Values of all rows, (L, P), from those of each block."""
    values = list(blocks)
    return values[0] if len(values) == 1 else torch.cat(values, 1)


def gradient_sums(weighted: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Gradient in the positives (L, P) and in the others (L, Q), from blocks of weight times slope."""
    by_positive, by_other = [], []
    for block in weighted:
        by_positive.append(block.sum(2))
        by_other.append(block.sum(1))
    return joined(by_positive).neg(), by_other[0] if len(by_other) == 1 else torch.stack(by_other).sum(0)


def surrogate_loss(lead: Tensor, surrogate: Surrogate, margin: float) -> tuple[Tensor, Tensor]:
    """Loss of pairs whose other sample leads the positive by ``h_j - h_i``, and its derivative by the lead.

    ``squared_hinge`` is max(0, margin + lead)^2, ``logistic`` log(1 + exp(lead)), ``sigmoid`` 1 / (1 + exp(-lead)).
    All increase with the lead (the plain square does not), so the hardest others are those of the highest
    score; all are 0 at -inf.
    """
    if surrogate == "squared_hinge":
        short = (lead + margin).clamp(min=0)
        return short.square(), short + short
    chance = lead.sigmoid()
    if surrogate == "logistic":
        return softplus(lead), chance
    return chance, chance * (1 - chance)


def attach_gradient(scores: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """Return ``value`` as a function of the scores that has the given gradient, once differentiable."""
    function = _WithGradientInTransform if in_transform(scores) else _WithGradient
    attached: Tensor = function.apply(scores, value, gradient)  # type: ignore[no-untyped-call]
    return attached


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(scores, gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        scores, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient may be differentiated in turn
            gradient = _Once.apply(scores, gradient)  # type: ignore[no-untyped-call]
        return outer[0] * gradient, None, None


class _WithGradientInTransform(torch.autograd.Function):
    """The same in the form that torch.func wants, which takes several times as long to call."""

    generate_vmap_rule = True
    backward = _WithGradient.backward

    @staticmethod
    def forward(scores: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[2])


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


def surely_none(mask: Tensor) -> bool:
    """Whether no entry is true, as far as looking is free."""
    return may_look(mask) and not mask.any()


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
