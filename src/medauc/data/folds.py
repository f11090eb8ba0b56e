"""Folds of training and validation together: stratified, patients kept whole, decided by a seed. Test is no part."""

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medauc.data.column_folds import folds_by_order, folds_by_value, plain_values
from medauc.data.dataset import Dataset, Split
from medauc.errors import InputError


def assign_folds(
    dataset: Dataset, folds: int, seed: int, *, by: str | None = None, order_by: str | None = None
) -> NDArray[np.int64]:
    """Give each sample of train and validation its fold, by chance or by a column.

    Classes are spread evenly over the folds; a group (patient) lies in one fold. With several labels, what is
    spread evenly are the sets of labels that occur together; a sample whose set occurs in fewer samples than there
    are folds counts by the rarest of its labels alone.

    Args:
        dataset: its training split comes first, validation follows.
        folds: number of folds, 2 or more.
        seed: decides the folds, unless a column does.
        by: further column whose values stay together (:func:`~medauc.data.column_folds.folds_by_value`).
        order_by: further column whose order is cut into blocks
            (:func:`~medauc.data.column_folds.folds_by_order`).

    Returns:
        Fold of each sample, from 0, shape ``(n_train + n_val,)``.

    Raises:
        InputError: a class has fewer patients than there are folds, or would be absent from a fold; or the column
            does not make such folds.

    >>> from medauc.data import load_dataset, PhantomSpec
    >>> data = load_dataset("phantom2d", phantom=PhantomSpec(n_train=40, n_val=10, n_test=10, prevalence=0.2))
    >>> np.bincount(assign_folds(data, 5, seed=0)).tolist()
    [10, 10, 10, 10, 10]
    """
    targets = np.concatenate([dataset.train.targets, dataset.val.targets])
    groups = np.concatenate([dataset.train.groups, dataset.val.groups])
    if by is not None:
        found, reason = folds_by_value(dataset, folds, by), f"folds go by {by}; take fewer, or another column"
    elif order_by is not None:
        found, reason = folds_by_order(dataset, folds, order_by), f"folds go by {order_by}; take fewer"
    else:
        _require_enough(dataset, targets, groups, folds)
        found, reason = (
            _drawn(targets, groups, folds, seed),
            "patients stay whole; take fewer folds or another seed",
        )
    _require_both_classes(dataset, targets, found, folds, reason)
    return found


def most_folds(dataset: Dataset) -> int:
    """How many folds by chance train and validation are enough for: patients of the rarer class.

    With several labels the one counts that has most; an unknown label is of neither class.

    Args:
        dataset: as for :func:`assign_folds`.
    """
    targets = np.concatenate([dataset.train.targets, dataset.val.targets])
    return _carriers(targets, np.concatenate([dataset.train.groups, dataset.val.groups]))


def _carriers(targets: NDArray[np.int64], groups: NDArray[np.str_]) -> int:
    columns = targets.reshape(len(targets), -1).T
    return max(min(len(np.unique(groups[column == value])) for value in (0, 1)) for column in columns)


def _drawn(targets: NDArray[np.int64], groups: NDArray[np.str_], folds: int, seed: int) -> NDArray[np.int64]:
    """Folds by chance."""
    # Not at the top: reading a finished ensemble needs no scikit-learn, which takes a second.
    from sklearn.model_selection import StratifiedKFold

    from medauc.data.grouped_folds import GroupedFolds

    strata = targets if targets.ndim == 1 else _label_sets(targets, folds)
    if len(np.unique(groups)) == len(groups):  # the grouped one is greedy, one patient after another
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(strata, strata)
    else:
        parts = GroupedFolds(folds, shuffle=True, random_state=seed).split(strata, strata, groups)
    found = np.empty(len(targets), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="The least populated class"
        )  # what is left of rare sets of labels
        for fold, (_, held_out) in enumerate(parts):
            found[held_out] = fold
    return found


def fold_of(dataset: Dataset, assignment: NDArray[np.int64], fold: int, by: str | None = None) -> Dataset:
    """Take one fold of train and validation for validation and all others for training; test stays.

    Args:
        dataset: what was given to :func:`assign_folds`.
        assignment: what that returned.
        fold: the fold held out, from 0.
        by: the column by whose values folds were made; ``part`` names those of this one.
    """
    held_out = assignment == fold
    train, val = _take(dataset, ~held_out), _take(dataset, held_out)
    named = "" if by is None else f" ({by} {', '.join(np.unique(plain_values(val.metadata[by])))})"
    part = f"validation is fold {fold} of {assignment.max() + 1}{named}, training all others"
    return replace(dataset, train=train, val=val, part=_joined(dataset, part))


def without_validation(dataset: Dataset) -> Dataset:
    """Take train and validation together for training; the validation split is left empty, test stays."""
    every = np.ones(len(dataset.train) + len(dataset.val), dtype=np.bool_)
    part = "training is train and validation together, there is no validation"
    return replace(
        dataset, train=_take(dataset, every), val=_take(dataset, ~every), part=_joined(dataset, part)
    )


def without_test(dataset: Dataset) -> Dataset:
    """Leave the test split empty, so that nothing that is chosen can have looked at it."""
    part = "test is kept aside"
    return replace(dataset, test=dataset.test.take(slice(0)), part=_joined(dataset, part))


def _joined(dataset: Dataset, part: str) -> str:
    return part if dataset.part is None else f"{dataset.part}; {part}"


def _take(dataset: Dataset, rows: NDArray[np.bool_]) -> Split:
    """Rows of train and validation."""
    n_train = len(dataset.train)
    return dataset.train.take(rows[:n_train]).concatenate(dataset.val.take(rows[n_train:]))


def _label_sets(targets: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Number of the set of labels of each sample, unknown counted as absent; rare sets count by their rarest label."""
    present = targets == 1
    _, number = np.unique(present, axis=0, return_inverse=True)
    number = number.reshape(-1)
    by_frequency = np.argsort(present.sum(axis=0), kind="stable")
    rarest = by_frequency[np.argmax(present[:, by_frequency], axis=1)]
    by_label = np.where(_sizes(number) < folds, number.max() + 1 + rarest, number)
    return np.where(_sizes(by_label) < folds, -1, by_label).astype(np.int64)


def _sizes(number: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many samples share each sample's number."""
    _, inverse, count = np.unique(number, return_inverse=True, return_counts=True)
    return count[inverse].astype(np.int64)


def _require_enough(
    dataset: Dataset, targets: NDArray[np.int64], groups: NDArray[np.str_], folds: int
) -> None:
    carriers = _carriers(targets, groups)
    if carriers < folds:
        patients = "samples" if len(np.unique(groups)) == len(groups) else "patients"
        most = f"take {carriers} folds at most" if carriers > 1 else "this data set is too small"
        raise InputError(
            f"{dataset.name}: {folds} folds need {folds} {patients} of each class in train and validation together, "
            f"the rarer class has {carriers}; {most}"
        )


def _require_both_classes(
    dataset: Dataset, targets: NDArray[np.int64], assignment: NDArray[np.int64], folds: int, reason: str
) -> None:
    columns = targets.reshape(len(targets), -1).T
    for fold in range(folds):
        inside = assignment == fold
        for where in (inside, ~inside):
            if not any({0, 1} <= set(column[where].tolist()) for column in columns):
                raise InputError(
                    f"{dataset.name}: fold {fold} of {folds} leaves a class on one side only, since {reason}"
                )
