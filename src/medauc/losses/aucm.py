"""The AUC-margin loss for one label, and the formula that its multi-label form shares."""

import math
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from medauc.losses.base import (
    Activation,
    Columns,
    Loss,
    MinMaxLoss,
    SaddlePoint,
    activate,
    check_choice,
    one_if_none,
)

Version = Literal["v1", "v2"]


class AUCMLoss(MinMaxLoss):
    r"""AUC-margin loss: a min-max form of the squared pairwise loss, linear in the batch size.

    With ``h`` the (activated) score, ``p`` the prevalence, ``m`` the margin, ``E`` the mean over the batch,
    ``E+`` and ``E-`` the means over its positives and negatives, the loss is minimised over the network,
    ``a`` and ``b`` and maximised over ``alpha >= 0``:

    * v1: ``(1-p) E[(h-a)^2 1+] + p E[(h-b)^2 1-]
      + 2 alpha (p(1-p) m + E[p h 1- - (1-p) h 1+]) - p(1-p) alpha^2``
    * v2: ``E+[(h-a)^2] + E-[(h-b)^2] + 2 alpha (m + E-[h] - E+[h]) - alpha^2``

    At the saddle point ``v2 = Var+(h) + Var-(h) + max(0, m - (E+[h] - E-[h]))^2`` and, where the share of
    positives in the batch is ``p``, ``v1 = p(1-p) v2``. Train it with :class:`medauc.optim.PESG` or
    :class:`medauc.optim.MinMax`; with an optimizer that descends on ``alpha`` too, ``alpha`` runs away.

    A class that is missing from the batch contributes zero; v2 then has no pair to rank, so its terms in
    ``alpha`` vanish too. v1 without a prevalence weighs all of such a batch by zero: give the prevalence.

    Args:
        margin: wished-for distance between the mean scores of the two classes, > 0; a sigmoid reaches at
            most 1.
        version: ``"v1"`` weighs with the prevalence, ``"v2"`` needs none (use class-balanced batches).
        prevalence: share of positives, in (0, 1), in what the batches are drawn from: that of the training
            set for shuffled batches, ``the sampler's for balanced ones. Used by v1 only, and then in
            every batch; None takes the share found in each batch. One below the batches' own share makes a
            constant score a perfect solution: never give the training set's with a class-balanced sampler.
        activation: ``"sigmoid"`` compares sigmoid(score), ``"none"`` the raw score.

    Attributes:
        a: scalar parameter, estimates E+[h].
        b: scalar parameter, estimates E-[h].
        alpha: scalar dual parameter, estimates max(0, m + b - a).

    Raises:
        ValueError: an argument out of range.

    Reference:
        Yuan, Yan, Sonka, Yang: Large-scale Robust Deep AUC Maximization: A New Surrogate Loss and Empirical
        Studies on Medical Image Classification, ICCV 2021, arXiv 2012.03173.

    >>> loss = AUCMLoss(version="v2", activation="none")
    >>> loss(torch.tensor([2.0, -1.0, 0.0]), torch.tensor([1, 0, 0])).item()
    4.5
    """

    takes_soft_targets: ClassVar[bool] = True
    primal_names: ClassVar[tuple[str, ...]] = ("a", "b")
    dual_names: ClassVar[tuple[str, ...]] = ("alpha",)

    def __init__(
        self,
        margin: float = 1.0,
        version: Version = "v1",
        prevalence: float | None = None,
        activation: Activation = "sigmoid",
    ) -> None:
        super().__init__()
        check_margin(margin)
        check_choice("version", version, ("v1", "v2"))
        check_choice("activation", activation, ("sigmoid", "none"))
        self.margin = margin
        self.version: Version = version
        self.activation: Activation = activation
        self.prevalence = None if prevalence is None else check_prevalence(prevalence)
        self.a = nn.Parameter(torch.zeros(()))
        self.b = nn.Parameter(torch.zeros(()))
        self.alpha = nn.Parameter(torch.zeros(()))

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> Loss:
        """Several columns make a MultiLabelAUCMLoss; the prevalence, which is the sampler's, stays open.

        >>> AUCMLoss.for_targets(torch.tensor([[0, 1], [1, 0]])).num_labels
        2
        """
        if targets.ndim == 2 and targets.shape[1] > 1:
            from medauc.losses.multilabel_aucm import MultiLabelAUCMLoss  # it imports this module

            return MultiLabelAUCMLoss.for_targets(targets, **options)
        return cls(**options)

    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Value at the present a, b and alpha."""
        moments = aucm_moments(columns, self.version, self.prevalence)
        return aucm_value(columns, moments, self.margin, self.a, self.b, self.alpha).squeeze(0)

    def columns(self, scores: Tensor, targets: Tensor) -> Columns:
        """Check scores and targets, and activate the scores."""
        columns = super().columns(scores, targets)
        return columns._replace(scores=activate(columns.scores, self.activation))

    def check_labels(self, columns: Columns) -> None:
        """Raise ValueError unless there is one score a sample."""
        if columns.scores.shape[1] != 1:
            raise ValueError(
                f"AUCMLoss takes one score a sample, got {columns.scores.shape[1]}: "
                "give the network one output, or use MultiLabelAUCMLoss"
            )

    @torch.no_grad()
    def saddle_point(self, scores: Tensor, targets: Tensor) -> SaddlePoint:
        """The a, b and alpha (scalars) that solve the inner problem for these scores.

        A class that is missing gives 0 for its mean, and where no pair has weight alpha is 0.

        >>> loss = AUCMLoss(version="v2", activation="none")
        >>> loss.saddle_point(torch.tensor([0.5, -1.0, 0.0]), torch.tensor([1, 0, 0]))
        SaddlePoint(a=tensor(0.5000), b=tensor(-0.5000), alpha=tensor(0.))
        """
        columns = self.columns(scores, targets)
        moments = aucm_moments(columns, self.version, self.prevalence)
        return SaddlePoint(*(value.squeeze(0) for value in aucm_saddle_point(columns, moments, self.margin)))

    def extra_repr(self) -> str:
        """Settings shown when the module is printed."""
        return (
            f"margin={self.margin}, version={self.version!r}, prevalence={self.prevalence}, "
            f"activation={self.activation!r}"
        )


class Moments(NamedTuple):
    """Weights and weighted means of the two classes, each of shape (L,); names as in :func:`aucm_value`."""

    weight_positive: Tensor
    weight_negative: Tensor
    weight_dual: Tensor
    difference: Tensor


def aucm_moments(columns: Columns, version: Version, prevalence: float | Tensor | None) -> Moments:
    """What v1 and v2 differ in: the weight of a positive, of a negative, and of the terms in alpha.

    ``prevalence`` is one number for all labels or a tensor of shape (L,); ``difference`` is the weighted
    ``E-[h] - E+[h]``, which alpha multiplies.
    """
    scores = columns.scores
    positives = columns.positive.sum(0, dtype=scores.dtype)
    negatives = columns.negative.sum(0, dtype=scores.dtype)
    if version == "v2":
        weight_positive = one_if_none(positives).reciprocal()
        weight_negative = one_if_none(negatives).reciprocal()
        weight_dual = (positives * negatives > 0).to(scores.dtype)  # whether there is a pair
    else:
        known = positives + negatives
        count = known.clamp(min=1)
        share = positives / count if prevalence is None else _as_scores(prevalence, scores)
        weight_positive, weight_negative = (1 - share) / count, share / count
        weight_dual = share * (1 - share) * known.clamp(max=1)
    difference = weight_negative * class_sum(scores, columns.negative)
    difference = difference - weight_positive * class_sum(scores, columns.positive)
    if version == "v2":
        difference = weight_dual * difference
    return Moments(weight_positive, weight_negative, weight_dual, difference)


def _as_scores(prevalence: float | Tensor, scores: Tensor) -> Tensor:
    # new_full, since new_tensor copies from the host and waits for the device.
    return scores.new_full((), prevalence) if isinstance(prevalence, float) else prevalence.to(scores)


def aucm_value(
    columns: Columns, moments: Moments, margin: float, a: Tensor, b: Tensor, alpha: Tensor
) -> Tensor:
    """AUC-margin loss of every label, shape (L,), at the given a, b, alpha (scalar or of shape (L,))."""
    scores = columns.scores
    # The variables live where the module lives; the loss is computed where and as precisely as scores are.
    a, b, alpha = a.to(scores), b.to(scores), alpha.to(scores)
    positive_spread = moments.weight_positive * class_sum((scores - a).square(), columns.positive)
    negative_spread = moments.weight_negative * class_sum((scores - b).square(), columns.negative)
    constraint = 2 * alpha * (moments.weight_dual * margin + moments.difference)
    return positive_spread + negative_spread + constraint - moments.weight_dual * alpha.square()


def aucm_saddle_point(columns: Columns, moments: Moments, margin: float) -> SaddlePoint:
    """Closed-form a, b and alpha of every label, each of shape (L,)."""
    scores = columns.scores
    a = class_sum(scores, columns.positive) / one_if_none(columns.positive.sum(0))
    b = class_sum(scores, columns.negative) / one_if_none(columns.negative.sum(0))
    ratio = margin + moments.difference / moments.weight_dual
    return SaddlePoint(a, b, ratio.clamp(min=0).where(moments.weight_dual > 0, 0.0))


def class_sum(values: Tensor, members: Tensor) -> Tensor:
    """Sum of (N, L) values over the members of a class, shape (L,)."""
    weighted = values.where(members, 0.0) if members.dtype == torch.bool else values * members
    return weighted.sum(0)


def check_margin(margin: float) -> None:
    """Raise ValueError unless the margin is a positive finite number."""
    if not (margin > 0 and math.isfinite(margin)):
        raise ValueError(f"margin must be a positive number, got {margin}")


def check_prevalence(prevalence: float) -> float:
    """Return the prevalence, or raise ValueError where it is not strictly between 0 and 1."""
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence must lie strictly between 0 and 1, got {prevalence}")
    return float(prevalence)


def prevalence_of(targets: Tensor) -> list[float]:
    """Share of positives among the known targets of each label.

    A class of which there is no sample counts as half a sample, since AUCM divides by its share.

    Args:
        targets: (N,) or (N, L) in {0, 1}, -1 / NaN unknown.

    >>> prevalence_of(torch.tensor([[1, 0], [0, 0], [-1, 0], [-1, 0]]))
    [0.5, 0.125]
    """
    columns = targets.unsqueeze(1) if targets.ndim == 1 else targets
    positives = (columns == 1).sum(0).double()
    count = (positives + (columns == 0).sum(0)).clamp(min=1)
    return (positives / count).clamp(0.5 / count, 1 - 0.5 / count).tolist()
