"""One training: from a data set and a recipe to a run folder with predictions and evaluation."""

import logging
import math
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback

from medauc.data import Dataset
from medauc.data.augment import Augment
from medauc.data.datamodule import ImageDataModule
from medauc.data.normalize import Normalize, compute_statistics
from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions, evaluate
from medauc.models import build_model
from medauc.training.averaging import build_averaging
from medauc.training.callbacks import History, ResumableEarlyStopping, SelectBest
from medauc.training.checkpoint import BEST, LAST, AtomicCheckpointIO, SaveLast, load_weights
from medauc.training.module import Classifier, TrainingDiverged
from medauc.training.objective import build_loss
from medauc.training.progress import TrainingProgress
from medauc.training.recipe import Recipe
from medauc.training.run_folder import Provenance, RunFolder, require_usable
from medauc.training.scoring import settings_of

Device = Literal["auto", "cpu", "cuda"]


class Interrupted(Exception):
    """The user stopped the training; its last finished epoch is kept."""


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: RunFolder
    evaluation: Evaluation


def train(
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 0,
    device: Device = "auto",
    resume: bool = False,
    progress: bool = False,
) -> Run:
    """Train, restore the best weights by validation AUC, score validation and test once, evaluate.

    Args:
        dataset: data with train, val and test splits.
        recipe: what to do.
        folder: the run folder to write; must be new or empty unless ``resume``.
        seed: decides initial weights, order of samples and every random change of images.
        device: "auto" takes a GPU if there is one.
        resume: continue the run in ``folder`` from its last finished epoch; on the CPU the result is bit-identical
            to that of an uninterrupted run. A finished run is returned as it is.
        progress: show a progress bar on standard error.

    Returns:
        The run with its evaluation; ``recipe.yaml``, ``metrics.csv``, ``checkpoints/``, ``predictions.csv`` and
        ``evaluation.json`` lie in its folder.

    Raises:
        InputError: the folder is in use or not writable, or holds a run of another recipe.
        TrainingDiverged: a loss, gradient or score was not finite.
        OSError: the disk is full; the last good checkpoint is kept.
        Interrupted: Ctrl-C; ``resume`` continues.
    """
    run = RunFolder(folder)
    require_usable(folder, resume)
    accelerator = choose_device(device)
    provenance = Provenance.of(dataset, seed, accelerator)
    if resume:
        run.require_same(recipe, provenance)
        if run.evaluation.exists():
            return Run(run, Evaluation.read(run.evaluation))
    # Built before the folder is made: what does not fit together leaves nothing behind.
    module = build_classifier(dataset, recipe, seed)
    data = build_data_module(dataset, recipe, seed)
    if resume:
        run.remove_leftovers()
    else:
        run.create(recipe, provenance)
    with _quiet_lightning(), _interruptible(dataset, folder):
        _fit(module, data, recipe, run, accelerator, progress)
        load_weights(module.network, run.checkpoints / BEST)
        predictions = predict(module, data, accelerator)
    predictions.write(run.predictions)
    evaluation = evaluate(predictions, settings_of(recipe, dataset.positive_class))
    evaluation.write(run.evaluation)
    return Run(run, evaluation)


