"""Losses that remember something about each training sample from batch to batch."""

from abc import abstractmethod
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from medauc.losses.aucm import check_margin
from medauc.losses.base import Activation, Columns, Loss, activate, as_columns, check_choice
from medauc.losses.ranked_pairs import (
    SURROGATES,
    Ranked,
    Surrogate,
    attach_gradient,
    hardest_first,
    in_transform,
    may_look,
    surrogate_loss,
)

NEVER_SEEN = -1.0  # states are all >= 0


class Batch(NamedTuple):
    """A batch as the losses of this kind see it, no gradient recorded.

    Attributes:
        positives: hardest first.
        negatives: hardest first.
        member: slots of ``positives`` that hold one whose label has both classes, shape (L, P): the others
            contribute nothing.
        samples: position of each ranked positive in the training set, shape (L, P); None where not known.
        update: whether this call changes the states.
    """

    positives: Ranked
    negatives: Ranked
    member: Tensor
    samples: Tensor | None
    update: bool


class Solved(NamedTuple):
    """What a subclass makes of a batch.

    Attributes:
        value: of each label, shape (L,).
        by_positive: gradient in the scores of the ranked positives, shape (L, P).
        by_negative: likewise, shape (L, Q).
    """

    value: Tensor
    by_positive: Tensor
    by_negative: Tensor


class SampleStateLoss(Loss):
    """Mean over labels of a loss of pairs, weighed by what earlier batches told about each sample.

    In training mode a call updates the states of the samples in the batch; where a sample occurs twice, the
    larger of its new states counts, that of the harder view. A sample's first visit starts its state at the
    batch's own value, so nothing is biased towards an arbitrary start. In evaluation mode, and inside
    :mod:`torch.func` transforms (which want no side effects), the value is the same but nothing is stored;
    in evaluation mode ``index`` may be left out: the samples then count as never seen, which makes the value
    that of the batch alone.

    The gradient is the estimator of the method's paper, for which the states are constants. It can be taken
    once: a second derivative raises an error.

    Args:
        num_samples: size of the training set, >= 1; ``index`` counts in it.
        num_labels: number of labels L, >= 1.
        surrogate: loss of a pair.
        margin: of the squared hinge, > 0.
        activation: ``"sigmoid"`` compares sigmoid(score), ``"none"`` the raw score.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(
        self, num_samples: int, num_labels: int, surrogate: Surrogate, margin: float, activation: Activation
    ) -> None:
        super().__init__()
        if num_samples < 1:
            raise ValueError(f"num_samples must be at least 1, got {num_samples}")
        if num_labels < 1:
            raise ValueError(f"num_labels must be at least 1, got {num_labels}")
        check_choice("surrogate", surrogate, SURROGATES)
        check_choice("activation", activation, ("sigmoid", "none"))
        check_margin(margin)
        self.num_samples = num_samples
        self.num_labels = num_labels
        self.surrogate: Surrogate = surrogate
        self.margin = margin
        self.activation: Activation = activation

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Self:
        """Take the numbers of samples and labels from the targets of the training set."""
        labels = 1 if targets.ndim == 1 else targets.shape[1]
        return cls(**{"num_samples": len(targets), "num_labels": labels, **options})

    def columns(self, scores: Tensor, targets: Tensor) -> Columns:
        """Check the number of labels, and activate the scores."""
        columns = as_columns(scores, targets)
        if columns.scores.shape[1] != self.num_labels:
            raise ValueError(
                f"{type(self).__name__} was made for {self.num_labels} labels, got {columns.scores.shape[1]}"
            )
        return columns._replace(scores=activate(columns.scores, self.activation))

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Mean over the labels; updates the states in training mode."""
        scores = columns.scores
        self._check_index(index, len(scores))
        if len(scores) == 0:
            return scores.sum()
        with torch.no_grad():
            batch = self._rank(columns, index)
            solved = self.solve(batch)
            gradient = scores.new_zeros(scores.shape[::-1])
            gradient = gradient.scatter_add(1, batch.positives.rows, solved.by_positive)
            gradient = gradient.scatter_add(1, batch.negatives.rows, solved.by_negative).t()
            if self.num_labels > 1:
                gradient = gradient / self.num_labels
            value = solved.value.mean()
        return attach_gradient(scores, value, gradient)

    @abstractmethod
    def solve(self, batch: Batch) -> Solved:
        """Value and gradient of each label; to store new states is part of it."""

    def add_state(self, name: str, *shape: int) -> None:
        """Register a buffer of states, none seen so far."""
        self.register_buffer(name, torch.full(shape, NEVER_SEEN))

    def pair_loss(self, lead: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and slope of pairs under this loss's surrogate."""
        return surrogate_loss(lead, self.surrogate, self.margin)

    def recall(self, name: str, batch: Batch) -> Tensor:
        """States of the ranked positives, (L, P); negative where never seen."""
        ease = batch.positives.ease
        if batch.samples is None:
            return torch.full_like(ease, NEVER_SEEN)
        state: Tensor = getattr(self, name)  # get_buffer takes as long as the rest
        return state.t().gather(1, batch.samples).to(ease.dtype)

    def recall_of_labels(self, name: str, batch: Batch) -> Tensor:
        """States of the labels themselves, (L, 1); negative where never seen."""
        state = self.get_buffer(name).unsqueeze(1).to(batch.positives.ease.dtype, copy=True)
        return torch.full_like(state, NEVER_SEEN) if batch.samples is None else state

    def store(self, name: str, batch: Batch, old: Tensor, new: Tensor) -> None:
        """Replace states that were recalled by new ones, (L, P), if this batch may."""
        if batch.update and batch.samples is not None:
            state: Tensor = getattr(self, name)
            kept = new.where(batch.member, old).to(state.dtype)
            state.t().scatter_reduce_(1, batch.samples, kept, "amax", include_self=False)

    def store_of_labels(self, name: str, batch: Batch, old: Tensor, new: Tensor) -> None:
        """Likewise for states of labels, (L, 1); those of which the batch lacks a class keep theirs."""
        if batch.update:
            self.get_buffer(name).copy_(new.where(batch.member[:, :1], old).squeeze(1))

    def _rank(self, columns: Columns, index: Tensor | None) -> Batch:
        positives, negatives = hardest_first(columns.scores.detach(), columns.positive, columns.negative)
        member = positives.valid & negatives.valid[:, :1]
        update = self.training and not in_transform(columns.scores)
        return Batch(
            positives, negatives, member, None if index is None else index.take(positives.rows), update
        )

    def _check_index(self, index: Tensor | None, samples: int) -> None:
        if index is None:
            if self.training:
                raise ValueError(
                    f"{type(self).__name__} keeps a state for each training sample: call "
                    "loss(scores, targets, index) with each sample's position in the training set"
                )
            return
        if index.shape != (samples,) or index.is_floating_point() or index.dtype == torch.bool:
            raise ValueError(
                f"index must hold one integer a sample, shape ({samples},), "
                f"got {index.dtype} of shape {tuple(index.shape)}"
            )
        if len(index) and may_look(index):
            low, high = (int(end) for end in index.aminmax())
            if low < 0 or high >= self.num_samples:
                raise ValueError(
                    f"index runs from {low} to {high}, but the loss was made for {self.num_samples} samples"
                )

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"{self.num_samples}, num_labels={self.num_labels}, surrogate={self.surrogate!r}, "
            f"margin={self.margin}, activation={self.activation!r}"
        )


def check_rate(name: str, value: float) -> float:
    """Return a moving average's weight of the new value, or raise ValueError where it is not in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1, got {value}")
    return float(value)
