"""What the ledger says of one recipe on one data set: all its seeds together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from medauc.benchmark.ledger import Row
from medauc.evaluation import Aligned, Predictions
from medauc.evaluation.figures import Figure
from medauc.evaluation.ranking import can_average, evaluate_split
from medauc.evaluation.runs import join_runs
from medauc.metrics import Estimate, seed_interval
from medauc.metrics.macro_comparison import macro_factors
from medauc.metrics.seeds import mean_over_seeds

LEVEL = 0.95


@dataclass(frozen=True)
class Measured:
    """One recipe on one data set.

    Attributes:
        rows: the newest training of each seed, by seed.
        folder: the ledger's folder.
        title: what tables call the recipe.
    """

    rows: tuple[Row, ...]
    folder: Path
    title: str

    @property
    def flag(self) -> str:
        """The data set."""
        return self.rows[0].flag

    @property
    def seeds(self) -> list[int]:
        """Seeds that were trained."""
        return [row.seed for row in self.rows]

    @property
    def mean(self) -> float:
        """Mean test AUC over seeds."""
        return float(np.mean([row.test_auc for row in self.rows]))

    @property
    def spread(self) -> float | None:
        """Standard deviation of the test AUC over seeds; None for one seed."""
        return float(np.std([row.test_auc for row in self.rows], ddof=1)) if len(self.rows) > 1 else None

    @property
    def over_seeds(self) -> Estimate | None:
        """Student's interval of the mean for new seeds and this very test set; None for one seed."""
        if self.spread is None:
            return None
        count = len(self.rows)
        half = float(stdtrit(count - 1, 0.5 + LEVEL / 2)) * self.spread / count**0.5
        return Estimate(self.mean, max(0.0, self.mean - half), min(1.0, self.mean + half))

    @property
    def over_seeds_and_cases(self) -> Estimate | None:
        """Interval of the mean for new seeds and new cases; for one seed DeLong's; None where scores are lacking."""
        if len(self.rows) == 1:
            row = self.rows[0]
            return (
                None
                if row.test_low is None or row.test_high is None
                else Estimate(row.test_auc, row.test_low, row.test_high)
            )
        if self.joined is None:
            return None
        test = self.joined[1]
        labels = usable_labels(test)
        if labels == [None]:
            return seed_interval(test.target(None), test.scores(None), LEVEL, test.groups).auc
        return _mean_over_labels(test, labels) if labels else None

    @property
    def ensemble(self) -> Figure | None:
        """Test AUC of the mean of the seeds' scores, with DeLong's interval; None where there is no ensemble."""
        if self.joined is None:
            return None
        return evaluate_split(self.joined[0].select("test"), LEVEL, whole=False).auroc

    @property
    def minutes(self) -> float:
        """Mean time of the epochs."""
        return float(np.mean([row.epoch_seconds for row in self.rows])) / 60

    @property
    def epochs(self) -> float:
        """Mean number of epochs, of all networks together."""
        return float(np.mean([row.epochs for row in self.rows]))

    @property
    def where(self) -> str:
        """Threads of the CPU, or the other device."""
        kinds = {str(row.threads) if row.device == "cpu" else row.device for row in self.rows}
        return ", ".join(sorted(kinds))

    @property
    def val_mean(self) -> float:
        """Mean validation AUC over seeds."""
        return float(np.mean([row.val_auc for row in self.rows]))

    @property
    def has_scores(self) -> bool:
        """Whether the scores of every seed were kept."""
        return all(row.predictions and (self.folder / row.predictions).is_file() for row in self.rows)

    @cached_property
    def tables(self) -> dict[int, Predictions]:
        """Scores by seed; empty unless every seed has them."""
        if not self.has_scores:
            return {}
        return {
            row.seed: Predictions.read(self.folder / row.predictions, allow_leakage=True) for row in self.rows
        }

    @cached_property
    def joined(self) -> tuple[Predictions, Aligned] | None:
        """The seeds' ensemble, and their test scores in one order; None for one seed or where scores are lacking."""
        if len(self.tables) < 2:
            return None
        return join_runs({str(seed): table for seed, table in self.tables.items()})

    @property
    def scores(self) -> Predictions | None:
        """What stands for this recipe in a paired test: the ensemble of its seeds, or its one seed."""
        if self.joined is not None:
            return self.joined[0]
        return next(iter(self.tables.values()), None)


def usable_labels(aligned: Aligned) -> list[str | None]:
    """Labels with the cases that an interval needs; ``[None]`` for the one target without a name."""
    return [label for label in aligned.labels if can_average(aligned.parts[0], label)]


def label_tables(
    aligned: Aligned, labels: Sequence[str | None]
) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Targets ``(N, L)`` and scores ``(M, N, L)`` of some labels."""
    targets = np.column_stack([aligned.target(label) for label in labels])
    return targets, np.stack([aligned.scores(label) for label in labels], axis=-1)


def _mean_over_labels(test: Aligned, labels: Sequence[str | None]) -> Estimate:
    aucs, factors, _ = macro_factors(*label_tables(test, labels), test.groups)
    found = mean_over_seeds(aucs, factors)
    half = float(stdtrit(found.degrees, 0.5 + LEVEL / 2)) * found.variance**0.5
    return Estimate(found.mean, max(0.0, found.mean - half), min(1.0, found.mean + half))


def gather(
    rows: Iterable[Row], folder: Path, title: Callable[[Row], str] = lambda row: row.title
) -> list[Measured]:
    """Put the rows of one recipe on one data set together, in the order in which they were first measured.

    Rows belong together when data, recipe (the grid's name for it, else its fingerprint, else the commit) and kind of
    device are the same. Of several trainings with one seed the newest counts.

    Args:
        rows: of the ledger, oldest first.
        folder: the ledger's.
        title: what to call a row's recipe.
    """
    groups: dict[tuple[object, ...], dict[int, Row]] = {}
    for row in rows:
        recipe = row.name or row.fingerprint or (row.recipe, row.changes, row.commit)
        key = (row.flag, recipe, row.device, row.data_modified)
        groups.setdefault(key, {})[row.seed] = row
    return [
        Measured(
            tuple(group[seed] for seed in sorted(group)),
            folder,
            _title(next(reversed(group.values())), title),
        )
        for group in groups.values()
    ]


def _title(row: Row, title: Callable[[Row], str]) -> str:
    return title(row) + (" (data file not the published one)" if row.data_modified else "")
