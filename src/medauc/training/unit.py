"""A unit of work: one training as ``medauc train`` would do it, and what became of it."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medauc.data import Dataset, load_dataset
from medauc.errors import InputError
from medauc.training.memory import OutOfMemory
from medauc.training.plan import load_for
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder
from medauc.training.watch import GivenUp, Watch, WatchLost, watched_by

if TYPE_CHECKING:
    from medauc.training.fit import Device


@dataclass(frozen=True)
class Unit:
    """One training; it can be pickled, and does the same wherever it runs.

    Attributes:
        folder: the run folder. An unfinished run in it is resumed, a finished one is taken as it is.
        dataset: as typed: a name of the catalog or of a phantom, or the path of an ``.npz`` file.
        recipe: the validated recipe (:func:`medauc.training.plan.resolve_recipe`).
        seed: decides all randomness.
        data_dir: folder of the catalog's files.
        device: "auto" takes a GPU if there is one.
        allow_modified: accept a file whose MD5 is not the published one.
        part: takes from the data set what this training is given, a fold for one.
        hash_ids: salt with which ids and groups are hashed.
        watch: is told of every epoch, where the training runs, and may end it.
    """

    folder: Path
    dataset: str
    recipe: Recipe
    seed: int = 0
    data_dir: Path | None = None
    device: "Device" = "auto"
    allow_modified: bool = False
    part: Callable[[Dataset], Dataset] | None = None
    hash_ids: str | None = field(default=None, repr=False)
    watch: Watch | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a unit.

    Attributes:
        unit: the unit.
        error: one line on why it failed; None when its run folder is finished.
        details: the traceback of an error that the user is not at fault for.
        resumed: whether the folder held a run already, so that ``seconds`` is not the whole time.
        seconds: wall-clock time, loading the data included.
        peak_mib: most memory that the process held meanwhile, in MiB, where the system tells.
        given_up: whether the unit's ``watch`` ended it, so that the run is not finished.
        lost: why its ``watch`` could not be told of it, so that the run is not finished and is to be resumed; or None.
        exhausted: whether it failed for want of memory. Its process should train nothing more: once refused
            memory, oneDNN was seen to make no kernel at all any more.
    """

    unit: Unit
    error: str | None = None
    details: str | None = None
    resumed: bool = False
    seconds: float = 0.0
    peak_mib: float | None = None
    given_up: bool = False
    lost: str | None = None
    exhausted: bool = False


def run_unit(unit: Unit, load: Callable[..., Dataset] = load_dataset) -> Outcome:
    """Do the training in this process.

    Args:
        unit: what to do.
        load: reads the data; a worker passes one that keeps what it read.

    Returns:
        The outcome; only what stops the process (Ctrl-C, a kill) is raised.
    """
    resumed = RunFolder(unit.folder).recipe.exists()
    start = time.perf_counter()
    error, details, lost, given_up, exhausted = None, None, None, False, False
    _reset_peak()
    try:
        with watched_by(unit.watch):
            _train(unit, resumed, load)
    except GivenUp:
        given_up = True
    except WatchLost as problem:
        lost = str(problem)
    except InputError as problem:
        error = str(problem)
    except Exception as problem:
        error = " ".join((str(problem) or type(problem).__name__).split())
        details = traceback.format_exc()
        exhausted = isinstance(problem, OutOfMemory)
    seconds = time.perf_counter() - start
    return Outcome(unit, error, details, resumed, seconds, _peak_mib(), given_up, lost, exhausted)


def _train(unit: Unit, resume: bool, load: Callable[..., Dataset]) -> None:
    from medauc.training.fit import train  # imports torch

    dataset, recipe = load_for(
        unit.dataset, unit.recipe, unit.data_dir, unit.allow_modified, unit.hash_ids, load=load
    )
    dataset = dataset if unit.part is None else unit.part(dataset)
    train(dataset, recipe, unit.folder, seed=unit.seed, device=unit.device, resume=resume)


def _reset_peak() -> None:
    """Start counting this process's peak memory anew (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_mib() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else None
