"""Losses that remember something about each training sample from batch to batch."""

from abc import abstractmethod
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from medauc.losses.aucm import check_margin
from medauc.losses.base import Activation, Columns, Loss, activate, as_columns, check_choice
from medauc.losses.ranked_pairs import (
    SURROGATES,
    PairBlocks,
    Ranked,
    Surrogate,
    attach_gradient,
    in_transform,
)

NEVER_SEEN = -1.0  # states are all >= 0

Self = TypeVar("Self", bound="SampleStateLoss")


class Solved(NamedTuple):
    """What a subclass makes of a batch: value of each label (L,), and gradient in the scores (N, L)."""

    value: Tensor
    gradient: Tensor


class SampleStateLoss(Loss):
    """Mean over labels of a loss of pairs, weighed by what earlier batches told about each sample.

    In training mode a call updates the states of the samples in the batch; where a sample occurs twice, the
    last occurrence counts. A sample's first visit starts its state at the batch's own value, so nothing is
    biased towards an arbitrary start. In evaluation mode, and inside :mod:`torch.func` transforms (which want
    no side effects), the value is the same but nothing is stored, and ``index`` may be left out: the samples
    then count as never seen, which makes the value that of the batch alone.

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
    def for_targets(cls: type[Self], targets: Tensor, **options: Any) -> Self:
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
            solved = self.solve(columns._replace(scores=scores.detach()), index)
            value, gradient = solved.value.sum() / self.num_labels, solved.gradient / self.num_labels
        return attach_gradient(scores, value, gradient)

    @abstractmethod
    def solve(self, columns: Columns, index: Tensor | None) -> Solved:
        """Value and gradient of each label for a batch of at least one sample, no gradient recorded."""

    def add_state(self, name: str, *shape: int) -> None:
        """Register a buffer of states, never seen so far."""
        self.register_buffer(name, torch.full(shape, NEVER_SEEN))

    def pairs(self, positives: Tensor, others: Tensor) -> PairBlocks:
        """All pairs of (L, P) positives and (L, Q) others under this loss's surrogate."""
        return PairBlocks(positives, others, self.surrogate, self.margin)

    def stores(self, scores: Tensor) -> bool:
        """Whether this call updates the states."""
        return self.training and not in_transform(scores)

    def recall(self, name: str, index: Tensor | None, ranked: Ranked) -> Tensor:
        """States of ranked members, (L, K); negative where never seen."""
        if index is None:
            return torch.full_like(ranked.scores, NEVER_SEEN)
        state = self.get_buffer(name)[index].T.to(ranked.scores.dtype)
        return state.gather(1, ranked.rows)

    def store(self, name: str, index: Tensor, ranked: Ranked, values: Tensor, update: Tensor) -> None:
        """Write (L, K) values of ranked members into their states, where ``update`` is true."""
        buffer = self.get_buffer(name)
        state = buffer[index].T
        values = values.to(buffer.dtype).where(update, state.gather(1, ranked.rows))
        # Every occurrence of a sample writes what the last one has, so the order of writing cannot matter.
        buffer[index] = state.scatter(1, ranked.rows, values).T[last_occurrence(index)]

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

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"{self.num_samples}, num_labels={self.num_labels}, surrogate={self.surrogate!r}, "
            f"margin={self.margin}, activation={self.activation!r}"
        )


def last_occurrence(index: Tensor) -> Tensor:
    """For each entry the position of the last entry equal to it, shape (N,).

    >>> last_occurrence(torch.tensor([7, 3, 7]))
    tensor([2, 1, 2])
    """
    ordered, positions = index.sort(stable=True)
    return positions[torch.searchsorted(ordered, index, right=True) - 1]


def check_rate(name: str, value: float) -> float:
    """Return a moving average's weight of the new value, or raise ValueError where it is not in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"{name} must be above 0 and at most 1, got {value}")
    return float(value)
