"""What every loss shares: how scores and targets are checked and gathered, and how min-max variables are named."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from medauc.losses.distributed import gather_batch, is_distributed

Activation = Literal["sigmoid", "none"]


class Columns(NamedTuple):
    """Scores and the two classes, all of shape (N, L); an unknown target is in neither class.

    A class is a mask, or, of soft targets, the floating share of each sample that belongs to it.
    """

    scores: Tensor
    positive: Tensor
    negative: Tensor


class SaddlePoint(NamedTuple):
    """The a, b and alpha that solve the inner min-max problem exactly for fixed scores."""

    a: Tensor
    b: Tensor
    alpha: Tensor


class Loss(nn.Module, ABC):
    """An objective, called as ``loss(scores, targets, index=None)``; a subclass says only what its value is.

    In training mode under :mod:`torch.distributed` the value is that of the global batch, the same on every
    process (see :func:`medauc.losses.distributed.gather_batch`); in evaluation mode each process computes
    its own.

    Attributes:
        takes_soft_targets: whether the loss has a form for targets between 0 and 1.
        soft_targets: whether it reads targets so (:meth:`allow_soft_targets`).
    """

    takes_soft_targets: ClassVar[bool] = False
    soft_targets: bool = False

    def allow_soft_targets(self) -> Self:
        """Accept targets between 0 and 1, as mixup makes: a sample is ``target`` positive and 1 - ``target`` negative.

        In every mean over a class a sample then weighs as much as its share of it, so that n samples with the
        targets k/n and equal scores are k positives and n - k negatives.

        Raises:
            ValueError: the loss has no such form.

        >>> from medauc.losses import CrossEntropyLoss
        >>> CrossEntropyLoss().allow_soft_targets()(torch.zeros(1), torch.tensor([0.3]))
        tensor(0.6931)
        """
        if not self.takes_soft_targets:
            raise ValueError(f"{type(self).__name__} needs targets that are 0 or 1, none between")
        self.soft_targets = True
        return self

    @classmethod
    def for_targets(cls, targets: Tensor, **options: Any) -> "Loss":
        """Make a loss for a training set, taking from its targets what the constructor wants to know of them.

        Args:
            targets: of the whole training set, (N,) or (N, L) in {0, 1}, -1 / NaN unknown.
            options: further arguments of the constructor; they win over what the targets say.

        Raises:
            ValueError: an option out of range, or targets that the loss is not made for.
        """
        return cls(**options)

    def forward(self, scores: Tensor, targets: Tensor, index: Tensor | None = None) -> Tensor:
        """Value of the loss on one batch.

        Args:
            scores: raw scores, shape (N,) or (N, 1) for one label, (N, L) for L; any real dtype, half
                precision is computed in float32.
            targets: 0, 1, or -1 / NaN for unknown; same shape, where (N,) and (N, 1) are the same. With
                ``soft_targets`` any number from 0 to 1.
            index: position of each sample in the training set, integers of shape (N,); only losses that
                keep a state for each sample need it.

        Returns:
            Scalar, zero for an empty batch.

        Raises:
            ValueError: shapes that do not fit, a target other than those above, or a missing index.
        """
        if self.training and is_distributed():
            scores, targets, index = gather_batch(scores, targets, index)
        return self.value(self.columns(scores, targets), index)

    @abstractmethod
    def value(self, columns: Columns, index: Tensor | None) -> Tensor:
        """Scalar value of checked (N, L) scores and classes."""

    def columns(self, scores: Tensor, targets: Tensor) -> Columns:
        """Check scores and targets and bring them to shape (N, L)."""
        columns = as_columns(scores, targets, self.soft_targets)
        self.check_labels(columns)
        return columns

    def check_labels(self, columns: Columns) -> None:
        """Raise ValueError where the loss does not take so many labels; most take any number."""


class MinMaxLoss(Loss):
    """A loss that is minimised over some of its own variables and maximised over others.

    Optimizers in :mod:`medauc.optim` ask for the two kinds by these methods: any module with them will do.

    >>> from medauc.losses import AUCMLoss
    >>> [p.item() for p in AUCMLoss().dual_parameters()]
    [0.0]
    """

    primal_names: ClassVar[tuple[str, ...]] = ()
    dual_names: ClassVar[tuple[str, ...]] = ()

    def primal_parameters(self) -> Iterator[nn.Parameter]:
        """Variables that the loss is minimised over, beside the network's weights."""
        return (self.get_parameter(name) for name in self.primal_names)

    def dual_parameters(self) -> Iterator[nn.Parameter]:
        """Variables (each kept >= 0) that the loss is maximised over."""
        return (self.get_parameter(name) for name in self.dual_names)


def as_columns(scores: Tensor, targets: Tensor, soft: bool = False) -> Columns:
    """Bring scores and targets to (N, L), at least float32, and split the known targets into classes.

    Args:
        scores: raw scores, shape (N,) or (N, L).
        targets: 0, 1, or -1 / NaN for unknown; same shape, where (N,) and (N, 1) are the same.
        soft: take targets between 0 and 1 too, and return shares instead of masks.

    Raises:
        ValueError: the shapes differ, or (looked at on the CPU only, where it does not wait for a device)
            a target is none of those.
    """
    columns = scores.unsqueeze(1) if scores.ndim == 1 else scores
    truth = targets.unsqueeze(1) if targets.ndim == 1 else targets
    if columns.ndim != 2 or columns.shape != truth.shape:
        raise ValueError(
            f"scores of shape {tuple(scores.shape)} do not fit targets of shape {tuple(targets.shape)}: "
            "both must be (N,) or (N, 1) for one label, or (N, L) for L labels, one score a label"
        )
    positive, negative = truth == 1, truth == 0
    known = (truth >= 0) & (truth <= 1) if soft else positive | negative
    if columns.dtype not in (torch.float32, torch.float64):
        columns = columns.to(torch.promote_types(columns.dtype, torch.float32))
    if soft:
        share = truth.to(columns).where(known, 0.0)
        positive, negative = share, known.to(share.dtype) - share
    if truth.device.type == "cpu" and not _is_traced(truth):
        if known.all():
            return Columns(columns, positive, negative)
        _check_values(truth, known, "from 0 to 1" if soft else "0, 1")
    # A masked score may be anything, NaN included: replaced before it can reach value or gradient.
    return Columns(columns.where(known, 0.0), positive, negative)


def _check_values(truth: Tensor, known: Tensor, allowed: str) -> None:
    odd = ~(known | (truth == -1) | truth.isnan())
    if odd.any():
        raise ValueError(
            f"targets must be {allowed}, or -1 / NaN for unknown, found {truth[odd][0].item():g}"
        )


def _is_traced(tensor: Tensor) -> bool:
    """Whether torch.compile or a torch.func transform runs, where no value may be looked at."""
    return torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def one_if_none(sizes: Tensor) -> Tensor:
    """Sizes of classes as divisors: 1 for a class without members, whose sums are 0."""
    return sizes.where(sizes > 0, 1)


def activate(scores: Tensor, activation: Activation) -> Tensor:
    """Map raw scores to what the loss compares: their sigmoid, or themselves."""
    return scores.sigmoid() if activation == "sigmoid" else scores


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError when an option is not one of its allowed words."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