def choose_device(device: Device) -> str:
    """Resolve "auto"; raise InputError when a GPU is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no GPU that PyTorch can use; take --device cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def build_classifier(dataset: Dataset, recipe: Recipe, seed: int) -> Classifier:
    """Build network, loss, normalisation and augmentation for ``dataset``, with weights decided by ``seed``.

    Raises:
        InputError: recipe and data do not fit together, or the recipe's weights do not fit its network.
    """
    options = {} if recipe.augment is None else recipe.augment.model_dump()
    if options.get("quarter_turns") and len(set(dataset.image_shape)) > 1:
        raise InputError(
            f"augment.quarter_turns needs equal sides, {dataset.name} has {dataset.image_shape}; set it to false"
        )
    torch.manual_seed(seed)
    network = build_model(
        recipe.model.name,
        spatial_dims=dataset.spatial_dims,
        in_channels=dataset.channels,
        num_outputs=len(dataset.label_names),
        width=recipe.model.width,
        stem=recipe.model.stem,
        conversion=recipe.model.conversion,
        weights=recipe.model.weights,
    )
    statistics = compute_statistics(dataset.train.images, dataset.spatial_dims)
    return Classifier(
        network,
        build_loss(recipe.loss, dataset.train.targets, build_data_module(dataset, recipe, seed).prevalence),
        Normalize(dataset.spatial_dims, recipe.data.normalization, statistics),
        Augment(dataset.spatial_dims, **options),
        recipe,
        seed,
    )


def build_data_module(dataset: Dataset, recipe: Recipe, seed: int) -> ImageDataModule:
    """Build the data module with the sampler that the recipe names.

    Raises:
        InputError: the data set has no batches of that kind.
    """
    sampling = recipe.sampling
    return ImageDataModule(
        dataset,
        sampling.batch_size,
        sampling.positive_share,
        seed,
        sampler=sampling.name,
        keep_groups=sampling.keep_groups,
    )


def predict(module: Classifier, data: ImageDataModule, accelerator: str) -> Predictions:
    """Score validation and test once, with the weights that ``module`` has.

    Raises:
        TrainingDiverged: a score is not finite.
    """
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=module.recipe.training.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    tables = []
    for name, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        split = data.dataset.splits[name]
        batches: Any = trainer.predict(module, loader, return_predictions=True)
        scores = torch.cat(batches).double().cpu().numpy()
        tables.append(_table(name, data.dataset, split.targets, scores))
    return Predictions.concatenate(tables)


def _table(
    name: str, dataset: Dataset, targets: NDArray[np.int64], scores: NDArray[np.float64]
) -> Predictions:
    if not np.isfinite(scores).all():
        raise TrainingDiverged(
            f"{int((~np.isfinite(scores)).sum())} scores of the {name} split are not finite"
        )
    split = dataset.splits[name]
    labels = dataset.label_names if dataset.multi_label else None
    return Predictions.from_arrays(
        split=name, ids=split.ids, groups=split.groups, targets=targets, scores=scores, label_names=labels
    )


def _fit(
    module: Classifier,
    data: ImageDataModule,
    recipe: Recipe,
    run: RunFolder,
    accelerator: str,
    progress: bool,
) -> None:
    """Run the epochs; on return ``best.safetensors`` holds the weights with the best validation AUC."""
    best = SelectBest(run.checkpoints / BEST)
    callbacks: list[Callback] = [best, *build_averaging(recipe.training), History(run.metrics)]
    if recipe.training.patience is not None:
        callbacks.append(
            ResumableEarlyStopping(
                recipe.training.monitor, mode="max", patience=recipe.training.patience, min_delta=0.0
            )
        )
    if progress:
        callbacks.append(TrainingProgress(best))
    callbacks.append(SaveLast(run.checkpoints))
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=recipe.training.precision,
        max_epochs=recipe.training.max_epochs,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=run.path,
    )
    last = run.checkpoints / LAST
    trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None, weights_only=True)
    if math.isinf(best.best_auc):
        raise TrainingDiverged(
            "validation AUC was never defined: the validation split has no label with both classes"
        )


@contextmanager
def _interruptible(dataset: Dataset, folder: Path) -> Iterator[None]:
    """Lightning turns Ctrl-C into an exit and leaves the signal ignored; turn that into :class:`Interrupted`."""
    try:
        yield
    except SystemExit:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        name = dataset.source if dataset.entry is None and dataset.source else dataset.name
        raise Interrupted(
            f"interrupted; continue with: medauc train {name} --resume --out {folder}"
        ) from None


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning announces its hardware and its opinions on worker counts; a user of medauc did not ask."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", module="lightning_fabric")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
