"""Focal loss with masked targets: cross-entropy that looks away from samples which are right already."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from medauc.losses.aucm import prevalence_of
from medauc.losses.base import Columns, Loss
from medauc.losses.cross_entropy import mean_of_known, refuse_word, weight_of


class FocalLoss(Loss):
    r"""Focal loss of raw scores, averaged over the known targets of all labels.

    With ``p`` the sigmoid of the score for a positive, one minus it for a negative, each sample adds
    ``-weight (1 - p)^gamma log p``; ``gamma = 0`` without alpha is the cross-entropy. (The paper divides by the
    number of positives, since it has about 100,000 negatives in one image.)

    Args:
        gamma: how fast samples that are right fade, >= 0.
        alpha: weight of a positive, in (0, 1); a negative weighs ``1 - alpha``. One number, or a tensor of
            shape (L,) with one a label. None weighs both by one.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Lin, Goyal, Girshick, He, Dollar: Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002,
        equation 5.

    >>> loss, scores = FocalLoss(gamma=2.0), torch.tensor([0.0, 3.0])
    >>> loss(scores[:1], torch.tensor([1])), loss(scores[1:], torch.tensor([1]))
    (tensor(0.1733), tensor(0.0001))
    """

    alpha: Tensor | None

    def __init__(self, gamma: float = 2.0, alpha: float | Tensor | None = None) -> None:
        super().__init__()
        if not 0 <= gamma < float("inf"):
            raise ValueError(f"gamma must be >= 0, got {gamma}")
        self.gamma = float(gamma)
        refuse_word("alpha", alpha)
        weight = None if alpha is None else torch.as_tensor(alpha, dtype=torch.float32).detach().clone()
        if weight is not None and not ((weight > 0) & (weight < 1)).all():
            raise ValueError(f"alpha must lie strictly between 0 and 1, got {weight.tolist()}")
        self.register_buffer("alpha", weight, persistent=False)

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Loss:
        """``alpha="balanced"`` gives both classes of each label equal weight: alpha is the share of negatives.

        >>> FocalLoss.for_targets(torch.tensor([0, 0, 0, 1]), alpha="balanced").alpha
        tensor([0.7500])
        """
        if options.get("alpha") == "balanced":
            options["alpha"] = 1 - torch.tensor(prevalence_of(targets))
        return cls(**options)

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Mean focal loss of the known targets, in nats."""
        towards_truth = columns.scores.where(columns.positive, -columns.scores)
        values = -functional.logsigmoid(towards_truth)
        if self.gamma >= 1:
            values = values * (-towards_truth).sigmoid() ** self.gamma
        elif self.gamma > 0:  # by the logarithm, since this power's slope is infinite at p = 1
            values = values * (self.gamma * functional.logsigmoid(-towards_truth)).exp()
        alpha = weight_of("alpha", self.alpha, columns)
        if alpha is not None:
            values = values * alpha.where(columns.positive, 1 - alpha)
        return mean_of_known(values, columns)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return f"gamma={self.gamma}, alpha={None if self.alpha is None else self.alpha.tolist()}"
