"""Binary cross-entropy with masked targets, for one label or several: the baseline."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from medauc.losses.base import Columns, Loss


class CrossEntropyLoss(Loss):
    """Binary cross-entropy of raw scores, averaged over the known targets of all labels.

    Args:
        positive_weight: factor on the term of a positive, > 0: one number, or a tensor of shape (L,) with one
            a label, such as :func:`balanced_positive_weight` computes. None weighs every sample equally.
        label_smoothing: share s in [0, 1) of a target's certainty that is given up: a positive counts as
            1 - s / 2, a negative as s / 2, so that scores have a finite optimum (Szegedy et al., CVPR 2016,
            section 7, for two classes). A sample's weight stays that of its own class.

    Raises:
        ValueError: a weight that is not positive and finite, or a smoothing out of range.

    >>> scores, targets = torch.zeros(2), torch.tensor([1, 0])
    >>> CrossEntropyLoss()(scores, targets), CrossEntropyLoss(positive_weight=3.0)(scores, targets)
    (tensor(0.6931), tensor(1.3863))
    """

    takes_soft_targets: ClassVar[bool] = True
    positive_weight: Tensor | None

    def __init__(self, positive_weight: float | Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be >= 0 and < 1, got {label_smoothing}")
        self.label_smoothing = label_smoothing
        self.register_buffer("positive_weight", checked_weight(positive_weight), persistent=False)

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Loss:
        """``positive_weight="balanced"`` takes :func:`balanced_positive_weight` of the targets.

        >>> CrossEntropyLoss.for_targets(torch.tensor([0, 0, 1]), positive_weight="balanced").positive_weight
        tensor([2.])
        """
        if options.get("positive_weight") == "balanced":
            options["positive_weight"] = balanced_positive_weight(targets)
        return cls(**options)

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Mean cross-entropy of the known targets, in nats."""
        weight = weight_of("positive_weight", self.positive_weight, columns)
        positive = columns.positive.to(columns.scores.dtype)
        entropy = functional.binary_cross_entropy_with_logits(
            columns.scores, positive, pos_weight=weight, reduction="none"
        )
        if self.label_smoothing:
            # A target moved by d moves its term by -d score: softplus(h) - (y + d) h.
            signed = positive * (1.0 if weight is None else weight) - columns.negative.to(positive.dtype)
            entropy = entropy + 0.5 * self.label_smoothing * columns.scores * signed
        return mean_of_known(entropy, columns)


def mean_of_known(values: Tensor, columns: Columns) -> Tensor:
    """Mean of (N, L) values over the known targets of all labels, zero where there are none."""
    known = columns.positive + columns.negative  # of masks their union, of shares 1 where known
    # Masked scores are zero, so their values are finite, and a product masks them faster than a choice.
    return (values * known).sum() / known.sum().clamp(min=1)


def checked_weight(positive_weight: float | Tensor | None) -> Tensor | None:
    """The weight as a tensor of its own; raise ValueError where it is not positive and finite."""
    refuse_word("positive_weight", positive_weight)
    if positive_weight is None:
        return None
    weight = torch.as_tensor(positive_weight, dtype=torch.float32).detach().clone()
    if not ((weight > 0) & weight.isfinite()).all():
        raise ValueError(f"positive_weight must be positive and finite, got {weight.tolist()}")
    return weight


def refuse_word(name: str, value: object) -> None:
    """Raise ValueError for ``"balanced"``, which only the training set's targets can turn into a number."""
    if isinstance(value, str):
        raise ValueError(
            f"{name}={value!r} needs the training set's targets: call for_targets(targets, {name}=...)"
        )


def weight_of(name: str, weight: Tensor | None, columns: Columns) -> Tensor | None:
    """The weight where and as precise as the scores; raise ValueError when it is for other labels."""
    if weight is None:
        return None
    if weight.ndim == 1 and len(weight) != columns.scores.shape[1]:
        raise ValueError(f"{name} is for {len(weight)} labels, scores have {columns.scores.shape[1]}")
    return weight.to(columns.scores)


def balanced_positive_weight(targets: Tensor) -> Tensor:
    """Number of negatives for each positive, which gives both classes equal weight in the training set.

    Args:
        targets: 0, 1, or -1 / NaN for unknown, shape (N,), (N, 1) or (N, L).

    Returns:
        Float tensor of shape (L,); 1 for a label that lacks either class.

    >>> balanced_positive_weight(torch.tensor([0, 0, 0, 1, -1]))
    tensor([3.])
    """
    columns = targets.unsqueeze(1) if targets.ndim == 1 else targets
    positives, negatives = (columns == 1).sum(0), (columns == 0).sum(0)
    return (negatives / positives).where((positives > 0) & (negatives > 0), 1.0)
