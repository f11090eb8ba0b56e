"""Average precision, smoothed: for each positive, the share of positives among the samples ranked above it."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from medauc.losses.aucm import check_prevalence, prevalence_of
from medauc.losses.base import Activation
from medauc.losses.ranked_pairs import PairBlocks, Surrogate, gradient_sums, joined
from medauc.losses.sample_state import Batch, SampleStateLoss, Solved, check_rate


class AveragePrecisionLoss(SampleStateLoss):
    r"""One minus a smoothed average precision (SOAP); over several labels, one minus its mean.

    With ``l_ij = phi(h_j - h_i)`` a smooth count of sample j ranked above positive i, ``p`` the prevalence
    and ``E+``, ``E-`` the means over positives and negatives j (i itself included), the value is the mean
    over the positives i of ``1 - u1_i / u2_i``, where

    * ``u1_i = p E+[l_ij]`` counts the positives above i, ``u2_i = u1_i + (1 - p) E-[l_ij]`` all samples;
    * both are moving averages over the batches that hold i, ``u <- (1 - gamma) u + gamma u_batch``;
    * the gradient is that of ``u1_i / u2_i`` with the averages in place of the batch's counts.

    A label that lacks either class in the batch contributes zero and leaves its states alone. Time and, on
    an accelerator, memory grow with positives times samples of the batch.

    Args:
        num_samples: size of the training set, >= 1; ``index`` counts in it.
        prevalence: share of positives in (0, 1) at which precision is meant: one number for all labels or one
            a label; None takes the share found in each batch. Give that of the training set when batches are
            class-balanced: precision depends on it.
        surrogate: ``"squared_hinge"``, ``"logistic"`` or ``"sigmoid"``, see
            :func:`medauc.losses.ranked_pairs.surrogate_loss`.
        margin: of the squared hinge, > 0; a sigmoid separates two scores by at most 1.
        activation: ``"sigmoid"`` compares sigmoid(score), ``"none"`` the raw score.
        num_labels: number of labels L, >= 1.
        gamma: weight of the batch in the moving averages, in (0, 1]; 1 keeps no memory.

    Attributes:
        u_positive: u1 of each sample and label, buffer of shape (num_samples, L); -1 where never seen.
        u_all: u2, likewise.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Qi, Luo, Xu, Ji, Yang: Stochastic Optimization of Areas Under Precision-Recall Curves with Provable
        Convergence, NeurIPS 2021, arXiv 2104.08736 (there ``p`` is the batch's share, and one label).

    >>> loss = AveragePrecisionLoss(num_samples=3, activation="none")
    >>> value = loss(torch.tensor([1.0, 0.5, 0.0]), torch.tensor([1, 0, 1]), torch.arange(3))
    >>> print(f"{value:.4f}")  # 1 - (1 / 1.25 + 5 / 7.25) / 2
    0.2552
    """

    def __init__(
        self,
        num_samples: int,
        prevalence: float | Sequence[float] | None = None,
        surrogate: Surrogate = "squared_hinge",
        margin: float = 1.0,
        activation: Activation = "sigmoid",
        num_labels: int = 1,
        gamma: float = 0.9,
    ) -> None:
        super().__init__(num_samples, num_labels, surrogate, margin, activation)
        self.gamma = check_rate("gamma", gamma)
        self.prevalence: tuple[float, ...] | None = None
        if prevalence is not None:
            given = tuple(prevalence) if isinstance(prevalence, Iterable) else (prevalence,) * num_labels
            self.prevalence = tuple(check_prevalence(share) for share in given)
            if len(given) != num_labels:
                raise ValueError(f"prevalence must hold {num_labels} numbers, one a label, got {len(given)}")
        self.add_state("u_positive", num_samples, num_labels)
        self.add_state("u_all", num_samples, num_labels)

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Self:
        """Take the numbers of samples and labels, and the prevalence of each, from the targets.

        >>> AveragePrecisionLoss.for_targets(torch.tensor([0, 0, 0, 1])).prevalence
        (0.25,)
        """
        return super().for_targets(targets, **{"prevalence": prevalence_of(targets), **options})

    def solve(self, batch: Batch) -> Solved:
        """Averages u1 and u2, and the weights of the pairs under them."""
        positives, negatives = batch.positives, batch.negatives
        slots = positives.ease.shape[1]
        partners = (-positives.ease).where(positives.valid, math.inf)
        partners = torch.cat([partners, negatives.ease], 1)
        pairs = PairBlocks(positives.ease, partners, self.pair_loss)
        share = self._shares(batch).unsqueeze(1)
        u_positive, u_all = self._averages(*_counts(pairs, share, slots), batch)

        per_positive = batch.member / positives.number
        precision = u_positive / u_all
        value = (per_positive - precision * per_positive).sum(1)
        # Derivatives of the value by l_ij, but for share_j: precision falls with a negative above i ...
        scale = (per_positive / u_all).unsqueeze(2)
        for_negative = precision.unsqueeze(2) * scale
        for_positive = for_negative - scale  # ... and rises with a positive.

        def weighted() -> Iterator[Tensor]:
            for part, (_, slope) in pairs:
                weight = slope * share
                weight[..., :slots].mul_(for_positive[:, part])
                weight[..., slots:].mul_(for_negative[:, part])
                yield weight

        by_positive, by_partner = gradient_sums(weighted())
        return Solved(value, by_positive + by_partner[:, :slots], by_partner[:, slots:])

    def _averages(self, positive: Tensor, total: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """u1 and u2 with this batch in them, (L, P); u2 is 1 where there is no positive."""
        known_positive, known_all = self.recall("u_positive", batch), self.recall("u_all", batch)
        unseen = known_all < 0
        u_positive = positive.where(unseen, known_positive.lerp(positive, self.gamma))
        u_all = total.where(unseen, known_all.lerp(total, self.gamma))
        self.store("u_positive", batch, known_positive, u_positive)
        self.store("u_all", batch, known_all, u_all)
        return u_positive, u_all.where(batch.member, 1.0)

    def _shares(self, batch: Batch) -> Tensor:
        """Weight of each partner in the counts, (L, P + Q), positives first: each class adds up to its share."""
        positives, negatives = batch.positives, batch.negatives
        if self.prevalence is None:
            return torch.cat([positives.valid, negatives.valid], 1) / (positives.number + negatives.number)
        # new_full, since new_tensor copies from the host and waits for the device.
        prevalence = torch.cat([positives.number.new_full((1, 1), share) for share in self.prevalence])
        of_positive = positives.valid * (prevalence / positives.number)
        return torch.cat([of_positive, negatives.valid * ((1 - prevalence) / negatives.number)], 1)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return f"{super().extra_repr()}, prevalence={self.prevalence}, gamma={self.gamma}"


def _counts(pairs: PairBlocks, share: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """Smooth share of samples that are positive and above each positive, and of all above it; both (L, P)."""
    of_positives, of_all = [], []
    for _, (loss, _) in pairs:
        counted = loss * share
        of_positives.append(counted[..., :slots].sum(2))
        of_all.append(counted.sum(2))
    return joined(of_positives), joined(of_all)
