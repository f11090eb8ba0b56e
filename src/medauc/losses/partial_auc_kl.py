"""Partial AUC with soft limits: a KL-regularised worst case over negatives, and over positives too when two-way."""

import math
from functools import partial

import torch
from torch import Tensor

from medauc.losses.base import Activation
from medauc.losses.ranked_pairs import PairBlocks, Surrogate, gradient_sums, joined
from medauc.losses.sample_state import Batch, SampleStateLoss, Solved, check_rate


class PartialAUCKLLoss(SampleStateLoss):
    r"""Smooth surrogate of the partial AUC: negatives weigh more the harder they are, without a sharp limit.

    With ``L_ij = phi(h_j - h_i)`` the loss of positive i against negative j and ``E+``, ``E-`` the means over
    positives and negatives, the value is

    * one-way (SOPA-s): ``E+[lambda log u_i]`` with ``u_i = E-[exp(L_ij / lambda)]``, the worst case over
      distributions of negatives, less lambda times their Kullback-Leibler distance from the uniform one;
    * two-way (SOTA-s): ``lambda' log v`` with ``v = E+[u_i^(lambda / lambda')]``, the same over positives.

    ``u_i`` and ``v`` are moving averages over batches, kept as logarithms so that nothing overflows:
    ``u <- (1 - gamma) u + gamma u_batch``, started at the batch's own. A pair weighs ``exp(L_ij / lambda) / u_i``.
    Small temperatures look at the hardest samples only, large ones approach the mean over all pairs.

    A label that lacks either class in the batch contributes zero and leaves its states alone. Time and, on
    an accelerator, memory grow with positives times negatives of the batch.

    Args:
        num_samples: size of the training set, >= 1; ``index`` counts in it.
        temperature: lambda, > 0, in units of the pair's loss.
        positive_temperature: lambda', > 0; None for one-way partial AUC.
        surrogate: ``"squared_hinge"``, ``"logistic"`` or ``"sigmoid"``, see
            :func:`medauc.losses.ranked_pairs.surrogate_loss`.
        margin: of the squared hinge, > 0; a sigmoid separates two scores by at most 1.
        activation: ``"sigmoid"`` compares sigmoid(score), ``"none"`` the raw score.
        num_labels: number of labels L, >= 1; the value is the mean over them.
        gamma: weight of the batch in the moving averages, in (0, 1]; 1 keeps no memory.

    Attributes:
        log_u: logarithm of u_i of each sample and label, buffer of shape (num_samples, L); -1 where never
            seen.
        log_v: logarithm of v of each label, buffer of shape (L,); only with ``positive_temperature``.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Zhu, Li, Wang, Wu, Yang: When AUC meets DRO: Optimizing Partial AUC for Deep Learning with Non-Convex
        Convergence Guarantee, ICML 2022, arXiv 2203.00176 (SOPA-s; two-way SOTA-s).

    >>> loss = PartialAUCKLLoss(num_samples=3, temperature=0.1, activation="none")
    >>> scores, targets = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1, 0, 0])
    >>> loss(scores, targets, torch.arange(3))  # nearly the largest of 4 and 0: 4 - 0.1 log 2
    tensor(3.9307)
    """

    def __init__(
        self,
        num_samples: int,
        temperature: float = 1.0,
        positive_temperature: float | None = None,
        surrogate: Surrogate = "squared_hinge",
        margin: float = 1.0,
        activation: Activation = "sigmoid",
        num_labels: int = 1,
        gamma: float = 0.9,
    ) -> None:
        super().__init__(num_samples, num_labels, surrogate, margin, activation)
        for name, value in (("temperature", temperature), ("positive_temperature", positive_temperature)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be a positive number, got {value}")
        self.temperature = temperature
        self.positive_temperature = positive_temperature
        self.gamma = check_rate("gamma", gamma)
        self.add_state("log_u", num_samples, num_labels)
        if positive_temperature is not None:
            self.add_state("log_v", num_labels)

    def solve(self, batch: Batch) -> Solved:
        """Averages u and v, and the weights of the pairs under them."""
        positives, negatives = batch.positives, batch.negatives
        pairs = PairBlocks(
            positives.ease, negatives.ease, partial(self._powers, negatives.valid.unsqueeze(1))
        )
        sums, hardest = zip(*((power.sum(2), top.squeeze(2)) for _, (power, _, top) in pairs), strict=True)
        total = joined(sums).where(batch.member, 1.0)
        mean = (total / negatives.count).log().add_(joined(hardest), alpha=1 / self.temperature)
        known = self.recall("log_u", batch)
        log_u = moving_average(known, mean, self.gamma)
        self.store("log_u", batch, known, log_u)
        value, outer = self._over_positives(log_u, batch)
        # exp(L_ij / lambda) / u_i is a power over their total, times n-, times a batch's mean over u_i.
        each = (outer * self._bounded_ratio(mean, log_u) / total).unsqueeze(2)
        return Solved(
            value, *gradient_sums(power * slope * each[:, part] for part, (power, slope, _) in pairs)
        )

    def _powers(self, valid: Tensor, lead: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``exp(L_ij / lambda)`` over that of the row's hardest negative, the first; slope; loss of the first."""
        loss, slope = self.pair_loss(lead)
        hardest = loss[..., :1]
        return ((loss - hardest) / self.temperature).exp_().mul_(valid), slope, hardest

    def _over_positives(self, log_u: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Value of each label (L,), and weight of each positive in it (L, P)."""
        if self.positive_temperature is None:
            outer = batch.member / batch.positives.count
            return self.temperature * (log_u * outer).sum(1), outer
        # The lowest number rather than -inf: a label without members has finite weights, on pairs of no slope.
        lowest = torch.finfo(log_u.dtype).min
        exponent = (log_u * (self.temperature / self.positive_temperature)).where(batch.member, lowest)
        mean = exponent.logsumexp(1, keepdim=True) - batch.positives.count.log()
        known = self.recall_of_labels("log_v", batch)
        log_v = moving_average(known, mean, self.gamma)
        self.store_of_labels("log_v", batch, known, log_v)
        value = (self.positive_temperature * log_v).where(batch.member[:, :1], 0.0)
        return value.squeeze(1), exponent.softmax(1) * self._bounded_ratio(mean, log_v)

    def _bounded_ratio(self, log_part: Tensor, log_average: Tensor) -> Tensor:
        """Ratio of a batch's value to the average that holds gamma of it; the bound only stops rounding."""
        return (log_part - log_average).exp().clamp(max=1 / self.gamma)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        own = f"temperature={self.temperature}, positive_temperature={self.positive_temperature}"
        return f"{super().extra_repr()}, {own}, gamma={self.gamma}"


def moving_average(old: Tensor, new: Tensor, gamma: float) -> Tensor:
    """Logarithm of ``(1 - gamma) exp(old) + gamma exp(new)``; ``new`` where the old is negative: never seen."""
    if gamma == 1:
        return new
    mixed = torch.logaddexp(old + math.log1p(-gamma), new + math.log(gamma))
    return new.where(old < 0, mixed)
