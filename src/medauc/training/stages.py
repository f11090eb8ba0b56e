"""The stages of a training, one after another: each with loss, optimizer, schedule and batches of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from medauc.data import Dataset
from medauc.data.datamodule import ImageDataModule
from medauc.errors import InputError
from medauc.files import write_bytes_atomically
from medauc.models.synchronized_norm import synchronize_norm
from medauc.training import ranks
from medauc.training.averaging import build_averaging
from medauc.training.build import build_classifier, build_data_module
from medauc.training.callbacks import EndWhenTold, History, ResumableEarlyStopping, SelectBest, TellWatch
from medauc.training.checkpoint import (
    BEST,
    FIRST_BEST,
    FIRST_LAST,
    LAST,
    AtomicCheckpointIO,
    SaveLast,
    extract_weights,
    load_weights,
)
from medauc.training.module import Classifier, TrainingDiverged
from medauc.training.progress import progress_of
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder


@dataclass(frozen=True)
class Stage:
    """One stage: its recipe, what it trains, and the names of its checkpoint and of the weights that it keeps."""

    recipe: Recipe
    module: Classifier
    data: ImageDataModule
    last: str = LAST
    best: str = BEST


def build_stages(dataset: Dataset, recipe: Recipe, seed: int) -> list[Stage]:
    """Build what every stage trains.

    Raises:
        InputError: recipe and data do not fit together.
    """
    if not len(dataset.val) and recipe.training.selection == "best":
        raise InputError(
            f"{dataset.name}: without a validation split no epoch can be selected; "
            "use --set training.selection=last --set training.patience=null"
        )
    parts = [
        (stage, build_classifier(dataset, stage, seed, number), build_data_module(dataset, stage, seed))
        for number, stage in enumerate(recipe.stages(), start=1)
    ]
    names = [(FIRST_LAST, FIRST_BEST)] * (len(parts) - 1) + [(LAST, BEST)]
    return [Stage(*part, *name) for part, name in zip(parts, names, strict=True)]


def fit_stages(stages: Sequence[Stage], run: RunFolder, accelerator: str, progress: bool) -> None:
    """Run the epochs of all stages; on return ``best.safetensors`` holds the weights that are kept.

    A stage starts from the weights that the one before kept. Of all stages those of the best validation AUC stay,
    so a stage that never exceeds the one before leaves no trace in them. What a killed process had done is not
    repeated: a stage goes on at its own last checkpoint.
    """
    begun = [number for number, stage in enumerate(stages) if (run.checkpoints / stage.last).exists()]
    best, history = SelectBest(run.checkpoints / stages[0].best), History(run.metrics)
    for number in range(max(begun, default=0), len(stages)):
        stage, path = stages[number], run.checkpoints / stages[number].best
        if number > 0:
            source = run.checkpoints / stages[number - 1].best
            load_weights(stage.module.network, source)
            if number not in begun:
                ranks.decided(partial(_copy, source, path))
            best, history = SelectBest(path, best.best_auc), History(run.metrics, number + 1, history.rows)
        _fit(stage, best, history, run, accelerator, progress)
        if stage.recipe.training.selection == "last":
            ranks.decided(partial(extract_weights, run.checkpoints / stage.last, path))
        elif math.isinf(best.best_auc):
            raise TrainingDiverged(
                "validation AUC was never defined: the validation split has no label with both classes"
            )


def _fit(
    stage: Stage, best: SelectBest, history: History, run: RunFolder, accelerator: str, progress: bool
) -> None:
    """Run the epochs of one stage, from its last checkpoint where there is one."""
    training, last = stage.recipe.training, run.checkpoints / stage.last
    callbacks: list[Callback] = [best, *build_averaging(training, partial(_fresh, stage)), history]
    if training.patience is not None:
        callbacks.append(
            ResumableEarlyStopping(training.monitor, mode="max", patience=training.patience, min_delta=0.0)
        )
    if progress and ranks.is_first():
        callbacks.append(progress_of(best, history))
    if ranks.several():
        synchronize_norm(stage.module.network, accelerator)
        callbacks.append(EndWhenTold())
    callbacks += [SaveLast(last), TellWatch(history)]
    trainer = pl.Trainer(
        **ranks.trainer_options(),
        accelerator=accelerator,
        precision=training.precision,
        max_epochs=training.max_epochs,
        limit_val_batches=None if len(stage.data.dataset.val) else 0,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=run.path,
    )
    trainer.fit(
        stage.module, datamodule=stage.data, ckpt_path=last if last.exists() else None, weights_only=True
    )


def _fresh(stage: Stage) -> ImageDataModule:
    """This process's part of the stage's batches, from their start."""
    data = build_data_module(stage.data.dataset, stage.recipe, stage.module.seed)
    data.take_part(ranks.world_size(), ranks.rank())
    return data


def _copy(source: Path, path: Path) -> None:
    write_bytes_atomically(path, source.read_bytes())
