"""What the winner is worth: the scores of all candidates, read from their run folders, and the correction."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medauc.data import Dataset
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.metrics import BestOfMany, best_of_many
from medauc.search.book import Trial
from medauc.search.definition import Definition, SearchFolder

_MOST_WORK = 2e9  # numbers in all replicates: a minute at most
_MOST, _FEWEST = 1000, 100  # replicates


def best_of(trials: Sequence[Trial], folder: SearchFolder, definition: Definition) -> tuple[BestOfMany, int]:
    """The best of some complete trials, and its AUC corrected for that.

    Args:
        trials: the candidates, one or more.
        folder: the search's.
        definition: what it is.

    Returns:
        The best, by its place among ``trials``, and the number of validation samples.

    Raises:
        InputError: scores of a trial are missing, or not of the same samples.
    """
    first = _read(trials[0], 0, folder, definition)
    targets, folds = _targets(first), np.repeat(np.arange(len(first)), [part.n for part in first])
    ids, groups = _named(first, "id"), _named(first, "group")
    scores = []
    for trial in trials:
        tables = [
            _read(trial, seed, folder, definition) for seed, one in trial.seeds.items() if one.auc is not None
        ]
        for table in tables:
            if not np.array_equal(_named(table, "id"), ids):
                raise InputError(
                    f"{folder.path}: trial {trial.index} was judged by other samples than the others"
                )
        scores.append(np.stack([_scores(table) for table in tables]))
    work = sum(found.size for found in scores)
    replicates = int(np.clip(_MOST_WORK / work, _FEWEST, _MOST))
    best = best_of_many(targets, scores, folds=folds, groups=groups, replicates=replicates)
    return best, len(ids)


def require_resampling(dataset: Dataset, folds: int | None) -> None:
    """Refuse, before anything is trained, samples from which :func:`best_of` could not tell what a winner is worth.

    Args:
        dataset: its validation is judged by; with folds, training too.
        folds: how many; None for the validation split.

    Raises:
        InputError: a single sample, or patient, has a positive, or a single one has none.
    """
    judged = [dataset.val] if folds is None else [dataset.train, dataset.val]
    positive = np.concatenate([(part.targets.reshape(len(part), -1) == 1).any(axis=1) for part in judged])
    names, unit = np.unique(np.concatenate([part.groups for part in judged]), return_inverse=True)
    carriers = int((np.bincount(unit, positive) > 0).sum())
    if 1 in (carriers, len(names) - carriers):
        kind = "sample" if len(names) == len(positive) else "patient"
        where, remedy = (
            ("validation", "take --objective kfold or another split")
            if folds is None
            else ("train and validation", "this data set is too small")
        )
        raise InputError(
            f"{dataset.name}: {where} has 1 {kind} {'with' if carriers == 1 else 'without'} a positive, which tells "
            f"no settings apart: a search needs 2 or more; {remedy}"
        )


def _read(trial: Trial, seed: int, folder: SearchFolder, definition: Definition) -> list[Predictions]:
    """The validation scores of each part."""
    paths = [folder.run(trial.index, seed, fold) / "predictions.csv" for fold in definition.parts]
    return [Predictions.read(path, allow_leakage=True).select("val") for path in paths]


def _targets(parts: Sequence[Predictions]) -> NDArray[np.int64]:
    labels: Sequence[str | None] = parts[0].labels or (None,)
    columns = [np.concatenate([part.target(label) for part in parts]) for label in labels]
    return np.stack(columns, axis=1).astype(np.int64)


def _scores(parts: Sequence[Predictions]) -> NDArray[np.float64]:
    labels: Sequence[str | None] = parts[0].labels or (None,)
    return np.stack([np.concatenate([part.score(label) for part in parts]) for label in labels], axis=1)


def _named(parts: Sequence[Predictions], column: str) -> NDArray[np.str_]:
    return np.concatenate([part.frame[column].to_numpy(dtype=np.str_) for part in parts])
