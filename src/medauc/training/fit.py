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
from medauc.evaluation import Evaluation, Predictions, evaluate, evaluate_validation
from medauc.losses.distributed import gather_rows
from medauc.models import BagScores
from medauc.training import ranks
from medauc.training.checkpoint import BEST, load_weights
from medauc.training.claim import claimed
from medauc.training.executor import Executor
from medauc.training.inputs import Inputs
from medauc.training.instances import instance_table, write_instances
from medauc.training.memory import OutOfMemory, free_memory, lower_batch, telling_out_of_memory
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

    In processes that torchrun started all of them call it alike and train one network together: ``batch_size`` is that
    of all, the result that of one process, and the first one writes the folder (docs/scale.md).

    Args:
        dataset: data with train, val and test splits; with ``training.selection: last`` the validation split may
            be empty: exactly ``max_epochs`` are trained and the last weights kept. The test split of a search is
            empty: there is no ``reference.npz`` then, and the evaluation is of validation alone.
        recipe: what to do.
        folder: the run folder to write; must be new or empty unless ``resume``.
        seed: decides initial weights, order of samples and every random change of images.
        device: "auto" takes a GPU if there is one.
        resume: continue the run in ``folder`` from its last finished epoch; on the CPU the result is bit-identical
            to that of an uninterrupted run. A finished run is returned as it is.
        progress: show a progress bar on standard error; where that is no terminal, print a line an epoch.
        executor: trains the networks of an ensemble, several at a time; without one they are trained in turn.

    Returns:
        The run with its evaluation; ``recipe.yaml``, ``metrics.csv``, ``checkpoints/``, ``reference.npz``,
        ``predictions.csv`` and ``evaluation.json`` lie in its folder.

    Raises:
        InputError: the folder is in use or not writable, another process trains in it, or it holds a run of another
            recipe; 16-bit training on a CPU without instructions for it.
        TrainingDiverged: a loss, gradient or score was not finite.
        DiskFull: the last good checkpoint is kept.
        OutOfMemory: also with half the batch, where ``training.out_of_memory`` allows to try that.
        Interrupted: Ctrl-C; ``resume`` continues.
    """
    accelerator = choose_device(device)
    require_precision(recipe.training.precision, accelerator)
    with ranks.joined(accelerator), ranks.first_in(claimed(folder)):
        if recipe.ensemble.is_single:
            return _train_within_memory(dataset, recipe, folder, seed, accelerator, resume, progress)
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


def _train_within_memory(
    dataset: Dataset, recipe: Recipe, folder: Path, seed: int, accelerator: str, resume: bool, progress: bool
) -> Run:
    """Train one network; anew with half the batch where memory ends and the recipe allows it."""
    try:
        return _train_one(dataset, recipe, folder, seed, accelerator, resume, progress)
    except OutOfMemory:
        # Of several processes only this one knows; the others wait for it, and are ended with it.
        if ranks.several() or not lower_batch(folder, recipe):
            raise
    free_memory()  # here, where no exception refers to it
    return _train_one(dataset, recipe, folder, seed, accelerator, True, progress)


def _train_one(
    dataset: Dataset, recipe: Recipe, folder: Path, seed: int, accelerator: str, resume: bool, progress: bool
) -> Run:
    run = RunFolder(folder)
    provenance = Provenance.of(dataset, seed, accelerator, recipe.model.weights)
    recipe, finished = ranks.decided(lambda: _found(run, recipe, provenance, resume))
    if finished is not None:
        return Run(run, finished)
    # Built before the folder is made: what does not fit together leaves nothing behind.
    stages = ranks.together(lambda: build_stages(dataset, recipe, seed))
    inputs = Inputs.of(dataset, stages[0].module.normalize.statistics)
    ranks.decided(lambda: _begin(run, recipe, replace(provenance, inputs=inputs), dataset, resume))
    with quiet_lightning(), _interruptible(dataset, folder), telling_out_of_memory(recipe, accelerator):
        ranks.together(lambda: _require_in_sight(run))
        fit_stages(stages, run, accelerator, progress)
        module = stages[-1].module
        load_weights(module.network, run.checkpoints / BEST)
        predictions, instances = predict(module, stages[-1].data, accelerator)
        evaluation = ranks.decided(
            lambda: _finish(run, recipe, module.to(accelerator).eval(), dataset, predictions, instances)
        )
    return Run(run, evaluation)


def _found(
    run: RunFolder, recipe: Recipe, provenance: Provenance, resume: bool
) -> tuple[Recipe, Evaluation | None]:
    """What is to be trained in the folder, and what was made of it already if it is finished."""
    require_usable(run.path, resume)
    if not resume:
        return recipe, None
    recipe = run.require_same(recipe, provenance)
    run.remove_leftovers()  # of a finished run too: its report may have been half-written
    return recipe, Evaluation.read(run.evaluation) if run.evaluation.exists() else None


def _begin(run: RunFolder, recipe: Recipe, provenance: Provenance, dataset: Dataset, resume: bool) -> None:
    """Clear the folder of what a killed process left, and make it."""
    run.remove_leftovers()
    if resume:
        run.restore()
    else:
        run.create(recipe, provenance)
    run.write_splits(dataset)


def _require_in_sight(run: RunFolder) -> None:
    """Raise InputError where a process cannot see what the first one has made."""
    if not run.recipe.exists():
        raise InputError(f"{run.path}: not the same folder on all hosts; name one that they share with --out")


def _finish(
    run: RunFolder,
    recipe: Recipe,
    module: Classifier,
    dataset: Dataset,
    predictions: Predictions,
    instances: pd.DataFrame | None,
) -> Evaluation:
    """Write what a finished run leaves; the evaluation comes last, by which it is finished."""
    if len(dataset.test):
        Reference.of(module, dataset).write(run.reference)
    if instances is not None:
        write_instances(instances, run.instances)
    predictions.write(run.predictions)
    judge = evaluate if len(dataset.test) else evaluate_validation
    evaluation = judge(predictions, settings_of(recipe, dataset.positive_class))
    evaluation.write(run.evaluation)
    return evaluation


def choose_device(device: Device) -> str:
    """Resolve "auto"; raise InputError when a GPU is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no GPU that PyTorch can use; take --device cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def predict(
    module: Classifier, data: ImageDataModule, accelerator: str
) -> tuple[Predictions, pd.DataFrame | None]:
    """Score validation, where there is any, and test once, with the weights that ``module`` has.

    Of several processes each scores its part, and all have the scores of all.

    Returns:
        The table of scores; of bags the table of their images too (:func:`~medauc.training.instances.instance_table`).

    Raises:
        TrainingDiverged: a score is not finite.
    """
    trainer = pl.Trainer(
        accelerator=accelerator,
        devices=ranks.own_device(accelerator),
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
            scored = BagScores(*(gather_rows(torch.cat(parts)) for parts in zip(*batches, strict=True)))
            instances.append(instance_table(name, split, data.dataset.label_names, [scored]))
            gathered = scored.bags
        else:
            gathered = gather_rows(torch.cat(batches))
        scores = gathered.double().cpu().numpy().reshape(split.targets.shape)
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
    salt = "" if dataset.salt is None else " --hash-ids SALT"
    return f"medauc train {dataset.typed} --resume --out {folder}{salt}"
