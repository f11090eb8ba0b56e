"""From the recipe's sections to a loss, an optimizer and a learning-rate schedule."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR

from medauc.errors import InputError
from medauc.losses import Loss, MinMaxLoss, build, prevalence_of
from medauc.optim import PDSCA, PESG, MinMax
from medauc.training.sections.loss import AUCMargin, LossSection
from medauc.training.sections.optim import AdamWSection, OptimSection, PDSCASection, PESGSection, SGDSection

# The fields that are no argument of the optimizer: who builds it gives them meaning.
_NOT_OPTIONS = {"name", "schedule", "clip_value"}


def build_loss(
    section: LossSection, targets: NDArray[np.int64], positive_share: float | tuple[float, ...] | None
) -> Loss:
    """Build the loss for a training set.

    Args:
        section: the recipe's ``loss`` section.
        targets: of the training split, (N,) or (N, L), -1 unknown.
        positive_share: of balanced batches, one a label, or None; AUCM v1 weighs with the prevalence of what the
            batches are drawn from, which balancing changes.

    Raises:
        InputError: the loss is not made for such targets.
    """
    options, known = section.options(), torch.from_numpy(targets)
    if isinstance(section, AUCMargin):
        shares = prevalence_of(known)
        own = shares[0] if len(shares) == 1 else shares
        options["prevalence"] = own if positive_share is None else positive_share
    try:
        return build(section.name, known, **options)
    except ValueError as error:
        raise InputError(f"loss.name {section.name!r}: {error}") from None


def build_optimizer(section: OptimSection, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer; a loss with a dual variable gets its ascent from PESG, PDSCA or MinMax."""
    parameters = list(model.parameters())
    options: dict[str, Any] = section.model_dump(exclude=_NOT_OPTIONS)
    if isinstance(section, PESGSection | PDSCASection):
        options["clip_value"] = math.inf if section.clip_value is None else section.clip_value
        kind = PESG if isinstance(section, PESGSection) else PDSCA
        return kind(parameters, loss=loss, **options)
    loss_lr = options.pop("loss_lr")
    kinds = {AdamWSection: torch.optim.AdamW, SGDSection: torch.optim.SGD}
    primal: torch.optim.Optimizer = kinds[type(section)](parameters, foreach=True, **options)
    return MinMax(primal, loss, loss_lr=loss_lr) if isinstance(loss, MinMaxLoss) else primal


def build_schedule(
    section: OptimSection, optimizer: torch.optim.Optimizer, total_steps: int
) -> tuple[LRScheduler, str] | None:
    """Build the schedule and say how often it steps: each "epoch" or each "step".

    Stages of PESG and PDSCA are not among them: they move the reference too, so the Lightning module ends them.
    """
    schedule = section.schedule
    if schedule.name == "cosine":
        return CosineAnnealingLR(optimizer, total_steps), "step"
    if schedule.name == "one_cycle" and total_steps > 1:
        # OneCycleLR divides by warmup steps - 1.
        warmup = max(schedule.warmup, 1.5 / total_steps)
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, peaks, total_steps, pct_start=warmup, cycle_momentum=False), "step"
    if schedule.name == "stages" and not isinstance(optimizer, PESG | PDSCA):
        return MultiStepLR(optimizer, list(schedule.epochs), gamma=1 / schedule.factor), "epoch"
    return None
