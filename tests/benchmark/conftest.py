"""Run folders without trainings: an executor that writes scores drawn from a random generator."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from medauc.evaluation import Predictions, evaluate
from medauc.training.recipe import Recipe
from medauc.training.run_folder import Provenance, RunFolder
from medauc.training.unit import Outcome, Unit

SIZES = {"val": 40, "test": 80}


def scores_of(seed: int, shift: float) -> Predictions:
    """Targets are the same for all; positives score ``shift`` higher on average."""
    targets, noise = np.random.default_rng(0), np.random.default_rng(seed + round(1000 * shift))
    parts = []
    for split, n in SIZES.items():
        target = (targets.permutation(n) < n // 4).astype(int)
        score = (noise.normal(size=n) + shift * target).astype(np.float32)
        parts.append(
            Predictions.from_arrays(
                split=split, ids=[f"{split}-{i}" for i in range(n)], targets=target, scores=score
            )
        )
    return Predictions.concatenate(parts)


@dataclass
class PretendExecutor:
    """Finishes every unit at once; the margin of its loss is how well it separates the classes."""

    fail: Callable[[Unit], str | None] = lambda unit: None
    seen: list[Unit] = field(default_factory=list)

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        for unit in units:
            self.seen.append(unit)
            error = self.fail(unit)
            if error is None:
                write_run(unit.folder, unit.dataset, unit.recipe, unit.seed)
            yield Outcome(unit, error, seconds=12.0, peak_mib=600.4)


def write_run(folder: Path, dataset: str, recipe: Recipe, seed: int, *, md5: str | None = None) -> None:
    """A finished run folder."""
    run = RunFolder(folder)
    provenance = Provenance(
        dataset, None, md5, False, "signal present", seed, "0.1.0", "2", "3.11", "Linux x86_64", "cpu", 1
    )
    run.create(recipe, provenance)
    run.metrics.write_text("epoch,val_auc,seconds\n0,0.5,20.25\n1,0.6,10\n")
    predictions = scores_of(seed, recipe.loss.margin)
    predictions.write(run.predictions)
    evaluate(predictions).write(run.evaluation)


@pytest.fixture
def pretend() -> PretendExecutor:
    return PretendExecutor()


@pytest.fixture(scope="module")
def pretend_module() -> PretendExecutor:
    return PretendExecutor()


@pytest.fixture
def pretend_failing() -> PretendExecutor:
    """Fails for seed 1."""
    return PretendExecutor(fail=lambda unit: "no luck" if unit.seed == 1 else None)


@pytest.fixture
def finished_run() -> Callable[..., None]:
    return write_run
