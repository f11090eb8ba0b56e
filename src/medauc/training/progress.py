"""How far a training is: on a terminal a bar with rate and time left, elsewhere a line an epoch."""

import math
import sys
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from medauc.printing import say
from medauc.training.callbacks import HISTORY_COLUMNS, History, SelectBest
from medauc.training.elapsed import clock, duration


def progress_of(best: SelectBest, history: History) -> Callback:
    """What shows this process's training on its output."""
    return TrainingProgress(best) if sys.stderr.isatty() else EpochLines(best, history)


def tell(line: str) -> None:
    """Print a line beside the bar where there is one, else among the epochs of :class:`EpochLines`."""
    say(line, err=sys.stderr.isatty())


class EpochLines(Callback):
    """Prints a line an epoch: a log, or whoever reads a pipe, has no use for a bar.

    Must stand behind ``history``, which has the epoch's row.
    """

    def __init__(self, best: SelectBest, history: History) -> None:
        self.best = best
        self.history = history

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print."""
        row = dict(zip(HISTORY_COLUMNS, self.history.rows[-1], strict=True))
        done, most = trainer.current_epoch + 1, trainer.max_epochs or 1
        stage = f"stage {self.history.stage}, " if self.history.stage > 1 else ""
        auc = (
            ""
            if math.isnan(row["val_auc"])
            else f", val AUC {row['val_auc']:.3f}, best {self.best.best_auc:.3f}"
        )
        left = f", left at most {clock((most - done) * row['seconds'])}" if done < most else ""
        tell(f"{stage}epoch {done}/{most}: loss {row['loss']:.4f}{auc}, {duration(row['seconds'])}{left}")


class TrainingProgress(Callback):
    """Steps done of steps possible (early stopping may end sooner), steps per second, validation AUC so far."""

    def __init__(self, best: SelectBest) -> None:
        self.best = best
        self._progress = Progress(
            TextColumn("[bold]training[/]"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left at most"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[auc]}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("", total=None, rate="", auc="")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar."""
        total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
        self._progress.update(self._task, total=total, completed=trainer.global_step)
        self._progress.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance."""
        speed = self._progress.tasks[0].speed
        images = len(batch.targets) * trainer.world_size
        rate = f"{speed * images:.0f} images/s" if speed else ""
        self._progress.update(self._task, completed=trainer.global_step, rate=rate)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the validation AUC of this epoch and the best."""
        auc = float(trainer.callback_metrics["val_auc"])
        text = f"epoch {trainer.current_epoch + 1}: val AUC {auc:.3f}, best {self.best.best_auc:.3f}"
        self._progress.update(self._task, auc=text)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        self._progress.stop()
