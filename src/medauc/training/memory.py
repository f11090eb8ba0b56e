"""Out of memory: recognised, told in one line, and tried again with half the batch where the recipe allows it."""

import gc
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder

_SMALLEST = 2  # samples in a batch
# Plain RuntimeErrors: of torch's allocator, and of oneDNN, which does not say why.
_ON_CPU = (
    "DefaultCPUAllocator: can't allocate memory",
    "could not create a primitive",
    "could not create a memory",
)


_GROUPS = Path("/sys/fs/cgroup")
_WHOLE_MACHINE = Path("/proc/vmstat")


class OutOfMemory(Exception):
    """The machine has not the memory that a training needs."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether NumPy, Python, or torch on a CPU or GPU was refused memory.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError())
    (True, False)
    """
    import torch  # not at the top: an executor's own process does without it

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _ON_CPU)
    )


@contextmanager
def telling_out_of_memory(recipe: Recipe, where: str) -> Iterator[None]:
    """Turn every kind of exhausted memory into :class:`OutOfMemory`, which says what to lower.

    Args:
        recipe: what is trained.
        where: "cpu" or "cuda".
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        batch = recipe.sampling.batch_size
        allow = (
            ", or allow half of it with --set training.out_of_memory=halve_batch"
            if recipe.training.out_of_memory == "stop"
            else ""
        )
        raise OutOfMemory(
            f"out of memory on the {'GPU' if where == 'cuda' else 'CPU'}: lower sampling.batch_size (now {batch})"
            f"{allow}; or lower data.size (now {recipe.data.size}) or model.width"
        ) from error


def lower_batch(folder: Path, recipe: Recipe) -> bool:
    """Make the run in ``folder`` begin anew with half the batch, if the recipe allows it and it did not before.

    ``recipe.yaml`` then holds what is trained, and what was asked for under ``run.asked``.

    Args:
        folder: the run folder, whose unfinished run is given up.
        recipe: what was asked for.

    Returns:
        Whether there is now something else to try.
    """
    run = RunFolder(folder)
    if recipe.training.out_of_memory != "halve_batch" or not run.recipe.exists():
        return False
    trained, provenance = run.read_recipe()
    asked = trained.batch_sizes
    if provenance.asked is not None or min(asked.values()) < 2 * _SMALLEST:
        return False
    halved = trained.with_batch_sizes({key: size // 2 for key, size in asked.items()})
    if run.checkpoints.exists():  # first: batches of two sizes must never make one training
        shutil.rmtree(run.checkpoints)
    run.metrics.unlink(missing_ok=True)
    run.create(halved, replace(provenance, asked=asked))
    return True


def is_halved(folder: Path) -> bool:
    """Whether the run in ``folder`` is one of half the batch that was asked for."""
    run = RunFolder(folder)
    return run.recipe.exists() and run.read_recipe()[1].asked is not None


@dataclass(frozen=True)
class OomKills:
    """Linux's count of processes killed for want of memory, among those that share a process's limit.

    Attributes:
        file: holds the count: of the process's control group, else of the whole machine.
        before: the count when the watch began.
    """

    file: Path
    before: int

    @classmethod
    def of(cls, process: int) -> Self:
        """Begin to watch over a process, which must be alive."""
        groups = [path for path in _group_files(process) if path.is_file()]
        file = groups[0] if groups else _WHOLE_MACHINE
        return cls(file, _oom_kills(file))

    def any_more(self) -> bool:
        """Whether one was killed since; never where the system does not tell."""
        return _oom_kills(self.file) > self.before


def _group_files(process: int) -> Iterator[Path]:
    """Where the control groups of a process, of version 2 and 1, would count."""
    try:
        lines = Path(f"/proc/{process}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            yield _GROUPS / group.lstrip("/") / "memory.events"
        elif controllers == "memory":
            yield _GROUPS / "memory" / group.lstrip("/") / "memory.oom_control"


def _oom_kills(file: Path) -> int:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def free_memory() -> None:
    """Give back what a failed attempt held."""
    import torch

    gc.collect()  # a trainer and its callbacks refer to each other
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
