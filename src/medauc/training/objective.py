"""From the recipe's sections to a loss, an optimizer and a learning-rate schedule."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, OneCycleLR

from medauc.errors import InputError
from medauc.losses import Loss, MinMaxLoss, build, prevalence_of
from medauc.optim import PDSCA, PESG, SAM, MinMax
from medauc.training.sections.loss import AUCMargin, LossSection
from medauc.training.sections.optim import (
    AdamWSection,
    OptimSection,
    PDSCASection,
    PESGSection,
    SGDSection,
    SharpnessAware,
)

# The fields that are no argument of the optimizer: who builds it gives them meaning.
_NOT_OPTIONS = {"name", "schedule", "clip_value", "sam_radius", "sam_adaptive"}
_WARMUP_START = 1e-3  # of the rate; zero would spend the first step on nothing


def build_loss(
    section: LossSection,
    targets: NDArray[np.int64],
    positive_share: float | tuple[float, ...] | None,
    *,
    soft_targets: bool = False,
) -> Loss:
    """Build the loss for a training set.

    Args:
        section: the recipe's ``loss`` section.
        targets: of the training split, (N,) or (N, L), -1 unknown.
        positive_share: of balanced batches, one a label, or None; AUCM v1 weighs with the prevalence of what the
            batches are drawn from, which balancing changes.
        soft_targets: whether batches hold targets between 0 and 1.

    Raises:
        InputError: the loss is not made for such targets.
    """
    options, known = section.options(), torch.from_numpy(targets)
    if isinstance(section, AUCMargin):
        shares = prevalence_of(known)
        own = shares[0] if len(shares) == 1 else shares
        options["prevalence"] = own if positive_share is None else positive_share
    try:
        loss = build(section.name, known, **options)
        return loss.allow_soft_targets() if soft_targets else loss
    except ValueError as error:
        raise InputError(f"loss.name {section.name!r}: {error}") from None


def build_optimizer(section: OptimSection, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer; a loss with a dual variable gets its ascent from PESG, PDSCA or MinMax."""
    optimizer = _build_plain(section, model, loss)
    if isinstance(section, SharpnessAware) and section.sam_radius:
        adaptive = section.sam_adaptive
        return SAM(optimizer, section.sam_radius, adaptive=adaptive, network=model, loss=loss)
    return optimizer


def _build_plain(section: OptimSection, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
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


def end_stage(section: OptimSection, optimizer: torch.optim.Optimizer, epochs_done: int) -> None:
    """After the epochs that the recipe names: lower the rate of PESG or PDSCA and move its reference.

    Along a cosine, which sets the rate itself, only the reference moves. Other optimizers are left alone.
    """
    proximal = optimizer.optimizer if isinstance(optimizer, SAM) else optimizer
    if isinstance(proximal, PESG | PDSCA) and epochs_done in section.schedule.epochs:
        proximal.end_stage(lr_factor=section.schedule.factor if section.schedule.name == "stages" else 1.0)


def build_schedules(
    section: OptimSection, optimizer: torch.optim.Optimizer, steps_per_epoch: int, total_steps: int
) -> list[tuple[LRScheduler, str]]:
    """Build what changes the learning rate, and say of each how often it steps: each "epoch" or each "step".

    Each multiplies the present rate, so a warm-up goes together with what comes after it. Stages of PESG and
    PDSCA are not among them: they move the reference too (:func:`end_stage`).
    """
    schedule = section.schedule
    warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total_steps - 1)
    found: list[tuple[LRScheduler, str]] = []
    if schedule.name == "cosine":
        found.append((CosineAnnealingLR(optimizer, total_steps), "step"))
    if schedule.name == "one_cycle" and total_steps > 1:
        # OneCycleLR divides by warmup steps - 1.
        share = max(schedule.warmup, 1.5 / total_steps)
        peaks = [group["lr"] for group in optimizer.param_groups]
        cycle = OneCycleLR(optimizer, peaks, total_steps, pct_start=share, cycle_momentum=False)
        found.append((cycle, "step"))
    if schedule.name == "stages" and not isinstance(section, PESGSection | PDSCASection):
        found.append((MultiStepLR(optimizer, list(schedule.epochs), gamma=1 / schedule.factor), "epoch"))
    if warmup > 0:
        found.append((LinearLR(optimizer, _WARMUP_START, total_iters=warmup), "step"))
    return found
