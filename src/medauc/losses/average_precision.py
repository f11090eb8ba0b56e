"""Average precision, smoothed: for each positive, the share of positives among the samples ranked above it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from medauc.losses.aucm import check_prevalence
from medauc.losses.base import Activation, Columns
from medauc.losses.ranked_pairs import Ranked, Surrogate, hardest_first, spread
from medauc.losses.sample_state import SampleStateLoss, Solved, check_rate


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
            given = (prevalence,) * num_labels if isinstance(prevalence, float) else prevalence
            self.prevalence = tuple(check_prevalence(share) for share in given)
            if len(given) != num_labels:
                raise ValueError(f"prevalence must hold {num_labels} numbers, one a label, got {len(given)}")
        self.add_state("u_positive", num_samples, num_labels)
        self.add_state("u_all", num_samples, num_labels)

    def solve(self, columns: Columns, index: Tensor | None) -> Solved:
        """Value and gradient of each label."""
        positives = hardest_first(columns.scores, columns.positive, positive=True)
        negatives = hardest_first(columns.scores, columns.negative, positive=False)
        member = positives.valid & (negatives.count > 0)
        slots = positives.scores.shape[1]
        partners = positives.scores.where(positives.valid, -torch.inf)
        pairs = self.pairs(positives.scores, torch.cat([partners, negatives.scores], 1))
        share = self._shares(positives, negatives).unsqueeze(1)

        among_positives, among_all = [], []
        for _, loss, _ in pairs:
            loss = loss * share
            among_positives.append(loss[..., :slots].sum(2))
            among_all.append(loss.sum(2))
        u_positive = self._average("u_positive", index, positives, torch.cat(among_positives, 1))
        u_all = self._average("u_all", index, positives, torch.cat(among_all, 1))
        if index is not None and self.stores(columns.scores):
            self.store("u_positive", index, positives, u_positive, member)
            self.store("u_all", index, positives, u_all, member)

        count = positives.count.clamp(min=1)
        u_all = u_all.where(member, 1.0)
        precision = u_positive / u_all
        value = ((1 - precision) / count).where(member, 0.0).sum(1)
        raise_all = (precision / u_all / count).where(member, 0.0)
        raise_positive = ((precision - 1) / u_all / count).where(member, 0.0)
        by_row, by_positive, by_negative = [], [], []
        for part, _, slope in pairs:
            weight = slope * share
            up = weight[..., :slots].mul_(raise_positive[:, part].unsqueeze(2))
            down = weight[..., slots:].mul_(raise_all[:, part].unsqueeze(2))
            by_row.append(-weight.sum(2))
            by_positive.append(up.sum(1))
            by_negative.append(down.sum(1))
        rows = len(columns.scores)
        on_positives = torch.cat(by_row, 1) + torch.stack(by_positive).sum(0)
        gradient = spread(positives, on_positives, rows)
        return Solved(value, gradient + spread(negatives, torch.stack(by_negative).sum(0), rows))

    def _average(self, name: str, index: Tensor | None, positives: Ranked, batch: Tensor) -> Tensor:
        """Moving average of a count, started at the batch's own where never seen."""
        old = self.recall(name, index, positives)
        return batch.where(old < 0, (1 - self.gamma) * old + self.gamma * batch)

    def _shares(self, positives: Ranked, negatives: Ranked) -> Tensor:
        """Weight of each partner in the counts, (L, P + Q): positives first; each class adds up to its share."""
        count, others = positives.count.clamp(min=1), negatives.count.clamp(min=1)
        if self.prevalence is None:
            prevalence = count / (count + others)
        else:
            # new_full, since new_tensor copies from the host and waits for the device.
            prevalence = torch.cat([count.new_full((1, 1), share) for share in self.prevalence])
        return torch.cat(
            [
                (prevalence / count).where(positives.valid, 0.0),
                ((1 - prevalence) / others).where(negatives.valid, 0.0),
            ],
            1,
        )
