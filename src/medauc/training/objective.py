"""From the recipe's sections to a loss, an optimizer and a learning-rate schedule."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR

from medauc.losses import AUCMLoss, CrossEntropyLoss, MultiLabelAUCMLoss, balanced_positive_weight
from medauc.optim import PESG, MinMax
from medauc.training.recipe import LossSection, OptimSection


def build_loss(section: LossSection, targets: NDArray[np.int64], positive_share: float | None) -> nn.Module:
    """Build the loss.

    Args:
        section: the recipe's ``loss`` section.
        targets: of the training split, (N,) or (N, L), -1 unknown.
        positive_share: of class-balanced batches, or None; AUCM v1 weighs with the prevalence of what the batches are
            drawn from, which balancing changes.
    """
    if section.name == "cross_entropy":
        if section.positive_weight == "balanced":
            return CrossEntropyLoss(balanced_positive_weight(torch.from_numpy(targets)))
        return CrossEntropyLoss(section.positive_weight)
    known = targets >= 0
    count = np.maximum(known.sum(axis=0), 1)
    # A label without a positive has no prevalence that AUCM could divide by: take half a sample.
    prevalence = np.clip(np.where(known, targets, 0).sum(axis=0) / count, 0.5 / count, 1 - 0.5 / count)
    options: dict[str, Any] = {
        "margin": section.margin,
        "version": section.version,
        "activation": section.activation,
    }
    if targets.ndim == 1:
        return AUCMLoss(prevalence=float(prevalence) if positive_share is None else positive_share, **options)
    return MultiLabelAUCMLoss(targets.shape[1], prevalence=prevalence.tolist(), **options)


def build_optimizer(section: OptimSection, model: nn.Module, loss: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer; a loss with a dual variable gets its ascent from PESG or from MinMax."""
    parameters = list(model.parameters())
    if section.name == "pesg":
        return PESG(
            parameters,
            loss=loss,
            lr=section.lr,
            momentum=section.momentum,
            momentum_style=section.momentum_style,
            epoch_decay=section.epoch_decay,
            weight_decay=section.weight_decay,
            clip_value=math.inf if section.clip_value is None else section.clip_value,
        )
    primal: torch.optim.Optimizer
    if section.name == "adamw":
        primal = torch.optim.AdamW(parameters, lr=section.lr, weight_decay=section.weight_decay, foreach=True)
    else:
        primal = torch.optim.SGD(
            parameters,
            lr=section.lr,
            momentum=section.momentum,
            weight_decay=section.weight_decay,
            foreach=True,
        )
    if isinstance(loss, CrossEntropyLoss):
        return primal
    return MinMax(primal, loss, loss_lr=section.loss_lr)


def build_schedule(
    section: OptimSection, optimizer: torch.optim.Optimizer, total_steps: int
) -> tuple[LRScheduler, str] | None:
    """Build the schedule and say how often it steps: each "epoch" or each "step".

    PESG's stages are not among them: they move the reference point too, so the Lightning module ends them.
    """
    schedule = section.schedule
    if schedule.name == "cosine":
        return CosineAnnealingLR(optimizer, total_steps), "step"
    if schedule.name == "one_cycle" and total_steps > 1:
        # OneCycleLR divides by warmup steps - 1.
        warmup = max(schedule.warmup, 1.5 / total_steps)
        peaks = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, peaks, total_steps, pct_start=warmup, cycle_momentum=False), "step"
    if schedule.name == "stages" and not isinstance(optimizer, PESG):
        return MultiStepLR(optimizer, list(schedule.epochs), gamma=1 / schedule.factor), "epoch"
    return None
