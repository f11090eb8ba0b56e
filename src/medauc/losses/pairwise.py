"""The AUC as a loss over pairs: every positive against every negative, under a smooth surrogate."""

from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from medauc.losses.aucm import check_margin
from medauc.losses.base import Activation, Columns, Loss, activate, check_choice
from medauc.losses.pairs import SURROGATES, Surrogate, class_weights, sum_over_pairs, wide_dtype


class PairwiseAUCLoss(Loss):
    r"""Mean over all positive-negative pairs of ``phi(h+ - h-)``, averaged over labels.

    One minus the AUC is the share of pairs with ``h+ < h-``; ``phi`` replaces that step by a slope:

    * ``"square"``: ``(m - d)^2``, from moments in O(n). It also punishes pairs that are better than the margin.
    * ``"squared_hinge"``: ``max(0, m - d)^2``, over all pairs exactly by a sort in O(n log n).
    * ``"logistic"``: ``log(1 + exp(-d))``, as RankNet; O(n+ n-) time, O(n) memory.
    * ``"sigmoid"``: ``1 / (1 + exp(d))``, bounded, so that mislabelled samples pull less; same cost.

    A label that lacks a class in the batch contributes zero, and the sum over labels is divided by their number
    all the same.

    With ``memory=K`` the last K scores of each class join as partners: pairs of the batch's positives with the
    batch's and the remembered negatives, and of the remembered positives with the batch's negatives, so that a
    small batch, or one without any positive, still compares. What is remembered gets no gradient, and lags
    behind the network: keep K to some tens of batches. It is filled in training mode only.

    Args:
        surrogate: which ``phi``.
        margin: wished-for distance m of a pair, > 0; the logistic and the sigmoid surrogate have none.
        activation: ``"none"`` compares raw scores, ``"sigmoid"`` sigmoid(score), where a margin up to 1 is in
            reach.
        memory: scores remembered of each class and label, >= 0.
        num_labels: labels that are remembered for; without memory any number fits.

    Attributes:
        remembered: buffer of shape (2, num_labels, memory), positives first, oldest first, NaN where empty.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Gao and Zhou: On the Consistency of AUC Pairwise Optimization, IJCAI 2015, arXiv 1208.0645 (which
        surrogates are consistent; squared hinge and logistic are). Rust and Hocking, arXiv 2302.11062 (squared
        hinge by sorting).

    >>> scores, targets = torch.tensor([2.0, 0.5, 0.0]), torch.tensor([1, 0, 0])
    >>> PairwiseAUCLoss("square")(scores, targets), PairwiseAUCLoss("squared_hinge")(scores, targets)
    (tensor(0.6250), tensor(0.))
    """

    takes_soft_targets: ClassVar[bool] = True
    remembered: Tensor

    def __init__(
        self,
        surrogate: Surrogate = "squared_hinge",
        margin: float = 1.0,
        activation: Activation = "none",
        memory: int = 0,
        num_labels: int = 1,
    ) -> None:
        super().__init__()
        check_choice("surrogate", surrogate, SURROGATES)
        check_margin(margin)
        check_choice("activation", activation, ("sigmoid", "none"))
        if memory < 0 or num_labels < 1:
            raise ValueError(f"memory must be >= 0 and num_labels >= 1, got {memory} and {num_labels}")
        self.surrogate: Surrogate = surrogate
        self.margin = margin
        self.activation: Activation = activation
        self.memory = memory
        self.num_labels = num_labels
        self.register_buffer(
            "remembered", torch.full((2, num_labels, memory), torch.nan), persistent=memory > 0
        )

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Self:
        """Remember for as many labels as the targets have."""
        return cls(**{"num_labels": 1 if targets.ndim == 1 else targets.shape[1], **options})

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Mean over pairs, then over labels."""
        scores, positive, negative = (part.T for part in (_split(columns) if self.soft_targets else columns))
        if not self.memory:
            value = self._sum(scores, class_weights(positive, negative, wide_dtype(scores)))
        else:
            if len(scores) != self.num_labels:
                raise ValueError(f"the memory is for num_labels={self.num_labels}, scores have {len(scores)}")
            value = self._with_memory(scores, positive, negative)
            if self.training:
                self._remember(scores, positive, negative)
        return value.mean() if len(value) else value.sum()

    def columns(self, scores: Tensor, targets: Tensor) -> Columns:
        """Check and activate the scores."""
        columns = super().columns(scores, targets)
        return columns._replace(scores=activate(columns.scores, self.activation))

    def allow_soft_targets(self) -> Self:
        """Accept targets between 0 and 1; raise ValueError with a memory, which keeps the scores of two classes."""
        if self.memory:
            raise ValueError(
                "a memory of positives and negatives needs targets that are 0 or 1, none between"
            )
        return super().allow_soft_targets()

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"surrogate={self.surrogate!r}, margin={self.margin}, activation={self.activation!r}, "
            f"memory={self.memory}, num_labels={self.num_labels}"
        )

    def _sum(self, scores: Tensor, weights: Tensor) -> Tensor:
        return sum_over_pairs(self.surrogate, scores, weights, self.margin)

    def _with_memory(self, scores: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Mean over pairs of the batch's positives with all negatives, and of old positives with the batch's."""
        known = ~self.remembered.isnan()
        old = self.remembered.to(scores).where(known, 0.0)
        none = torch.zeros_like(known[0])
        new_first = torch.stack([torch.cat([positive, none], -1), torch.cat([negative, known[1]], -1)])
        old_first = torch.stack(
            [torch.cat([torch.zeros_like(positive), known[0]], -1), torch.cat([negative, none], -1)]
        )
        members = torch.stack([new_first, old_first]).to(wide_dtype(scores))
        pairs = members.sum(-1).prod(1).sum(0)
        weights = members / pairs.clamp(min=1).sqrt().unsqueeze(-1)
        return self._sum(torch.cat([scores, old[1]], -1), weights[0]) + self._sum(
            torch.cat([scores, old[0]], -1), weights[1]
        )

    @torch.no_grad()
    def _remember(self, scores: Tensor, positive: Tensor, negative: Tensor) -> None:
        """Append the batch in its order, then keep the last entries that hold a score."""
        fresh = torch.stack([scores.where(members, torch.nan) for members in (positive, negative)])
        line = torch.cat([self.remembered, fresh.to(self.remembered)], -1)
        last = line.isnan().logical_not().byte().argsort(dim=-1, stable=True)[..., -self.memory :]
        self.remembered.copy_(line.gather(-1, last))


def _split(columns: Columns) -> Columns:
    """Make of every soft sample a positive and a negative entry with the same score, (2N, L)."""
    scores, positive, negative = columns
    none = torch.zeros_like(scores)
    return Columns(torch.cat([scores, scores]), torch.cat([positive, none]), torch.cat([none, negative]))
