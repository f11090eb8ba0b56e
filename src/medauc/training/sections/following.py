"""What a stage of a training leaves out follows its loss: the optimizer, and how batches are drawn."""

from collections.abc import Mapping
from typing import Any

from medauc.training.sections.augment import AugmentSection
from medauc.training.sections.loss import LOSSES, LossSection, section_of
from medauc.training.sections.optim import OptimSection


def follow_the_loss(values: Any, default_loss: str) -> Any:
    """Fill in the names of loss and optimizer, and shuffled batches for losses that weigh every sample by itself.

    Args:
        values: plain values with the sections ``loss``, ``optim`` and ``sampling``; anything but a mapping is
            returned as it is, for validation to refuse.
        default_loss: the loss of values that name none.
    """
    if not isinstance(values, Mapping):
        return values
    loss = _named(values.get("loss", {}), default_loss)
    section = section_of(loss.get("name") if isinstance(loss, Mapping) else getattr(loss, "name", None))
    filled = {**values, "loss": loss, "optim": _named(values.get("optim", {}), section.optimizers[0])}
    sampling = values.get("sampling", {})
    if section.sampler == "shuffled" and isinstance(sampling, Mapping):
        says = {"positive_share", "name"} & {*sampling}
        filled["sampling"] = sampling if says else {**sampling, "positive_share": None}
    return filled


def require_fitting(loss: LossSection, optim: OptimSection) -> None:
    """Raise ValueError when the optimizer cannot train the loss."""
    if optim.name not in loss.optimizers:
        raise ValueError(
            f"optim.name {optim.name!r} cannot train loss.name {loss.name!r}; "
            f"use {' or '.join(map(repr, loss.optimizers))}"
        )


def require_soft_targets(loss: LossSection, augment: AugmentSection | None) -> None:
    """Raise ValueError when mixup makes targets between 0 and 1 and the loss takes none."""
    if augment is not None and augment.makes_soft_targets and not loss.soft_targets:
        taking = ", ".join(name for name, section in LOSSES.items() if section.soft_targets)
        raise ValueError(
            f"augment.mixup_partners 'any' makes targets between 0 and 1, which loss.name {loss.name!r} does not take "
            f"(these do: {taking}); use 'same_class'"
        )


def _named(section: Any, name: str) -> Any:
    """The section's values, with the name that it takes when it has none."""
    return {"name": name, **section} if isinstance(section, Mapping) else section
