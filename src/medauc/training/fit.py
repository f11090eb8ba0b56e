"""One training: from a data set and a recipe to a run folder with predictions and evaluation."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray

from medauc.data import BagSplit, Dataset
from medauc.data.datamodule import ImageDataModule
from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions, evaluate
from medauc.training.checkpoint import BEST, load_weights
from medauc.training.executor import Executor
from medauc.training.inputs import Inputs
from medauc.training.instances import instance_table, write_instances
from medauc.training.module import Classifier, TrainingDiverged
from medauc.training.precision import for_scoring, require_precision
from medauc.training.prediction.reference import Reference
from medauc.training.quiet import quiet_lightning
from medauc.training.recipe import Recipe
from medauc.training.run_folder import Provenance, RunFolder, require_usable
from medauc.training.scoring import settings_of
from medauc.training.stages import build_stages, fit_stages

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
    executor: Executor | None = None,
) -> Run:
    """Train, restore the best weights by validation AUC, score validation and test once, evaluate.

    Args:
        dataset: data with train, val and test splits; with ``training.selection: last`` the validation split may
            be empty: exactly ``max_epochs`` are trained and the last weights kept.
        recipe: what to do.
        folder: the run folder to write; must be new or empty unless ``resume``.
        seed: decides initial weights, order of samples and every random change of images.
        device: "auto" takes a GPU if there is one.
        resume: continue the run in ``folder`` from its last finished epoch; on the CPU the result is bit-identical
            to that of an uninterrupted run. A finished run is returned as it is.
        progress: show a progress bar on standard error.
        executor: trains the networks of an ensemble, several at a time; without one they are trained in turn.

    Returns:
        The run with its evaluation; ``recipe.yaml``, ``metrics.csv``, ``checkpoints/``, ``reference.npz``,
        ``predictions.csv`` and ``evaluation.json`` lie in its folder.

    Raises:
        InputError: the folder is in use or not writable, or holds a run of another recipe; 16-bit training on a CPU
            without instructions for it.
        TrainingDiverged: a loss, gradient or score was not finite.
        OSError: the disk is full; the last good checkpoint is kept.
        Interrupted: Ctrl-C; ``resume`` continues.
    """
    accelerator = choose_device(device)
    require_precision(recipe.training.precision, accelerator)
    if not recipe.ensemble.is_single:
        # Not at the top: it trains its networks by this function.
        from medauc.training.ensemble import train_ensemble

        return train_ensemble(
            dataset,
            recipe,
            folder,
            seed=seed,
            device=device,
            resume=resume,
            progress=progress,
            executor=executor,
        )
    run = RunFolder(folder)
    require_usable(folder, resume)
    provenance = Provenance.of(dataset, seed, accelerator, recipe.model.weights)
    if resume:
        run.require_same(recipe, provenance)
        if run.evaluation.exists():
            return Run(run, Evaluation.read(run.evaluation))
    # Built before the folder is made: what does not fit together leaves nothing behind.
    stages = build_stages(dataset, recipe, seed)
    if resume:
        run.remove_leftovers()
    else:
        inputs = Inputs.of(dataset, stages[0].module.normalize.statistics)
        run.create(recipe, replace(provenance, inputs=inputs))
        run.write_splits(dataset)
    with quiet_lightning(), _interruptible(dataset, folder):
        fit_stages(stages, run, accelerator, progress)
        module = stages[-1].module
        load_weights(module.network, run.checkpoints / BEST)
        predictions, instances = predict(module, stages[-1].data, accelerator)
        Reference.of(module.to(accelerator).eval(), dataset).write(run.reference)
    if instances is not None:
        write_instances(instances, run.instances)
    predictions.write(run.predictions)
    evaluation = evaluate(predictions, settings_of(recipe, dataset.positive_class))
    evaluation.write(run.evaluation)
    return Run(run, evaluation)


def choose_device(device: Device) -> str:
    """Resolve "auto"; raise InputError when a GPU is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no GPU that PyTorch can use; take --device cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def predict(
    module: Classifier, data: ImageDataModule, accelerator: str
) -> tuple[Predictions, pd.DataFrame | None]:
    """Score validation, where there is any, and test once, with the weights that ``module`` has.

    Returns:
        The table of scores; of bags the table of their images too (:func:`~medauc.training.instances.instance_table`).

    Raises:
        TrainingDiverged: a score is not finite.
    """
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=for_scoring(module.recipe.training.precision, accelerator),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    tables, instances = [], []
    for name, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        split = data.dataset.splits[name]
        if not len(split):
            continue
        batches: Any = trainer.predict(module, loader, return_predictions=True)
        if isinstance(split, BagSplit):
            instances.append(instance_table(name, split, data.dataset.label_names, batches))
            batches = [batch.bags for batch in batches]
        scores = torch.cat(batches).double().cpu().numpy().reshape(split.targets.shape)
        tables.append(_table(name, data.dataset, split.targets, scores))
    return Predictions.concatenate(tables), pd.concat(instances) if instances else None


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
        split=name,
        ids=split.ids,
        groups=split.groups,
        targets=targets,
        scores=scores,
        label_names=labels,
        further=split.metadata,
    )


@contextmanager
def _interruptible(dataset: Dataset, folder: Path) -> Iterator[None]:
    """Lightning turns Ctrl-C into an exit and leaves the signal ignored; turn that into :class:`Interrupted`."""
    try:
        yield
    except SystemExit:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise Interrupted(f"interrupted; continue with: {resume_command(dataset, folder)}") from None


def resume_command(dataset: Dataset, folder: Path) -> str:
    """What a user types to continue the run in ``folder``."""
    name = dataset.source if dataset.entry is None and dataset.source else dataset.name
    salt = "" if dataset.salt is None else " --hash-ids SALT"
    return f"medauc train {name} --resume --out {folder}{salt}"
