"""Partial AUC with hard limits: conditional value at risk over negatives, and over positives too when two-way."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from medauc.losses.base import Activation
from medauc.losses.ranked_pairs import (
    PairBlocks,
    Surrogate,
    gradient_sums,
    hardest_share,
    joined,
    surely_none,
)
from medauc.losses.sample_state import Batch, SampleStateLoss, Solved


class PartialAUCLoss(SampleStateLoss):
    r"""Surrogate of the partial AUC up to a false-positive rate: the mean loss of the hardest negatives.

    With ``L_ij = phi(h_j - h_i)`` the loss of positive i against negative j, ``beta = max_fpr`` and ``E-``
    the mean over negatives, each positive bears the conditional value at risk of its pairs,

    ``F_i = min over s_i of s_i + E-[max(0, L_ij - s_i)] / beta``,

    the mean of its largest share ``beta`` of losses. The value is the mean of F_i over the positives; with
    ``min_tpr`` it is the mean of the largest share ``1 - min_tpr`` of them, found in the same way by one
    variable s' a label. The minimising s_i is the (1 - beta)-quantile of ``L_ij``. A batch may hold too few
    negatives to tell it, so it is followed across batches: it starts at the batch's own, exactly, and then
    each visit moves it by ``state_lr * (share of L_ij above s_i / beta - 1)``, whose expectation is zero at
    the true quantile however small the batch.

    A label that lacks either class in the batch contributes zero and leaves its states alone. Time and, on
    an accelerator, memory grow with positives times negatives of the batch.

    Args:
        num_samples: size of the training set, >= 1; ``index`` counts in it.
        max_fpr: upper end of the false-positive rate, in (0, 1]; 1 is the whole range.
        min_tpr: lower end of the true-positive rate, in [0, 1); None for one-way partial AUC.
        surrogate: ``"squared_hinge"``, ``"logistic"`` or ``"sigmoid"``, see
            :func:`medauc.losses.ranked_pairs.surrogate_loss`.
        margin: of the squared hinge, > 0; a sigmoid separates two scores by at most 1.
        activation: ``"sigmoid"`` compares sigmoid(score), ``"none"`` the raw score.
        num_labels: number of labels L, >= 1; the value is the mean over them.
        state_lr: step size of s_i and s', >= 0, in units of the pair's loss; 0 keeps their first values.

    Attributes:
        threshold: s_i of each sample and label, buffer of shape (num_samples, L); -1 where never seen.
        positive_threshold: s' of each label, buffer of shape (L,); only with ``min_tpr``.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Zhu, Li, Wang, Wu, Yang: When AUC meets DRO: Optimizing Partial AUC for Deep Learning with Non-Convex
        Convergence Guarantee, ICML 2022, arXiv 2203.00176 (SOPA; two-way SOTA).

    >>> import torch
    >>> loss = PartialAUCLoss(num_samples=5, max_fpr=0.5, activation="none")
    >>> scores, targets = torch.tensor([1.0, 2.0, 0.5, 0.0, -1.0]), torch.tensor([1, 0, 0, 0, 0])
    >>> loss(scores, targets, torch.arange(5))  # the two hardest: (2^2 + 0.5^2) / 2
    tensor(2.1250)
    """

    def __init__(
        self,
        num_samples: int,
        max_fpr: float = 0.3,
        min_tpr: float | None = None,
        surrogate: Surrogate = "squared_hinge",
        margin: float = 1.0,
        activation: Activation = "sigmoid",
        num_labels: int = 1,
        state_lr: float = 0.1,
    ) -> None:
        super().__init__(num_samples, num_labels, surrogate, margin, activation)
        if not 0 < max_fpr <= 1:
            raise ValueError(f"max_fpr must be above 0 and at most 1, got {max_fpr}")
        if min_tpr is not None and not 0 <= min_tpr < 1:
            raise ValueError(f"min_tpr must be at least 0 and below 1, got {min_tpr}")
        if not (state_lr >= 0 and math.isfinite(state_lr)):
            raise ValueError(f"state_lr must be a number >= 0, got {state_lr}")
        self.max_fpr = max_fpr
        self.min_tpr = min_tpr
        self.state_lr = state_lr
        self.add_state("threshold", num_samples, num_labels)
        if min_tpr is not None:
            self.add_state("positive_threshold", num_labels)

    def solve(self, batch: Batch) -> Solved:
        """Risk of each positive at its threshold, and the weights of the pairs beyond it."""
        pairs = PairBlocks(batch.positives.ease, batch.negatives.ease, self.pair_loss)
        size = self.max_fpr * batch.negatives.count
        known = self.recall("threshold", batch)
        unseen = (known < 0) & batch.member
        first = None if surely_none(unseen) else self._first_visit(batch, known, unseen, size)
        threshold = known if first is None else first.threshold
        risk, beyond = _tail(pairs, threshold, size)
        moved = threshold.add(beyond - 1, alpha=self.state_lr).clamp_(min=0)
        self.store("threshold", batch, known, moved if first is None else threshold.where(first.here, moved))
        value, outer = self._over_positives(risk, batch)
        return Solved(value, *gradient_sums(_weighted(pairs, threshold, first, outer, size)))

    def _first_visit(self, batch: Batch, known: Tensor, unseen: Tensor, size: Tensor) -> "_FirstVisit":
        """The minimising s_i of this batch is the loss against the last of the ``size`` hardest negatives."""
        lead = -batch.negatives.ease.gather(1, _last_of(size)) - batch.positives.ease
        own, _ = self.pair_loss(lead)
        share = hardest_share(batch.negatives.ease, size)
        return _FirstVisit(unseen, own.where(unseen, known), share.unsqueeze(1))

    def _over_positives(self, risk: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Value of each label (L,), and weight of each positive in it (L, P)."""
        count = batch.positives.count
        if self.min_tpr is None:
            outer = batch.member / count
            return (risk * outer).sum(1), outer
        risk = risk.where(batch.member, 0.0)
        size = (1 - self.min_tpr) * count
        own = risk.gather(1, _last_of(size))
        known = self.recall_of_labels("positive_threshold", batch)
        threshold = own.where(known < 0, known)
        excess = (risk - threshold).where(batch.member, 0.0)
        beyond = (excess > 0) / size
        moved = (known + self.state_lr * (beyond.sum(1, keepdim=True) - 1)).clamp(min=0)
        self.store_of_labels("positive_threshold", batch, known, own.where(known < 0, moved))
        value = threshold.squeeze(1) + (excess.clamp(min=0) / size).sum(1)
        # A label's first batch is every positive's first visit, whose risk falls with the score: ranks decide.
        outer = hardest_share(batch.positives.ease, size).where(known < 0, beyond)
        return value.where(batch.member[:, 0], 0.0), outer.where(batch.member, 0.0)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        own = f"max_fpr={self.max_fpr}, min_tpr={self.min_tpr}, state_lr={self.state_lr}"
        return f"{super().extra_repr()}, {own}"


