"""Several trainings of one model: their mean, their spread, and the ensemble that their mean score makes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medauc.errors import InputError
from medauc.evaluation import methods
from medauc.evaluation.alignment import Aligned, align
from medauc.evaluation.areas import mean_figure
from medauc.evaluation.columns import pair
from medauc.evaluation.evaluate import evaluate
from medauc.evaluation.figures import Evaluation, Runs
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.ranking import can_average
from medauc.evaluation.settings import Settings
from medauc.metrics import seed_interval


def evaluate_runs(
    runs: Mapping[str, Predictions], settings: Settings | None = None
) -> tuple[Predictions, Evaluation]:
    """Evaluate the ensemble of several runs on the same samples, and say how much the runs differ.

    The ensemble's score is the mean of the runs' scores, each divided by the standard deviation that it has on
    validation (on test where there is none), since AUC training leaves the scale of scores free.

    Args:
        runs: Name and predictions of each run, two at least, for the same samples.
        settings: As in :func:`medauc.evaluation.evaluate`.

    Returns:
        The ensemble's predictions, and their evaluation with ``runs`` filled in.

    Raises:
        InputError: Fewer than two runs, or runs that are not about the same samples; or see ``evaluate``.
    """
    joined, test = join_runs(runs)
    return joined, add_runs(evaluate(joined, settings or Settings()), test)


def join_runs(runs: Mapping[str, Predictions]) -> tuple[Predictions, Aligned]:
    """The ensemble's predictions, as in :func:`evaluate_runs`, and the test scores of each run in one order.

    Raises:
        InputError: Fewer than two runs, or runs that are not about the same samples.
    """
    if len(runs) < 2:
        raise InputError("several runs are wanted, got one; name two or more of the same data")
    first, *others = runs.values()
    if any(other.splits != first.splits for other in others):
        held = "; ".join(f"{name} has {', '.join(part.splits)}" for name, part in runs.items())
        raise InputError(f"the runs are not about the same splits: {held}")
    if "test" not in first.splits:
        raise InputError("the runs have no row with split 'test'; an evaluation needs test data")
    aligned = {split: align(runs, split) for split in first.splits}
    return _ensemble(aligned), aligned["test"]


def add_runs(evaluation: Evaluation, test: Aligned) -> Evaluation:
    """Put mean and spread of single models beside their ensemble's figures.

    Args:
        evaluation: The ensemble's.
        test: Test scores of each model.
    """
    spreads = [
        _spread(test, label, evaluation.level) for label in test.labels if can_average(test.parts[0], label)
    ]
    lacking = [] if spreads else ["No mean over runs: a class has under two test cases or patients."]
    return evaluation.model_copy(update={"runs": spreads, "warnings": [*evaluation.warnings, *lacking]})


def _ensemble(aligned: Mapping[str, Aligned]) -> Predictions:
    reference = aligned.get("val", aligned["test"])
    parts = []
    for found in aligned.values():
        table = found.parts[0]
        scores = {}
        for label in found.labels:
            spread = reference.scores(label).std(axis=1, keepdims=True)
            scores[pair(label)[1]] = (found.scores(label) / np.where(spread > 0, spread, 1.0)).mean(axis=0)
        parts.append(replace(table, frame=table.frame.assign(**scores)))
    notes = dict.fromkeys(note for found in aligned.values() for note in found.notes)
    return replace(Predictions.concatenate(parts), notes=tuple(notes))


def _spread(test: Aligned, label: str | None, level: float) -> Runs:
    known, groups = test.known(label), test.groups
    target, scores = test.target(label)[known], test.scores(label)[:, known]
    found = seed_interval(target, scores, level, groups=None if groups is None else groups[known])
    return Runs(
        names=list(test.names),
        label=label,
        auroc=found.aucs.tolist(),
        mean=mean_figure(found.auc, level, int(target.size), methods.SEEDS),
        spread=found.spread,
    )
