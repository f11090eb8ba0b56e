"""Weight averaging: validation, selection and the final model see the average, training goes on from the iterate."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import update_bn

from medauc.data.datamodule import ImageDataModule
from medauc.sampling.part import drawing_for
from medauc.training.sections.training import TrainingSection

Weight = Callable[[int], float]
Update = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def build_averaging(section: TrainingSection, fresh: Callable[[], ImageDataModule]) -> list[WeightAveraging]:
    """The callback that averages weights, if the recipe asks for one.

    Args:
        section: what to average.
        fresh: makes this process's part of the training's batches from their start, apart from those that train.
    """
    if section.weight_averaging == "ema":
        return [Averaging(ema_weight(section.ema_decay))]
    if section.weight_averaging == "swa":
        return [StochasticWeightAverage(int(section.swa_start * section.max_epochs), fresh)]
    return []


class Averaging(WeightAveraging):
    """Moving average of weights and buffers: ``average += weight_of(updates so far) * (current - average)``."""

    def __init__(self, weight_of: Weight) -> None:
        update = moving_average(weight_of)
        super().__init__(
            multi_avg_fn=lambda averages, currents, _: update(averages, currents, self._updates())
        )

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Copy the module; keep the number of updates where reading it waits for no device."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Follow the module to its device, which it had not reached when it was copied."""
        assert self._average_model is not None
        self._average_model.module.to(pl_module.device)

    def _updates(self) -> int:
        assert self._average_model is not None
        return int(self._average_model.n_averaged)


class StochasticWeightAverage(Averaging):
    """Equal average of the weights after each epoch from ``first_epoch`` on (SWA, Izmailov et al., UAI 2018).

    Running statistics of batch normalisation belong to the weights they were gathered with, so those of the average
    are estimated anew from an epoch of training batches, as the paper prescribes, before it is validated or kept.
    (An exponential average stays close to the iterate; the average of its statistics serves as well there.)
    """

    def __init__(self, first_epoch: int, fresh: Callable[[], ImageDataModule]) -> None:
        super().__init__(swa_weight(first_epoch))
        self.first_epoch = first_epoch
        self.fresh = fresh
        self._steps_per_epoch = 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn how long an epoch is."""
        super().on_train_start(trainer, pl_module)
        self._steps_per_epoch = int(trainer.num_training_batches)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After the last step of each epoch: Lightning's epoch hook comes only after validation."""
        return step_idx is not None and (step_idx + 1) % self._steps_per_epoch == 0

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Estimate the statistics of the average, which is about to take the place of the iterate."""
        if trainer.current_epoch > self.first_epoch:  # the first one is a copy
            self._estimate_statistics()
        super().on_validation_epoch_start(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Without validation, estimate them once, for the weights that are kept."""
        super().on_train_epoch_end(trainer, pl_module)
        if not trainer.enable_validation and trainer.current_epoch + 1 == trainer.max_epochs:
            self._estimate_statistics()

    def _estimate_statistics(self) -> None:
        assert self._average_model is not None
        average: Any = self._average_model.module
        average.train()
        update_bn(self._inputs(average), average.network)

    def _inputs(self, module: Any) -> Iterator[Tensor]:
        """Network inputs of the first epoch's batches, changed at random as in training, the same at every call."""
        torch.manual_seed(module.seed)  # every training step sets its own state
        for batch in self.fresh().train_dataloader():
            with drawing_for(batch.rows):
                yield module.augment(module.normalize(batch.images.to(module.device)))


def ema_weight(decay: float) -> Weight:
    """Exponential moving average; its decay grows as (1 + t) / (10 + t) up to ``decay``, so the start is forgotten."""
    return lambda t: 1 - min(decay, (1 + t) / (10 + t))


def swa_weight(first: int) -> Weight:
    """Copy up to update number ``first``, from there on the equal average of all updates."""
    return lambda t: 1 / max(1, t - first + 1)


def moving_average(weight_of: Weight) -> Update:
    """``average += weight (current - average)``; integer buffers (batch counts) are copied."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            torch._foreach_lerp_(list(averages), list(currents), weight_of(int(count)))
        else:
            torch._foreach_copy_(list(averages), list(currents))

    return update
