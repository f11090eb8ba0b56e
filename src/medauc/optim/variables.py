"""How an optimizer finds the variables that a min-max loss owns."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from torch import Tensor, nn


class Variables(NamedTuple):
    """Primal variables join the descent, dual ones the ascent (and stay >= 0)."""

    primal: list[Tensor]
    dual: list[Tensor]


def variables_of(loss: nn.Module) -> Variables:
    """Ask a loss for its variables: by method as in medauc.losses, else by names a, b and alpha as in MONAI.

    Raises:
        ValueError: the loss has nothing to ascend on.
    """
    primal: Any = getattr(loss, "primal_parameters", None)
    dual: Any = getattr(loss, "dual_parameters", None)
    if primal and dual:
        found = Variables(list(primal()), list(dual()))
    else:
        found = Variables(_attributes(loss, "a", "b"), _attributes(loss, "alpha"))
    if not found.dual:
        raise ValueError(f"{type(loss).__name__} has no dual variable (alpha): it is not a min-max loss")
    return found


def require_one_phase(loss: nn.Module) -> None:
    """Raise ValueError for a loss that takes turns: without PDSCA it would stay cross-entropy for ever."""
    if hasattr(loss, "phase"):
        raise ValueError(f"{type(loss).__name__} has an inner and an outer phase: train it with PDSCA")


def without(params: Iterable[Tensor], excluded: Iterable[Tensor]) -> list[Tensor]:
    """The params that are not, by identity, among the excluded ones."""
    identities = {id(tensor) for tensor in excluded}
    return [param for param in params if id(param) not in identities]


def _attributes(loss: nn.Module, *names: str) -> list[Tensor]:
    candidates = (getattr(loss, name, None) for name in names)
    return [value for value in candidates if isinstance(value, Tensor) and value.requires_grad]
