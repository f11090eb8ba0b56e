"""How validation AUC went by epoch in each training of a trial, from the tables that the run folders keep."""

import csv
import math
from itertools import accumulate

from medauc.search.book import Trial
from medauc.search.definition import Definition, SearchFolder
from medauc.training.run_folder import RunFolder


def curves_of(trial: Trial, folder: SearchFolder, definition: Definition) -> list[dict[int, float]]:
    """AUC by epoch of each seed in turn, as the pruner sees it: the best so far where the best epoch is kept.

    Args:
        trial: which.
        folder: the search's.
        definition: what it is; of its folds the first is told.

    Returns:
        One mapping a seed, empty where its table is not there.
    """
    best = definition.asked.base.training.selection == "best"
    first, *_ = definition.parts
    return [_curve(RunFolder(folder.run(trial.index, seed, first)), best) for seed in sorted(trial.seeds)]


def _curve(run: RunFolder, best: bool) -> dict[int, float]:
    try:
        with run.metrics.open(encoding="utf-8", newline="") as file:
            aucs = [float(row["val_auc"] or "nan") for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError):
        return {}
    known = [(epoch, auc) for epoch, auc in enumerate(aucs, start=1) if not math.isnan(auc)]
    values = [auc for _, auc in known]
    shown = list(accumulate(values, max)) if best else values
    return {epoch: auc for (epoch, _), auc in zip(known, shown, strict=True)}
