"""The networks of an ensemble: which there are, what each is trained on, and for how long."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.data import Dataset
from medauc.data.folds import fold_of, without_validation
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder
from medauc.training.sections.ensemble import EnsembleSection

Role = Literal["official", "fold", "refit"]
_SEEDS_A_PART, _PARTS = 100, 100  # a fold has up to 100 members, and there are fewer than 100 parts


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Attributes:
        role: trained on the official splits, on all folds but one, or on train and validation together.
        seed: of its training, unlike that of every other member, and of members of ensembles with other seeds.
        fold: the fold it has not seen; None for the other roles.
    """

    role: Role
    seed: int
    fold: int | None = None

    @property
    def name(self) -> str:
        """Name of its run folder, such as ``fold0-seed0``."""
        part = {"official": "", "fold": f"fold{self.fold}-", "refit": "refit-"}[self.role]
        return f"{part}seed{self.seed}"


def members_of(section: EnsembleSection, seed: int) -> list[Member]:
    """List the networks that are trained on the official splits or on folds, fold by fold.

    Args:
        section: how many.
        seed: the ensemble's.

    >>> [member.name for member in members_of(EnsembleSection(folds=2, members=2), seed=0)]
    ['fold0-seed0', 'fold0-seed1', 'fold1-seed100', 'fold1-seed101']
    """
    numbers = range(section.members)
    if section.folds is None:
        return [Member("official", _seed(seed, 0, number)) for number in numbers]
    return [
        Member("fold", _seed(seed, fold, number), fold) for fold in range(section.folds) for number in numbers
    ]


def refits_of(section: EnsembleSection, seed: int) -> list[Member]:
    """List the networks that are trained on train and validation together.

    >>> [member.name for member in refits_of(EnsembleSection(folds=2, refit=True), seed=0)]
    ['refit-seed200']
    """
    if not section.refit or section.folds is None:
        return []
    return [Member("refit", _seed(seed, section.folds, number)) for number in range(section.members)]


def data_of(
    member: Member, dataset: Dataset, assignment: NDArray[np.int64] | None, by: str | None = None
) -> Dataset:
    """The data set as ``member`` sees it.

    Args:
        member: the network.
        dataset: as it was loaded.
        assignment: the fold of each sample of train and validation.
        by: the column by whose values the folds were made.
    """
    if member.role == "refit":
        return without_validation(dataset)
    if assignment is None or member.fold is None:
        return dataset
    return fold_of(dataset, assignment, member.fold, by)


def recipe_of(member: Member, recipe: Recipe, refit_epochs: Sequence[int] | None) -> Recipe:
    """The recipe of one network; a refit has stages of ``refit_epochs``, its learning rate's schedule with them."""
    alone = recipe.model_copy(update={"ensemble": EnsembleSection()})
    if member.role != "refit" or refit_epochs is None:
        return alone
    first, *_ = refit_epochs
    if len(refit_epochs) < len(recipe.stages()):
        alone = alone.stages()[0]
    elif alone.first_stage is not None:
        shortened = alone.first_stage.model_copy(update={"max_epochs": first, "patience": None})
        alone = alone.model_copy(update={"first_stage": shortened})
    length = {"max_epochs": refit_epochs[-1], "patience": None, "selection": "last"}
    return alone.model_copy(update={"training": recipe.training.model_copy(update=length)})


def epochs_of_refit(runs: Sequence[RunFolder]) -> tuple[int, ...]:
    """For how many epochs a refit runs, one number a stage: the median of the epochs after which the folds were best.

    The median, rounded up, since a fold whose validation AUC happens to peak in its first epochs should not shorten
    the refit. A second stage is left out when it improved on the first in fewer than half of the networks.

    Args:
        runs: finished networks of the folds, one or more.
    """
    found = [_best_epochs(run) for run in runs]
    kept = statistics.median_high(kept for _, kept in found)
    return tuple(math.ceil(statistics.median(epochs[stage] for epochs, _ in found)) for stage in range(kept))


def _best_epochs(run: RunFolder) -> tuple[list[int], int]:
    """Epochs of each stage up to and with its best by validation AUC, of ties the last; and how many stages count."""
    stages = [
        auc.to_numpy(dtype=np.float64) for _, auc in pd.read_csv(run.metrics).groupby("stage")["val_auc"]
    ]
    if run.read_recipe()[0].training.selection == "last":
        return [len(auc) for auc in stages], len(stages)
    epochs = [int(np.flatnonzero(auc == np.nanmax(auc))[-1]) + 1 for auc in stages]
    improved = np.nanmax(stages[-1]) > np.nanmax(stages[0])
    return epochs, len(stages) if improved else 1


def _seed(ensemble: int, part: int, number: int) -> int:
    """Distinct seeds, since networks of other folds differ more when they start from other weights."""
    return ((ensemble * _PARTS + part) * _SEEDS_A_PART + number) % 2**32