class _FirstVisit(NamedTuple):
    """Positives that have no threshold yet.

    Attributes:
        here: which they are, (L, P).
        threshold: this batch's own for them, the known one for others, (L, P).
        share: weight of each negative for them, (L, 1, Q).
    """

    here: Tensor
    threshold: Tensor
    share: Tensor


def _tail(pairs: PairBlocks, threshold: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Value of the inner problem at the threshold, and the share of pairs beyond it over max_fpr; both (L, P)."""
    sums, counts = [], []
    for part, (loss, _) in pairs:
        excess = loss - threshold[:, part].unsqueeze(2)
        counts.append((excess > 0).sum(2))
        sums.append(excess.clamp(min=0).sum(2))
    return threshold + joined(sums) / size, joined(counts) / size


def _weighted(
    pairs: PairBlocks, threshold: Tensor, first: _FirstVisit | None, outer: Tensor, size: Tensor
) -> Iterator[Tensor]:
    """Weight times slope of the pairs: beyond a known threshold all alike, at a first visit by rank.

    The two agree but for pairs that equal the threshold, where ranks find the one subgradient at which it is
    optimal: a batch with fewer than 1 / max_fpr negatives has all its weight there.
    """
    each = outer / size
    for part, (loss, slope) in pairs:
        beyond = slope * (loss > threshold[:, part].unsqueeze(2))
        if first is not None:
            ranked = slope * (first.share * size.unsqueeze(2))
            beyond = ranked.where(first.here[:, part].unsqueeze(2), beyond)
        yield beyond * each[:, part].unsqueeze(2)


def _last_of(size: Tensor) -> Tensor:
    """Slot of the last among the ``size`` hardest, (L, 1); size > 0 need not be whole."""
    return size.ceil().long() - 1
