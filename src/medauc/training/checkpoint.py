"""Checkpoints that survive a crash and load without executing code."""

import io
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from medauc.errors import InputError
from medauc.files import write_bytes_atomically

LAST = "last.ckpt"
BEST = "best.safetensors"
# Of a first stage, under names of their own: a second one starts from these weights however often it is killed.
FIRST_LAST = "first_stage.ckpt"
FIRST_BEST = "first_stage.safetensors"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its final name and renames it: a full disk or a kill leaves the last good one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Serialise in memory, so that a full disk raises a plain OSError, then write atomically."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_bytes_atomically(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Load tensors and plain values only; raise InputError when the file is damaged."""
        try:
            return super().load_checkpoint(path, *arguments, **options)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{path}: damaged checkpoint ({reason}); delete it to train this run from its start"
            ) from None


class SaveLast(Checkpoint):
    """Saves everything needed to resume after every epoch (Lightning runs ``Checkpoint`` callbacks last)."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the file."""
        trainer.save_checkpoint(self.path)


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Write the weights of ``model`` as safetensors."""
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_bytes_atomically(path, save(state))


def extract_weights(checkpoint: Path, path: Path) -> None:
    """Write the network of a checkpoint, its averaged weights where weights are averaged, as safetensors."""
    stored = AtomicCheckpointIO().load_checkpoint(checkpoint, map_location="cpu", weights_only=True)
    network = {
        name.removeprefix("network."): value.contiguous()
        for name, value in stored["state_dict"].items()
        if name.startswith("network.")
    }
    write_bytes_atomically(path, save(network))


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Load safetensors weights into ``model``; raise InputError when file and model do not fit."""
    try:
        state: dict[str, Tensor] = load_file(path)
        model.load_state_dict(state)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: these weights do not fit the recipe's model: {reason}") from None
