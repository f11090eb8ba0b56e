"""The AUC-margin loss at weights that one step of cross-entropy looked ahead to."""

from typing import Any, Literal

from torch import Tensor

from medauc.losses.aucm import AUCMLoss
from medauc.losses.base import Loss, MinMaxLoss, as_columns
from medauc.losses.cross_entropy import CrossEntropyLoss
from medauc.losses.distributed import gather_batch, has_process_group, is_distributed
from medauc.losses.multilabel_aucm import MultiLabelAUCMLoss

Phase = Literal["inner", "outer"]

_cross_entropy = CrossEntropyLoss()  # has no state


class Compositional(MinMaxLoss):
    """Makes a min-max loss the outer one of a composition whose inner one is cross-entropy.

    Attributes:
        phase: what the loss is in training mode: ``"inner"``, the cross-entropy of the raw scores, or
            ``"outer"``, the AUC loss. :class:`medauc.optim.PDSCA` sets it. In evaluation mode the loss is
            the outer one.
    """

    phase: Phase = "inner"

    def forward(self, scores: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Cross-entropy or AUC loss of one batch, as :attr:`phase` says; arguments as for every loss."""
        if self.phase == "outer" or not self.training:
            return super().forward(scores, targets, index)
        if is_distributed():
            scores, targets, _ = gather_batch(scores, targets, None)
        columns = as_columns(scores, targets, self.soft_targets)
        self.check_labels(columns)
        value = _cross_entropy.value(columns, None)
        if not has_process_group():
            return value
        # Zero, but it gives a, b and alpha the gradient that DistributedDataParallel waits for.
        return value + 0.0 * sum(parameter.sum().to(value) for parameter in self.parameters())


class CompositionalAUCLoss(Compositional, AUCMLoss):
    r"""Compositional AUC loss: the AUC-margin loss after a step of cross-entropy.

    The objective is ``L_AUC(w - inner_lr grad L_CE(w))`` over the network's weights w, where ``L_AUC`` is
    :class:`~medauc.losses.AUCMLoss` and ``L_CE`` the mean binary cross-entropy: cross-entropy shapes the
    features, the AUC loss the ranking, in one training. A module sees scores and never weights, so it is
    given in two phases: cross-entropy of the scores at w, then the AUC loss of the scores at the weights
    ahead. :class:`medauc.optim.PDSCA` moves the weights and sets ``phase``.

    Args:
        margin: as in AUCMLoss.
        version: as in AUCMLoss; ``"v2"`` with class-balanced batches.
        prevalence: as in AUCMLoss.
        activation: as in AUCMLoss; cross-entropy always takes the raw score.

    Attributes:
        phase: ``"inner"`` (cross-entropy) or ``"outer"`` (AUC loss); evaluation mode is always the AUC loss.
        a: scalar parameter, estimates E+[h].
        b: scalar parameter, estimates E-[h].
        alpha: scalar dual parameter, estimates max(0, m + b - a).

    Raises:
        ValueError: an argument out of range.

    Reference:
        Yuan, Guo, Chawla, Yang: Compositional Training for End-to-End Deep AUC Maximization, ICLR 2022.

    >>> import torch
    >>> loss = CompositionalAUCLoss(version="v2", activation="none")
    >>> scores, targets = torch.tensor([2.0, -1.0, 0.0]), torch.tensor([1, 0, 0])
    >>> loss(scores, targets)
    tensor(0.3778)
    >>> loss.phase = "outer"
    >>> loss(scores, targets).item()
    4.5
    """

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Loss:
        """Several columns make a MultiLabelCompositionalAUCLoss."""
        if targets.ndim == 2 and targets.shape[1] > 1:
            return MultiLabelCompositionalAUCLoss.for_targets(targets, **options)
        return super().for_targets(targets, **options)


class MultiLabelCompositionalAUCLoss(Compositional, MultiLabelAUCMLoss):
    """The compositional loss for several labels: cross-entropy and AUC loss are means over the labels.

    Arguments are those of :class:`~medauc.losses.MultiLabelAUCMLoss`, phases those of
    :class:`CompositionalAUCLoss`.

    >>> import torch
    >>> loss = MultiLabelCompositionalAUCLoss(num_labels=2)
    >>> loss(torch.zeros(3, 2), torch.tensor([[1, -1], [0, -1], [0, 1]])).item()
    0.6931...
    """
