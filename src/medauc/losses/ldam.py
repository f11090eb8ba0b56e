"""Label-distribution-aware margin loss with masked targets: rare classes get wider margins."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from medauc.losses.base import Columns, Loss
from medauc.losses.cross_entropy import (
    balanced_positive_weight,
    checked_weight,
    mean_of_known,
    weight_of,
)


class LDAMLoss(Loss):
    r"""LDAM loss of raw scores, averaged over the known targets of all labels.

    A class of ``n`` training samples gets the margin ``C n^(-1/4)``, with C such that the wider one of each
    label is ``max_margin``; a sample adds the cross-entropy of ``scale`` times its score after the score was
    moved by that margin towards the wrong side. With one score h a sample (in the paper: the difference of two
    logits) that is ``log(1 + exp(-scale (h - margin+)))`` for a positive and
    ``log(1 + exp(scale (h + margin-)))`` for a negative.

    For deferred re-weighting train without ``positive_weight`` first, then assign a tensor to
    ``loss.positive_weight``; it is not part of ``state_dict``.

    Args:
        positives: number of positives in the training set, or L numbers, one a label, each >= 0.
        negatives: number of negatives, likewise.
        max_margin: margin of the rarer class, > 0, in units of the scores.
        scale: factor on the scores, > 0. The paper's 30 is for scores bounded by 1 (cosines); raw scores find
            a scale by themselves, and with 1 start as cross-entropy does.
        positive_weight: as in :class:`~medauc.losses.CrossEntropyLoss`.

    Attributes:
        margins: buffer of shape (2, L), of positives and of negatives.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Cao, Wei, Gaidon, Arechiga, Ma: Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss,
        NeurIPS 2019, arXiv 1906.07413, equations 10 to 13.

    >>> loss = LDAMLoss(positives=1, negatives=16)
    >>> loss.margins
    tensor([[0.5000],
            [0.2500]])
    >>> loss(torch.tensor([0.5]), torch.tensor([1]))
    tensor(0.6931)
    """

    margins: Tensor
    positive_weight: Tensor | None

    def __init__(
        self,
        positives: float | Sequence[float] | Tensor,
        negatives: float | Sequence[float] | Tensor,
        max_margin: float = 0.5,
        scale: float = 1.0,
        positive_weight: float | Tensor | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("max_margin", max_margin), ("scale", scale)):
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be a positive number, got {value}")
        self.max_margin = float(max_margin)
        self.scale = float(scale)
        self.register_buffer("margins", _margins(positives, negatives) * max_margin, persistent=False)
        self.register_buffer("positive_weight", checked_weight(positive_weight), persistent=False)

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Loss:
        """Count the classes; ``positive_weight="balanced"`` as in CrossEntropyLoss.

        >>> LDAMLoss.for_targets(torch.tensor([[0, 1], [0, 0], [1, -1]])).margins.shape
        torch.Size([2, 2])
        """
        if options.get("positive_weight") == "balanced":
            options["positive_weight"] = balanced_positive_weight(targets)
        columns = targets.unsqueeze(1) if targets.ndim == 1 else targets
        return cls(**{"positives": (columns == 1).sum(0), "negatives": (columns == 0).sum(0), **options})

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Mean LDAM loss of the known targets, in nats."""
        if self.margins.shape[1] not in (1, columns.scores.shape[1]):
            raise ValueError(
                f"LDAMLoss was made for {self.margins.shape[1]} labels, scores have {columns.scores.shape[1]}"
            )
        of_positives, of_negatives = self.margins.to(columns.scores)
        moved = columns.scores + of_negatives.where(columns.negative, -of_positives)
        entropy = functional.binary_cross_entropy_with_logits(
            self.scale * moved,
            columns.positive.to(columns.scores.dtype),
            pos_weight=weight_of("positive_weight", self.positive_weight, columns),
            reduction="none",
        )
        return mean_of_known(entropy, columns)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return f"margins={self.margins.tolist()}, scale={self.scale}"


def _margins(
    positives: float | Sequence[float] | Tensor, negatives: float | Sequence[float] | Tensor
) -> Tensor:
    """Margins n^(-1/4) of both classes, shape (2, L), the wider one of each label 1; an absent class counts as one."""
    counts = torch.stack(
        [torch.as_tensor(count, dtype=torch.float32).reshape(-1) for count in (positives, negatives)]
    )
    if not ((counts >= 0) & counts.isfinite()).all():
        raise ValueError(f"positives and negatives must be counts >= 0, got {counts.tolist()}")
    margins = counts.clamp(min=1) ** -0.25
    return margins / margins.amax(dim=0)
