"""Several trainings that make one model: on folds, with several seeds, refitted; one run folder holds them all."""

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
from medauc.training import ranks
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
from medauc.training.progress import tell as tell_line
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
        progress: say how many networks are finished, and show the epochs of each, as :func:`medauc.training.train`.
        executor: trains several networks at a time; if None one after the other here, by all processes together.

    Returns:
        The ensemble as a run; ``recipe.yaml``, ``folds.csv``, ``ensemble.json``, ``members.csv``,
        ``predictions.csv`` and ``evaluation.json`` lie in its folder.

    Raises:
        InputError: as :func:`medauc.training.train`, or a class is too rare for the folds.
        TrainingDiverged: as there.
        Interrupted: Ctrl-C; ``resume`` continues.
    """
    run = EnsembleFolder(folder)
    provenance = Provenance.of(dataset, seed, choose_device(device), recipe.model.weights)
    finished = ranks.decided(lambda: _found(run, dataset, recipe, provenance, resume))
    if finished is not None:
        return Run(run, finished)
    members, refits = members_of(recipe.ensemble, seed), refits_of(recipe.ensemble, seed)
    assignment = ranks.decided(lambda: _begin(run, dataset, recipe, provenance, members[0], resume))

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
        refit_epochs = ranks.decided(
            lambda: epochs_of_refit([run.member(member.name) for member in members]) if refits else None
        )
        train_all(refits, refit_epochs)
    except (Interrupted, KeyboardInterrupt):
        raise Interrupted(f"interrupted; continue with: {resume_command(dataset, folder)}") from None
    return Run(run, ranks.decided(lambda: _finish(run, members, refits, refit_epochs)))


def _found(
    run: EnsembleFolder, dataset: Dataset, recipe: Recipe, provenance: Provenance, resume: bool
) -> Evaluation | None:
    """Check that folder and weights can be used; the evaluation if the ensemble is finished."""
    require_usable(run.path, resume)
    weights = recipe.model.weights
    if weights is not None and recipe.ensemble.folds is not None:
        require_unseen(Path(weights), dataset.name, dataset.md5)
    if not resume:
        return None
    run.require_same(recipe, provenance)
    run.remove_leftovers()
    return Evaluation.read(run.evaluation) if run.evaluation.exists() else None


def _begin(
    run: EnsembleFolder,
    dataset: Dataset,
    recipe: Recipe,
    provenance: Provenance,
    first: Member,
    resume: bool,
) -> NDArray[np.int64] | None:
    """Make the folder, or clear it of what a killed process left; the fold of each sample where there are folds."""
    if resume:
        run.remove_leftovers()
        run.restore()
    assignment = _folds(run, dataset, recipe, provenance.seed)
    if not resume:  # what does not fit together leaves nothing behind
        build_stages(data_of(first, dataset, assignment), recipe_of(first, recipe, None), provenance.seed)
        run.create(recipe, provenance)
    run.write_splits(dataset)
    if assignment is not None:
        run.write_folds(dataset, assignment)
    return assignment


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
) -> Evaluation:
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
    evaluation = evaluate_path(run.path, allow_leakage=True)[1]
    evaluation.write(run.evaluation)
    return evaluation


def _folds(run: EnsembleFolder, dataset: Dataset, recipe: Recipe, seed: int) -> NDArray[np.int64] | None:
    section = recipe.ensemble
    if section.folds is None:
        return None
    if run.folds.exists():
        return run.read_folds(dataset)
    return assign_folds(dataset, section.folds, seed, by=section.folds_by, order_by=section.folds_order_by)


def _one_by_one(units: Sequence[Unit], dataset: Dataset, progress: bool) -> None:
    """Train in this process, whose data set is at hand."""
    tell = _announcer(units, progress and ranks.is_first())
    for number, unit in enumerate(units):
        tell(number)
        assert unit.part is not None
        train(
            unit.part(dataset),
            unit.recipe,
            unit.folder,
            seed=unit.seed,
            device=unit.device,
            resume=ranks.decided(RunFolder(unit.folder).recipe.exists),
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
    """Tell how many networks are finished and, from their time, how long the rest may take."""
    done = sum(RunFolder(unit.folder).evaluation.exists() for unit in units)
    start = time.perf_counter()

    def tell(number: int) -> None:
        if not progress or not units:
            return
        fresh = number - done
        left = (time.perf_counter() - start) / fresh * (len(units) - number) / 60 if fresh > 0 else None
        rest = "" if left is None else f", about {left:.0f} minutes left"
        tell_line(f"{number} of {len(units)} networks finished{rest}")

    return tell
