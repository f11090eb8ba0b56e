"""Several trainings that make one model: on folds, with several seeds, refitted; one run folder holds them all."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medauc.data import Dataset
from medauc.data.folds import assign_folds
from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions
from medauc.training.combination import Combination
from medauc.training.ensemble_folder import EnsembleFolder
from medauc.training.executor import Executor
from medauc.training.fit import Device, Interrupted, Run, choose_device, resume_command, train
from medauc.training.members import (
    Member,
    data_of,
    epochs_of_refit,
    members_of,
    recipe_of,
    refits_of,
)
from medauc.training.origin import require_unseen
from medauc.training.recipe import Recipe
from medauc.training.run_folder import Provenance, RunFolder, require_usable
from medauc.training.scoring import evaluate_path
from medauc.training.stages import build_stages
from medauc.training.unit import Unit


@dataclass(frozen=True)
class Part:
    """Picks from the whole data set what one member is trained on; it can be sent to another process."""

    member: Member
    assignment: NDArray[np.int64] | None
    by: str | None = None

    def __call__(self, dataset: Dataset) -> Dataset:
        """The data set as the member sees it."""
        return data_of(self.member, dataset, self.assignment, self.by)


def train_ensemble(
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
    """Train the networks that ``recipe.ensemble`` asks for, combine their scores, evaluate them as one model.

    Args:
        dataset: data with train, val and test splits.
        recipe: what to do; its section ``ensemble`` asks for more than one network.
        folder: the run folder to write; the networks' own lie below its ``members``.
        seed: decides the folds and the seed of each network.
        device: as in :func:`medauc.training.train`.
        resume: go on with an interrupted ensemble; finished networks are kept.
        progress: say which network is trained, and show a bar for it, on standard error.
        executor: trains several networks at a time; one after the other in this process if None.

    Returns:
        The ensemble as a run; ``recipe.yaml``, ``folds.csv``, ``ensemble.json``, ``members.csv``,
        ``predictions.csv`` and ``evaluation.json`` lie in its folder.

    Raises:
        InputError: as :func:`medauc.training.train`, or a class is too rare for the folds.
        TrainingDiverged: as there.
        Interrupted: Ctrl-C; ``resume`` continues.
    """
    run = EnsembleFolder(folder)
    require_usable(folder, resume)
    weights = recipe.model.weights
    provenance = Provenance.of(dataset, seed, choose_device(device), weights)
    if weights is not None and recipe.ensemble.folds is not None:
        require_unseen(Path(weights), dataset.name, dataset.md5)
    if resume:
        run.require_same(recipe, provenance)
        if run.evaluation.exists():
            return Run(run, Evaluation.read(run.evaluation))
        run.remove_leftovers()
    assignment = _folds(run, dataset, recipe, seed)
    members, refits = members_of(recipe.ensemble, seed), refits_of(recipe.ensemble, seed)
    if not resume:  # what does not fit together leaves nothing behind
        build_stages(data_of(members[0], dataset, assignment), recipe_of(members[0], recipe, None), seed)
        run.create(recipe, provenance)
        run.write_splits(dataset)
    if assignment is not None:
        run.write_folds(dataset, assignment)

    def part_of(member: Member) -> Part:
        return Part(member, assignment, recipe.ensemble.folds_by)

    def train_all(members: Sequence[Member], refit_epochs: tuple[int, ...] | None = None) -> None:
        units = [
            _unit(run, part_of(member), recipe_of(member, recipe, refit_epochs), dataset, device)
            for member in members
        ]
        if executor is None:
            _one_by_one(units, dataset, progress)
        else:
            _all_at_once(units, executor, progress)

    try:
        train_all(members)
        refit_epochs = epochs_of_refit([run.member(member.name) for member in members]) if refits else None
        train_all(refits, refit_epochs)
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(f"interrupted; continue with: {resume_command(dataset, folder)}") from None
    _finish(run, members, refits, refit_epochs)
    return Run(run, Evaluation.read(run.evaluation))


def _unit(run: EnsembleFolder, part: Part, recipe: Recipe, dataset: Dataset, device: Device) -> Unit:
    """The training of one member, wherever it is done."""
    return Unit(
        folder=run.member(part.member.name).path,
        dataset=dataset.typed,
        recipe=recipe,
        seed=part.member.seed,
        data_dir=None if dataset.source is None else dataset.source.parent,
        device=device,
        allow_modified=dataset.modified,
        part=part,
        hash_ids=dataset.salt,
    )


def _finish(
    run: EnsembleFolder,
    members: Sequence[Member],
    refits: Sequence[Member],
    refit_epochs: tuple[int, ...] | None,
) -> None:
    """Write what makes the networks one model; the evaluation comes last, by which an ensemble is finished."""
    tables = {
        member: Predictions.read(run.member(member.name).predictions, allow_leakage=True)
        for member in (*members, *refits)
    }
    named = {member.name: table for member, table in tables.items()}
    combination = Combination.of({member: tables[member] for member in members}, refits, refit_epochs)
    combination.write(run.combination)
    run.write_singles(named)
    combination.predictions(named).write(run.predictions)
    evaluate_path(run.path, allow_leakage=True)[1].write(run.evaluation)


def _folds(run: EnsembleFolder, dataset: Dataset, recipe: Recipe, seed: int) -> NDArray[np.int64] | None:
    if recipe.ensemble.folds is None:
        return None
    if run.folds.exists():
        return run.read_folds(dataset)
    section = recipe.ensemble
    return assign_folds(dataset, section.folds, seed, by=section.folds_by, order_by=section.folds_order_by)


def _one_by_one(units: Sequence[Unit], dataset: Dataset, progress: bool) -> None:
    """Train in this process, whose data set is at hand."""
    tell = _announcer(units, progress)
    for number, unit in enumerate(units):
        tell(number)
        assert unit.part is not None
        train(
            unit.part(dataset),
            unit.recipe,
            unit.folder,
            seed=unit.seed,
            device=unit.device,
            resume=RunFolder(unit.folder).recipe.exists(),
            progress=progress,
        )


def _all_at_once(units: Sequence[Unit], executor: Executor, progress: bool) -> None:
    """Train through ``executor``; the others are finished before a failed one is told."""
    tell, failed = _announcer(units, progress), []
    for number, outcome in enumerate(executor.run(units), start=1):
        if outcome.error is not None:
            failed.append(f"{outcome.unit.folder.name}: {outcome.error}")
        tell(number)
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise InputError(f"{failed[0]}{more}; --resume trains again what is not finished")


def _announcer(units: Sequence[Unit], progress: bool) -> Callable[[int], None]:
    """Tell on standard error how many networks are finished and, from their time, how long the rest may take."""
    done = sum(RunFolder(unit.folder).evaluation.exists() for unit in units)
    start = time.perf_counter()

    def tell(number: int) -> None:
        if not progress or not units:
            return
        fresh = number - done
        left = (time.perf_counter() - start) / fresh * (len(units) - number) / 60 if fresh > 0 else None
        rest = "" if left is None else f", about {left:.0f} minutes left"
        print(f"{number} of {len(units)} networks finished{rest}", file=sys.stderr)

    return tell
