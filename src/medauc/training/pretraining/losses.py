"""Watching the loss of pretraining."""

import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from medauc.training.module import TrainingDiverged


class EpochLosses(Callback):
    """Mean loss of each epoch; stops when it is not finite.

    Args:
        say: told of each epoch, if given.
    """

    def __init__(self, say: Callable[[str], object] | None = None) -> None:
        self.means: list[float] = []
        self._say = say
        self._losses: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect, without waiting for the device."""
        self._losses.append(outputs["loss"].detach())

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Average, check, tell."""
        mean = float(torch.stack(self._losses).mean())
        self._losses = []
        if not math.isfinite(mean):
            raise TrainingDiverged(
                f"pretraining: loss is {mean} in epoch {trainer.current_epoch}; lower optim.lr"
            )
        self.means.append(mean)
        if self._say is not None:
            self._say(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: loss {mean:.4f}")
