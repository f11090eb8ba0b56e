"""Losses by name: what a recipe can ask for, and what each is trained with unless told otherwise."""

import difflib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from medauc.losses.aucm import AUCMLoss
from medauc.losses.average_precision import AveragePrecisionLoss
from medauc.losses.base import Loss
from medauc.losses.compositional import CompositionalAUCLoss
from medauc.losses.cross_entropy import CrossEntropyLoss
from medauc.losses.focal import FocalLoss
from medauc.losses.ldam import LDAMLoss
from medauc.losses.multiclass import MultiClassAUCLoss
from medauc.losses.pairwise import PairwiseAUCLoss
from medauc.losses.partial_auc import PartialAUCLoss
from medauc.losses.partial_auc_kl import PartialAUCKLLoss

Optimizer = Literal["pesg", "pdsca", "adamw", "sgd"]
Sampler = Literal["class_balanced", "shuffled"]

_ANY: tuple[Optimizer, ...] = ("adamw", "sgd")


class Entry(NamedTuple):
    """A loss under its name.

    Attributes:
        loss: the class; :meth:`medauc.losses.Loss.for_targets` makes an instance that fits a training set.
        optimizers: those that can train it, the default one first. "adamw" and "sgd" are torch's, inside
            :class:`medauc.optim.MinMax` where the loss has dual variables.
        sampler: how batches are drawn by default: "class_balanced" for losses that compare positives with
            negatives, "shuffled" for those that weigh every sample by itself.
    """

    loss: type[Loss]
    optimizers: tuple[Optimizer, ...] = _ANY
    sampler: Sampler = "class_balanced"


_ENTRIES = {
    "aucm": Entry(AUCMLoss, ("pesg", *_ANY)),
    "compositional": Entry(CompositionalAUCLoss, ("pdsca",)),
    "pairwise": Entry(PairwiseAUCLoss),
    "partial_auc": Entry(PartialAUCLoss),
    "partial_auc_kl": Entry(PartialAUCKLLoss),
    "average_precision": Entry(AveragePrecisionLoss),
    "multiclass_auc": Entry(MultiClassAUCLoss),
    "cross_entropy": Entry(CrossEntropyLoss, sampler="shuffled"),
    "focal": Entry(FocalLoss, sampler="shuffled"),
    "ldam": Entry(LDAMLoss, sampler="shuffled"),
}


def available() -> tuple[str, ...]:
    """Names of all losses.

    >>> "aucm" in available()
    True
    """
    return tuple(_ENTRIES)


def lookup(name: str) -> Entry:
    """The entry of a loss.

    Raises:
        ValueError: no loss has that name; the message suggests the nearest.

    >>> lookup("aucm").optimizers[0]
    'pesg'
    >>> lookup("cross_entrpy")
    Traceback (most recent call last):
    ValueError: unknown loss 'cross_entrpy'; did you mean 'cross_entropy'? (there are ...)
    """
    if name not in _ENTRIES:
        near = difflib.get_close_matches(name, _ENTRIES, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise ValueError(f"unknown loss {name!r}; {hint}(there are {', '.join(_ENTRIES)})")
    return _ENTRIES[name]


def build(name: str, targets: Sequence[Any] | Tensor, **options: Any) -> Loss:
    """Make a loss by name for a training set.

    Args:
        name: one of :func:`available`.
        targets: of the whole training set, (N,) or (N, L) in {0, 1}, -1 / NaN unknown, a tensor or what makes
            one: numbers of samples, labels and classes and the prevalence of average precision are taken from it.
        options: further arguments of the loss's constructor.

    Raises:
        ValueError: an unknown name, or an option out of range.

    >>> build("aucm", [[0, 1], [1, 0]], version="v2").num_labels
    2
    """
    return lookup(name).loss.for_targets(torch.as_tensor(targets), **options)
