"""What a search is: data, recipe, space, objective; and the folder that holds it."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray

from medauc.data import Dataset
from medauc.data.folds import fold_of, without_test
from medauc.errors import InputError
from medauc.files import is_leftover, write_text_atomically
from medauc.search.samplers import LISTED, listed_space, listed_trials
from medauc.search.space import Space, Values
from medauc.training.yaml_text import read_yaml

Objective = Literal["val", "kfold"]


@dataclass(frozen=True)
class Definition:
    """What decides a search's trials; a search goes on only as what it was begun.

    Attributes:
        dataset: as typed.
        data_md5: of the data.
        asked: what may vary.
        sampler: how trials are chosen, of :data:`medauc.search.samplers.SAMPLERS`.
        pruner: what ends hopeless ones, of :data:`medauc.search.samplers.PRUNERS`.
        objective: ``val``, AUC of the validation split, or ``kfold``, its mean over folds of train and validation.
        folds: how many; None for ``val``.
        seed: decides what is drawn.
        storage: URL without its password; None for the journal.
    """

    dataset: str
    data_md5: str
    asked: Space
    sampler: str = "tpe"
    pruner: str = "halving"
    objective: Objective = "val"
    folds: int | None = None
    seed: int = 0
    storage: str | None = None

    @cached_property
    def listed(self) -> list[Values]:
        """Trials that are known beforehand."""
        return listed_trials(self.sampler, self.asked, self.seed)

    @property
    def starts_with_base(self) -> bool:
        """Whether trial 0 is the recipe that the search starts from."""
        return bool(self.listed) and self.sampler != "grid"

    @property
    def is_listed(self) -> bool:
        """Whether there are no others."""
        return self.sampler in LISTED

    @cached_property
    def space(self) -> Space:
        """What the sampler is asked for."""
        return listed_space(self.asked, self.listed) if self.is_listed else self.asked

    @cached_property
    def epochs(self) -> int:
        """Most epochs of a trial."""
        longest = self.asked.parameters.get("training.max_epochs")
        base = self.asked.base
        own = base.training.max_epochs if longest is None else int(max(longest.ends))
        return own + (base.first_stage.max_epochs if base.first_stage is not None else 0)

    @property
    def weights(self) -> list[str]:
        """Every weights file that a trial may start from."""
        searched = self.asked.parameters.get("model.weights")
        every = [self.asked.base.model.weights, *(searched.ends if searched is not None else ())]
        return [str(found) for found in dict.fromkeys(every) if found is not None]

    @property
    def parts(self) -> tuple[int | None, ...]:
        """Folds that one seed of a trial is trained on; None is the official splits."""
        return (None,) if self.folds is None else tuple(range(self.folds))

    def plain(self) -> dict[str, Any]:
        """As it stands in ``search.yaml``."""
        own = {
            key: getattr(self, key)
            for key in ("dataset", "data_md5", "sampler", "pruner", "objective", "folds", "seed", "storage")
        }
        return own | {"space": self.asked.plain(), "recipe": self.asked.base.model_dump(mode="json")}


@dataclass(frozen=True)
class KeptAside:
    """Takes from the data set what a trial may see: one fold for validation, or the official splits; never test.

    Attributes:
        fold: held out; None keeps the official splits.
        assignment: the fold of each sample of train and validation.
    """

    fold: int | None = None
    assignment: NDArray[np.int64] | None = None

    def __call__(self, dataset: Dataset) -> Dataset:
        """The data set as a trial sees it."""
        if self.fold is not None and self.assignment is not None:
            dataset = fold_of(dataset, self.assignment, self.fold)
        return without_test(dataset)


@dataclass(frozen=True)
class SearchFolder:
    """Where the files of a search lie."""

    path: Path

    @property
    def definition(self) -> Path:
        """What the search is."""
        return self.path / "search.yaml"

    @property
    def lock(self) -> Path:
        """Held for each decision, so that several processes share one search."""
        return self.path / ".lock"

    @property
    def processes(self) -> Path:
        """A lock for each process that is at it, which tells the living from the dead."""
        return self.path / ".processes"

    @property
    def best(self) -> Path:
        """The recipe that was found."""
        return self.path / "best.yaml"

    @property
    def table(self) -> Path:
        """One row a trial."""
        return self.path / "trials.csv"

    @property
    def document(self) -> Path:
        """Every figure."""
        return self.path / "search.json"

    @property
    def page(self) -> Path:
        """The page."""
        return self.path / "search.html"

    def run(self, trial: int, seed: int, fold: int | None = None) -> Path:
        """The run folder of one training."""
        part = f"seed{seed}" if fold is None else f"seed{seed}-fold{fold}"
        return self.path / "trials" / f"{trial:04d}" / part

    def repeat(self, trial: int, number: int) -> Path:
        """The run folder of a trial's recipe on a fresh split."""
        return self.path / "trials" / f"{trial:04d}" / f"split{number}"

    def remove_leftovers(self) -> None:
        """Delete what a killed process had half-written; only while nobody else may write (``Search.deciding``)."""
        for leftover in filter(is_leftover, self.path.glob(".*")):
            leftover.unlink()

    def begin(self, definition: Definition, make_study: Callable[[str], object]) -> str:
        """Write down what the search is, or compare with what is written; the study's name in the storage.

        Args:
            definition: what the search shall be.
            make_study: called with the name of a new study.

        Raises:
            InputError: the folder holds another search, or other things.
        """
        wanted = yaml.safe_load(yaml.safe_dump(definition.plain(), sort_keys=False))
        if self.definition.exists():
            found = _read(self.definition)
            name = found.pop("study", None)
            if different := _differences(found, wanted):
                raise InputError(
                    f"{self.path}: the search there is another one: {', '.join(different)}; "
                    "name another folder with --out"
                )
            return str(name)
        name = f"{self.path.resolve().name}-{secrets.token_hex(4)}"
        make_study(name)
        text = yaml.safe_dump({"study": name, **wanted}, sort_keys=False, allow_unicode=True)
        write_text_atomically(self.definition, text)
        return name


def _read(path: Path) -> dict[str, Any]:
    found = read_yaml(path, "the search")
    if not isinstance(found, dict) or "study" not in found:
        raise InputError(f"{path}: not a search of medauc; name another folder with --out")
    return found


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    """``key (old -> new)`` for all that differs, a description aside."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            text
            for name in {**old, **new}
            if name != "description"
            for text in _differences(old.get(name), new.get(name), f"{key}.{name}" if key else str(name))
        ]
    return [] if old == new else [f"{key} ({old} -> {new})"]
