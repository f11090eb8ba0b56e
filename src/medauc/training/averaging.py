"""Weight averaging: validation, selection and the final model see the average, training goes on from the iterate."""

from collections.abc import Callable, Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, WeightAveraging
from torch import Tensor

from medauc.training.sections.training import TrainingSection

Update = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def build_averaging(section: TrainingSection) -> list[Callback]:
    """The callback that averages weights, if the recipe asks for one."""
    if section.weight_averaging == "ema":
        return [WeightAveraging(multi_avg_fn=ema_update(section.ema_decay))]
    if section.weight_averaging == "swa":
        return [StochasticWeightAverage(int(section.swa_start * section.max_epochs))]
    return []


class StochasticWeightAverage(WeightAveraging):
    """Equal average of the weights after each epoch from ``first_epoch`` on (SWA, Izmailov et al., UAI 2018)."""

    def __init__(self, first_epoch: int) -> None:
        super().__init__(multi_avg_fn=swa_update(first_epoch))
        self._steps_per_epoch = 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn how long an epoch is."""
        self._steps_per_epoch = int(trainer.num_training_batches)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After the last step of each epoch: Lightning's epoch hook comes only after validation."""
        return step_idx is not None and (step_idx + 1) % self._steps_per_epoch == 0


def ema_update(decay: float) -> Update:
    """Exponential moving average; its decay grows as (1 + t) / (10 + t) up to ``decay``, so the start is forgotten."""
    return _moving_average(lambda t: 1 - min(decay, (1 + t) / (10 + t)))


def swa_update(first: int) -> Update:
    """Copy up to update number ``first``, from there on the equal average of all updates."""
    return _moving_average(lambda t: 1 / max(1, t - first + 1))


def _moving_average(weight_of: Callable[[int], float]) -> Update:
    """``average += weight (current - average)``; integer buffers (batch counts) are copied."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            torch._foreach_lerp_(list(averages), list(currents), weight_of(int(count)))
        else:
            torch._foreach_copy_(list(averages), list(currents))

    return update
