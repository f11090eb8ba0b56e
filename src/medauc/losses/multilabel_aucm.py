"""The AUC-margin loss for several labels at once."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from medauc.losses.aucm import (
    Version,
    aucm_moments,
    aucm_saddle_point,
    aucm_value,
    check_margin,
    check_prevalence,
)
from medauc.losses.base import (
    Activation,
    Columns,
    Loss,
    MinMaxLoss,
    SaddlePoint,
    activate,
    check_choice,
)


class MultiLabelAUCMLoss(MinMaxLoss):
    """Mean over the labels of :class:`~medauc.losses.AUCMLoss`, each label with its own a, b and alpha.

    Unknown targets (-1 or NaN) are masked. A label that no sample of the batch knows contributes zero; the
    sum is divided by ``num_labels`` all the same, so a label's gradient depends on no other label.

    Args:
        num_labels: number of labels L, >= 1.
        margin: as in AUCMLoss, the same for all labels.
        version: as in AUCMLoss.
        prevalence: share of positives of every label, L numbers in (0, 1), used by v1; None takes the
            batch's. As in AUCMLoss it must be that of the batches, such as ``sampler.prevalence``.
        activation: as in AUCMLoss.

    Attributes:
        a: parameter of shape (L,), estimates E+[h] of each label.
        b: parameter of shape (L,), estimates E-[h] of each label.
        alpha: dual parameter of shape (L,), estimates max(0, m + b - a) of each label.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Yuan, Yan, Sonka, Yang: Large-scale Robust Deep AUC Maximization: A New Surrogate Loss and Empirical
        Studies on Medical Image Classification, ICCV 2021, arXiv 2012.03173 (there for one label).

    >>> loss = MultiLabelAUCMLoss(num_labels=2, version="v2", activation="none")
    >>> loss(torch.tensor([[2.0, 9.0], [-1.0, 9.0]]), torch.tensor([[1, -1], [0, -1]])).item()
    2.5
    """

    shares: Tensor | None
    takes_soft_targets: ClassVar[bool] = True
    primal_names: ClassVar[tuple[str, ...]] = ("a", "b")
    dual_names: ClassVar[tuple[str, ...]] = ("alpha",)

    def __init__(
        self,
        num_labels: int,
        margin: float = 1.0,
        version: Version = "v1",
        prevalence: Sequence[float] | None = None,
        activation: Activation = "sigmoid",
    ) -> None:
        super().__init__()
        if num_labels < 1:
            raise ValueError(f"num_labels must be at least 1, got {num_labels}")
        check_margin(margin)
        check_choice("version", version, ("v1", "v2"))
        check_choice("activation", activation, ("sigmoid", "none"))
        self.num_labels = num_labels
        self.margin = margin
        self.version: Version = version
        self.activation: Activation = activation
        if isinstance(prevalence, float):
            raise ValueError(
                f"prevalence must hold {num_labels} numbers, one a label, got the number {prevalence}"
            )
        self.prevalence = None if prevalence is None else tuple(check_prevalence(p) for p in prevalence)
        if self.prevalence is not None and len(self.prevalence) != num_labels:
            raise ValueError(
                f"prevalence must hold {num_labels} numbers, one a label, got {len(self.prevalence)}"
            )
        shares = None if self.prevalence is None else torch.tensor(self.prevalence)
        self.register_buffer("shares", shares, persistent=False)  # on the device, where no step waits for it
        self.a = nn.Parameter(torch.zeros(num_labels))
        self.b = nn.Parameter(torch.zeros(num_labels))
        self.alpha = nn.Parameter(torch.zeros(num_labels))

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Loss:
        """Take the number of labels from the targets; the prevalence, which is the sampler's, stays open."""
        return cls(**{"num_labels": 1 if targets.ndim == 1 else targets.shape[1], **options})

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Value at the present a, b and alpha."""
        moments = aucm_moments(columns, self.version, self.shares)
        return aucm_value(columns, moments, self.margin, self.a, self.b, self.alpha).sum() / self.num_labels

    def columns(self, scores: Tensor, targets: Tensor) -> Columns:
        """Check scores and targets, and activate the scores."""
        columns = super().columns(scores, targets)
        return columns._replace(scores=activate(columns.scores, self.activation))

    def check_labels(self, columns: Columns) -> None:
        """Raise ValueError unless there are as many labels as the loss was made for."""
        if columns.scores.shape[1] != self.num_labels:
            raise ValueError(
                f"MultiLabelAUCMLoss was made for {self.num_labels} labels, got {columns.scores.shape[1]}"
            )

    @torch.no_grad()
    def saddle_point(self, scores: Tensor, targets: Tensor) -> SaddlePoint:
        """The a, b and alpha, each of shape (L,), that solve the inner problem for these scores."""
        columns = self.columns(scores, targets)
        return aucm_saddle_point(columns, aucm_moments(columns, self.version, self.shares), self.margin)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"{self.num_labels}, margin={self.margin}, version={self.version!r}, "
            f"prevalence={self.prevalence}, activation={self.activation!r}"
        )
