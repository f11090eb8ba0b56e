"""What happens around the steps: selection on validation, the history file, early stopping, weight averaging."""

import math
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback, Checkpoint, EarlyStopping
from torch import Tensor, nn

from medauc.files import write_text_atomically
from medauc.losses.distributed import gather_rows
from medauc.metrics import roc_auc
from medauc.training import ranks
from medauc.training.checkpoint import save_weights
from medauc.training.module import Classifier, TrainingDiverged
from medauc.training.watch import heard

HISTORY_COLUMNS = ("stage", "epoch", "loss", "a", "b", "alpha", "lr", "train_auc", "val_auc", "seconds")


def mean_auc(targets: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """AUC of one label, or the mean over the labels that have both classes; NaN when none has.

    Args:
        targets: (N,) or (N, L) in {0, 1}, -1 unknown.
        scores: same shape, finite.

    >>> mean_auc(np.array([[0, 1], [1, 1]]), np.array([[0.2, 0.5], [0.7, 0.1]]))
    1.0
    """
    columns = zip(np.atleast_2d(targets.T), np.atleast_2d(scores.T), strict=True)
    both = [(t[t >= 0], s[t >= 0]) for t, s in columns if {0, 1} <= set(np.unique(t).tolist())]
    return float(np.mean([roc_auc(t, s) for t, s in both])) if both else math.nan


class _Collected:
    """Scores and targets of an epoch, of all processes, kept on their device until they are asked for."""

    def __init__(self) -> None:
        self.scores: list[Tensor] = []
        self.targets: list[Tensor] = []

    def add(self, outputs: Any) -> None:
        self.scores.append(outputs["scores"])
        self.targets.append(outputs["targets"])

    def auc(self, where: str) -> float:
        scores = gather_rows(torch.cat(self.scores)).double().cpu().numpy()
        if not np.isfinite(scores).all():
            raise TrainingDiverged(
                f"{where}: {int((~np.isfinite(scores)).sum())} scores are not finite: training stopped, the last good "
                "checkpoint is kept; lower optim.lr, or set training.precision=32-true"
            )
        auc = mean_auc(gather_rows(torch.cat(self.targets)).cpu().numpy(), scores)
        self.scores, self.targets = [], []
        return auc


class SelectBest(Callback):
    """Scores validation each epoch and keeps the weights with the best AUC in a file.

    Must stand before the weight-averaging callback: then the averaged weights, which were scored, are still in place.
    A tie goes to the later epoch, whose weights are further annealed and averaged; tiny validation sets tie often.
    What an earlier stage reached has to be exceeded.

    Args:
        path: the file, ``.safetensors``.
        to_beat: best AUC of the stage before.
    """

    def __init__(self, path: Path, to_beat: float = -math.inf) -> None:
        self.path = path
        self.best_auc = to_beat
        self.improved = False
        self._collected = _Collected()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Collect."""
        self._collected.add(outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score, log ``val_auc``, save when it is the best so far."""
        assert isinstance(pl_module, Classifier)
        auc = self._collected.auc(f"validation after epoch {trainer.current_epoch}")
        pl_module.log("val_auc", auc)
        if auc > self.best_auc or (self.improved and auc == self.best_auc):
            self.best_auc, self.improved = auc, True
            if pl_module.recipe.training.selection == "best" and ranks.is_first():
                save_weights(pl_module.network, self.path)

    def state_dict(self) -> dict[str, Any]:
        """Best AUC, and whether it is of this stage."""
        return {"best_auc": self.best_auc, "improved": self.improved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.best_auc, self.improved = state_dict["best_auc"], state_dict["improved"]


class History(Callback):
    """Writes ``metrics.csv``, one row an epoch; the rows live in the checkpoint: no gap or repeat after a resume.

    Epochs are counted over all stages.

    Args:
        path: the file.
        stage: number of the stage, from 1.
        rows: of the stages before.
    """

    def __init__(self, path: Path, stage: int = 1, rows: Sequence[list[float]] = ()) -> None:
        self.path = path
        self.stage = stage
        self.rows = list(rows)
        self._collected = _Collected()
        self._losses: list[Tensor] = []
        self._lr = math.nan
        self._start = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; note the rate the epoch begins with."""
        self._start = time.perf_counter()
        self._lr = float(trainer.optimizers[0].param_groups[0]["lr"])
        self._collected, self._losses = _Collected(), []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect loss and scores of the step (of augmented images, while the weights move)."""
        self._losses.append(outputs["loss"].detach())
        self._collected.add(outputs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row and write the file."""
        assert isinstance(pl_module, Classifier)
        self.rows.append(
            [
                self.stage,
                len(self.rows),
                float(torch.stack(self._losses).mean()),
                *(_mean_of(pl_module.loss, name) for name in ("a", "b", "alpha")),
                self._lr,
                self._collected.auc(f"training in epoch {trainer.current_epoch}"),
                float(trainer.callback_metrics.get("val_auc", math.nan)),
                time.perf_counter() - self._start,
            ]
        )
        if ranks.is_first():
            self.write()

    def write(self) -> None:
        """Write all rows; a value that the loss does not have is left empty."""
        lines = [",".join(HISTORY_COLUMNS)]
        lines += [",".join("" if math.isnan(x) else f"{x:.8g}" for x in row) for row in self.rows]
        write_text_atomically(self.path, "\n".join(lines) + "\n")

    def state_dict(self) -> dict[str, Any]:
        """All rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore them."""
        self.rows = state_dict["rows"]


def _mean_of(loss: nn.Module, name: str) -> float:
    """Mean over labels of a variable of the loss, NaN when it has none of that name."""
    value = getattr(loss, name, None)
    return float(value.detach().float().mean()) if isinstance(value, Tensor) else math.nan


class ResumableEarlyStopping(EarlyStopping):
    """Lightning's early stopping, which also stops when resumed from the checkpoint of its last epoch."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Without this a run killed between its last epoch and its evaluation would train one epoch more."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class EndWhenTold(Callback):
    """Ends a process by SIGTERM at once; Lightning would have it talk to the others first, who may be gone."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the system's own way again."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class TellWatch(Checkpoint):
    """Tells who watches the training of each epoch (Lightning runs ``Checkpoint`` callbacks last, in their order).

    Must stand behind the one that saves: what is given up can then be resumed.

    Args:
        history: has the epoch's row.
    """

    def __init__(self, history: History) -> None:
        self.history = history

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell of the epoch that a checkpoint ended with: its process may have died before it could."""
        if self.history.rows:
            self.on_train_epoch_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell; raise GivenUp when it shall end."""
        rows = self.history.rows
        heard(len(rows), rows[-1][HISTORY_COLUMNS.index("val_auc")])
