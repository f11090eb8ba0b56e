"""Partial AUC with hard limits: conditional value at risk over negatives, and over positives too when two-way."""

import math

import torch
from torch import Tensor

from medauc.losses.base import Activation, Columns
from medauc.losses.ranked_pairs import Ranked, Surrogate, hardest_first, hardest_share, spread, surrogate_loss
from medauc.losses.sample_state import SampleStateLoss, Solved


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

    def solve(self, columns: Columns, index: Tensor | None) -> Solved:
        """Value and gradient of each label."""
        positives = hardest_first(columns.scores, columns.positive, positive=True)
        negatives = hardest_first(columns.scores, columns.negative, positive=False)
        member = positives.valid & (negatives.count > 0)
        size = self.max_fpr * negatives.count.clamp(min=1)
        exact = self._exact_threshold(positives, negatives, size)
        known = self.recall("threshold", index, positives)
        fresh = known < 0
        threshold = exact.where(fresh, known)

        pairs = self.pairs(positives.scores, negatives.scores)
        tail, above = [], []
        for part, loss, _ in pairs:
            excess = loss - threshold[:, part].unsqueeze(2)
            above.append((excess > 0).sum(2))
            tail.append(excess.clamp_(min=0).sum(2))
        risk = threshold + torch.cat(tail, 1) / size
        overshoot = torch.cat(above, 1) / size - 1

        value, outer = self._over_positives(risk, member, positives, self.stores(columns.scores))
        if index is not None and self.stores(columns.scores):
            moved = (threshold + self.state_lr * overshoot).clamp(min=0)
            self.store("threshold", index, positives, exact.where(fresh, moved), member)

        share = hardest_share(-negatives.scores, size).unsqueeze(1)
        by_positive, by_negative = [], []
        for part, loss, slope in pairs:
            inner = (loss > threshold[:, part].unsqueeze(2)) / size.unsqueeze(2)
            weight = share.where(fresh[:, part].unsqueeze(2), inner) * outer[:, part].unsqueeze(2) * slope
            by_positive.append(-weight.sum(2))
            by_negative.append(weight.sum(1))
        rows = len(columns.scores)
        gradient = spread(positives, torch.cat(by_positive, 1), rows)
        return Solved(value, gradient + spread(negatives, torch.stack(by_negative).sum(0), rows))

    def _exact_threshold(self, positives: Ranked, negatives: Ranked, size: Tensor) -> Tensor:
        column = (size.ceil().long() - 1).clamp(min=0)
        lead = negatives.scores.gather(1, column) - positives.scores
        return surrogate_loss(lead, self.surrogate, self.margin)[0]

    def _over_positives(
        self, risk: Tensor, member: Tensor, positives: Ranked, store: bool
    ) -> tuple[Tensor, Tensor]:
        count = positives.count.clamp(min=1)
        risk = risk.where(member, 0.0)
        if self.min_tpr is None:
            return risk.sum(1) / count.squeeze(1), member / count
        size = (1 - self.min_tpr) * count
        column = (size.ceil().long() - 1).clamp(min=0)
        exact = risk.gather(1, column)
        state = self.get_buffer("positive_threshold")
        known = state.unsqueeze(1).to(risk.dtype)
        fresh = known < 0
        threshold = exact.where(fresh, known)
        excess = (risk - threshold).where(member, 0.0)
        above = excess > 0
        value = threshold.squeeze(1) + excess.clamp(min=0).sum(1) / size.squeeze(1)
        share = hardest_share(positives.scores, size)
        outer = (share.where(fresh, above / size)).where(member, 0.0)
        live = member.any(1)
        if store:
            moved = (threshold + self.state_lr * (above.sum(1, keepdim=True) / size - 1)).clamp(min=0)
            updated = exact.where(fresh, moved).squeeze(1).to(state.dtype)
            state.copy_(updated.where(live, state))
        return value.where(live, 0.0), outer
