"""Multi-class AUC as a loss: pairwise losses of one class against the rest, or of every two classes."""

from typing import Any, Literal, Self

import torch
from torch import Tensor

from medauc.losses.aucm import check_margin
from medauc.losses.base import Columns, Loss, _is_traced, check_choice
from medauc.losses.pairs import SURROGATES, Surrogate, class_weights, sum_over_pairs, wide_dtype


class MultiClassAUCLoss(Loss):
    r"""Surrogate of the multi-class AUC, where every sample belongs to exactly one of C classes.

    With ``s_i`` the score of class i, and ``L(s; A, B)`` the mean of ``phi(s(x) - s(x'))`` over x in A, x' in B:

    * ``"ovr"``: mean over classes i of ``L(s_i; class i, all others)``; frequent classes dominate "all others".
    * ``"ovo"``: mean over ordered pairs of classes of ``L(s_i; class i, class j)``, which stands for one minus
      ``A(i|j)`` of Hand and Till, whose M does not depend on how frequent the classes are.

    Classes that are missing from the batch contribute zero; the number divided by stays C, or C (C - 1). Both
    schemes take the time and memory of C labels: other classes enter "ovo" as weights, not pair by pair.

    Called as ``loss(scores, targets)`` with raw scores of shape (N, C) and class numbers 0 to C - 1 of shape (N,)
    or (N, 1), -1 or NaN for unknown. Two classes may also have one score h, of shape (N,) or (N, 1), which
    stands for the scores ``(-h/2, h/2)``.

    Args:
        num_classes: C, >= 2.
        scheme: ``"ovr"`` (one against the rest) or ``"ovo"`` (one against one).
        surrogate: ``phi``, as in :class:`~medauc.losses.PairwiseAUCLoss`.
        margin: wished-for distance of a pair, > 0; a probability reaches at most 1.
        activation: ``"softmax"`` compares class probabilities, as metrics of the multi-class AUC do;
            ``"none"`` the raw scores.

    Raises:
        ValueError: an argument out of range.

    Reference:
        Hand and Till: A Simple Generalisation of the Area Under the ROC Curve for Multiple Class Classification
        Problems, Machine Learning 45, 2001, equation 7. Provost and Domingos: Tree Induction for
        Probability-Based Ranking, Machine Learning 52, 2003 (one against the rest).

    >>> scores = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.5]])
    >>> MultiClassAUCLoss(3, activation="none")(scores, torch.tensor([0, 1, 2]))
    tensor(0.0833)
    """

    def __init__(
        self,
        num_classes: int,
        scheme: Literal["ovr", "ovo"] = "ovr",
        surrogate: Surrogate = "squared_hinge",
        margin: float = 1.0,
        activation: Literal["softmax", "none"] = "softmax",
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        check_choice("scheme", scheme, ("ovr", "ovo"))
        check_choice("surrogate", surrogate, SURROGATES)
        check_margin(margin)
        check_choice("activation", activation, ("softmax", "none"))
        self.num_classes = num_classes
        self.scheme: Literal["ovr", "ovo"] = scheme
        self.surrogate: Surrogate = surrogate
        self.margin = margin
        self.activation: Literal["softmax", "none"] = activation

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Self:
        """Take the number of classes from class numbers of shape (N,) or (N, 1).

        >>> MultiClassAUCLoss.for_targets(torch.tensor([0, 2, -1, 1])).num_classes
        3
        """
        _check_single(targets)
        largest = int(targets.nan_to_num(-1).max()) if targets.numel() else 0
        return cls(**{"num_classes": max(2, largest + 1), **options})

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Mean over classes, or over ordered pairs of classes."""
        scores, positive, negative = (part.T for part in columns)
        weights, terms = class_weights(positive, negative, wide_dtype(scores)), self.num_classes
        if self.scheme == "ovo":
            # Every other class weighs one, shared by its samples.
            weights = torch.stack([weights[0], negative * weights[0].sum(0)])
            terms = self.num_classes * (self.num_classes - 1)
        return sum_over_pairs(self.surrogate, scores, weights, self.margin).sum() / terms

    def columns(self, scores: Tensor, targets: Tensor) -> Columns:
        """Check class numbers, and make one column of scores, members and others for every class."""
        _check_single(targets)
        scores, truth = self._check_scores(scores), targets.reshape(-1, 1)
        if len(scores) != len(truth):
            raise ValueError(f"{len(scores)} rows of scores do not fit {len(truth)} targets")
        classes = torch.arange(self.num_classes, device=truth.device)
        positive = truth == classes
        known = positive.any(1, keepdim=True)
        if truth.device.type == "cpu" and not _is_traced(truth):
            self._check_values(truth, known)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32)).where(known, 0.0)
        if self.activation == "softmax":
            scores = scores.softmax(1)
        return Columns(scores, positive, known & ~positive)

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"{self.num_classes}, scheme={self.scheme!r}, surrogate={self.surrogate!r}, margin={self.margin}, "
            f"activation={self.activation!r}"
        )

    def _check_scores(self, scores: Tensor) -> Tensor:
        if self.num_classes == 2 and (scores.ndim == 1 or scores.shape[1:] == (1,)):
            half = scores.reshape(-1, 1) / 2
            return torch.cat([-half, half], 1)
        if scores.ndim != 2 or scores.shape[1] != self.num_classes:
            raise ValueError(
                f"scores must be of shape (N, {self.num_classes}), one a class, got {tuple(scores.shape)}"
            )
        return scores

    def _check_values(self, truth: Tensor, known: Tensor) -> None:
        odd = ~(known | (truth == -1) | truth.isnan())
        if odd.any():
            raise ValueError(
                f"targets must be class numbers 0 to {self.num_classes - 1}, or -1 / NaN for unknown, "
                f"found {truth[odd][0].item():g}"
            )


def _check_single(targets: Tensor) -> None:
    if targets.ndim != 1 and targets.shape[1:] != (1,):
        raise ValueError(
            f"targets must be class numbers of shape (N,), got {tuple(targets.shape)}: for several labels a "
            "sample use PairwiseAUCLoss"
        )
