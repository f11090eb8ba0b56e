"""One seed of a trial, or its recipe on a fresh split, as trainings: a run folder each, without the test split."""

import shutil
import time
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from medauc.search.book import Trial
from medauc.search.definition import Definition, KeptAside, SearchFolder
from medauc.search.pruning import Pruning
from medauc.search.repeats import FreshSplits
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder
from medauc.training.sections.ensemble import EnsembleSection
from medauc.training.unit import Unit

if TYPE_CHECKING:
    from medauc.training.fit import Device  # its module imports torch


@dataclass(eq=False)
class Job:
    """One seed of a trial, or its recipe on one fresh split, while this process trains it.

    Attributes:
        trial: which.
        seed: which; of a fresh split its number.
        fresh: whether on a fresh split (:class:`~medauc.search.repeats.FreshSplits`).
        begun: in seconds of ``time.monotonic``.
        aucs: of the parts (folds) that are finished.
        epochs: that they had.
        seconds: that they took.
        ended: whether it is written down; what still runs of it is not looked at.
    """

    trial: Trial
    seed: int
    fresh: bool = False
    begun: float = field(default_factory=time.monotonic)
    aucs: list[float] = field(default_factory=list)
    epochs: int = 0
    seconds: float = 0.0
    ended: bool = False

    @property
    def is_first(self) -> bool:
        """Whether it decides what becomes of the trial, which may be given up."""
        return self.seed == 0 and not self.fresh


class Options(TypedDict, total=False):
    """What of a :class:`Workplace` the user says; no trial depends on it."""

    data_dir: Path | None
    device: "Device"
    allow_modified: bool
    hash_ids: str | None


@dataclass(frozen=True, eq=False)
class Workplace:
    """What all trainings of a search have in common.

    Attributes:
        folder: the search's.
        definition: what it is.
        study: its name in the storage.
        splits: that no trial is judged by.
        url: of the storage; None for the journal.
        assignment: fold of each sample of train and validation, with ``kfold``.
        data_dir: folder of the catalog's files.
        device: "auto", "cpu" or "cuda".
        allow_modified: accept data whose MD5 is not the published one.
        hash_ids: salt with which ids and groups are hashed.
    """

    folder: SearchFolder
    definition: Definition
    study: str
    splits: FreshSplits
    url: str | None = field(default=None, repr=False)  # it may hold a password
    assignment: NDArray[np.int64] | None = None
    data_dir: Path | None = None
    device: "Device" = "auto"
    allow_modified: bool = False
    hash_ids: str | None = field(default=None, repr=False)

    def recipe(self, job: Job) -> Recipe:
        """What a job trains: one network, whatever ensemble the recipe makes of several.

        Raises:
            InputError: its values are no recipe together.
        """
        found = self.definition.space.recipe(job.trial.values)
        return found.model_copy(update={"ensemble": EnsembleSection()})

    def unit(self, job: Job, fold: int | None) -> Unit:
        """The training of one part; only the first of a trial can be given up, where all are alike.

        Raises:
            InputError: as :meth:`recipe`.
        """
        may_end = job.is_first and fold == self.definition.parts[0] and self.definition.pruner != "none"
        return Unit(
            folder=self.run(job, fold),
            dataset=self.definition.dataset,
            recipe=self.recipe(job),
            seed=job.seed,
            data_dir=self.data_dir,
            device=self.device,
            allow_modified=self.allow_modified,
            part=self.splits.part(job.seed) if job.fresh else KeptAside(fold, self.assignment),
            hash_ids=self.hash_ids,
            watch=self._pruning(job) if may_end else None,
        )

    def parts(self, job: Job) -> tuple[int | None, ...]:
        """Folds that a job is trained on, one run folder each; None is the only part."""
        return (None,) if job.fresh else self.definition.parts

    def run(self, job: Job, fold: int | None) -> Path:
        """The run folder of one part."""
        trial = job.trial.index
        return self.folder.repeat(trial, job.seed) if job.fresh else self.folder.run(trial, job.seed, fold)

    def tidy(self, job: Job, training: Container[Path]) -> None:
        """Remove weights and checkpoints of what is written down: the best recipe is trained again, to the same bit.

        Args:
            job: which has ended.
            training: run folders of what still runs, which are left alone.
        """
        for fold in self.parts(job):
            run = RunFolder(self.run(job, fold))
            if run.path not in training:
                shutil.rmtree(run.checkpoints, ignore_errors=True)

    def _pruning(self, job: Job) -> Pruning:
        definition = self.definition
        recipe = self.recipe(job)
        last = recipe.training.max_epochs + (recipe.first_stage.max_epochs if recipe.first_stage else 0)
        keeps_best = definition.asked.base.training.selection == "best"
        return Pruning(
            self.url,
            self.folder.path,
            self.study,
            job.trial.optuna,
            definition.pruner,
            definition.epochs,
            keeps_best,
            last if len(definition.parts) == 1 else None,
        )
