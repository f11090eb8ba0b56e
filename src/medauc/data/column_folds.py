"""Folds that go by a column: sites held out in turn, or blocks of time; a patient lies in one fold."""

import numpy as np
import numpy.typing as npt

from medauc.data.dataset import Dataset
from medauc.data.manifest.columns import plain
from medauc.data.manifest.moments import moments
from medauc.errors import InputError

Names = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]


def folds_by_value(dataset: Dataset, folds: int, column: str) -> Ints:
    """Keep samples that agree in a column (a site, a scanner) in one fold.

    With as many folds as values each value is a fold, in the order of their names: leave one site out. With more
    values than folds the largest come first, each into the fold that is smallest so far.

    Args:
        dataset: Its training split comes first, validation follows.
        folds: Number of folds, 2 or more.
        column: One of the data's further columns.

    Returns:
        Fold of each sample, from 0, shape ``(n_train + n_val,)``.

    Raises:
        InputError: There is no such column, it has fewer values than there are folds, a blank, or a patient with
            samples of two folds.
    """
    values, groups = plain_values(_column(dataset, column, "folds_by")), _pooled_groups(dataset)
    names, number = np.unique(values, return_inverse=True)
    if len(names) < folds:
        most = f"take {len(names)} folds" if len(names) > 1 else "take another column"
        raise InputError(
            f"{dataset.name}: {folds} folds by {column}, which has {len(names)} values in train and validation "
            f"({', '.join(names[:8])}); {most}"
        )
    found = _packed(np.bincount(number), folds)[number]
    order = np.argsort(groups, kind="stable")
    same = groups[order][1:] == groups[order][:-1]
    crossing = groups[order][1:][same & (found[order][1:] != found[order][:-1])]
    if len(crossing):
        who = (
            f"{str(crossing[0])!r} for one" if dataset.salt is None else "named where --hash-ids is left out"
        )
        raise InputError(
            f"{dataset.name}: {len(np.unique(crossing))} patients have samples in two folds by {column}, {who}; "
            f"give each patient one {column}, or leave those samples out"
        )
    return found


def plain_values(cells: Names) -> Names:
    """Cells as ``data.split.by`` compares them: surrounding blanks and ways to write a number tell no sites apart.

    >>> plain_values(np.array(["A", "A ", "1.0", "1", "nan"])).tolist()
    ['A', 'A', '1', '1', '']
    """
    return np.array([plain(cell) for cell in cells.tolist()], dtype=np.str_)


def folds_by_order(dataset: Dataset, folds: int, column: str) -> Ints:
    """Cut samples into blocks of about one size in the order of a column (a date, a number).

    A patient counts by the first sample. Patients of one moment stay together.

    Args:
        dataset: As for :func:`folds_by_value`.
        folds: Number of folds, 2 or more; the earliest block is fold 0.
        column: One of the data's further columns.

    Returns:
        Fold of each sample, from 0, shape ``(n_train + n_val,)``.

    Raises:
        InputError: There is no such column, a cell that is neither a date nor a number, or too few moments for
            the folds.
    """
    cells = _column(dataset, column, "folds_order_by")
    values = moments(cells)
    if (wrong := np.isnan(values)).any():
        raise InputError(
            f"{dataset.name}: {str(cells[wrong][0])!r} in column {column!r} is neither a number nor a date such as "
            f"2024-01-31; {int(wrong.sum())} samples have such"
        )
    _, members = np.unique(_pooled_groups(dataset), return_inverse=True)
    first = np.full(int(members.max()) + 1, np.inf)
    np.minimum.at(first, members, values)
    _, moment = np.unique(first[members], return_inverse=True)
    sizes = np.bincount(moment)
    middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    found: Ints = np.minimum((middle * folds).astype(np.int64), folds - 1)[moment]
    if len(np.unique(found)) < folds:
        raise InputError(
            f"{dataset.name}: {column} has too few different moments for {folds} blocks of about one size; take fewer"
        )
    return found


def _packed(sizes: Ints, folds: int) -> Ints:
    """Fold of each value: itself where there are as many, else largest first into the smallest.

    >>> _packed(np.array([5, 9, 2]), 3).tolist(), _packed(np.array([5, 9, 2, 3]), 2).tolist()
    ([0, 1, 2], [1, 0, 1, 1])
    """
    if len(sizes) == folds:
        return np.arange(folds, dtype=np.int64)
    filled, found = np.zeros(folds, np.int64), np.empty(len(sizes), np.int64)
    for value in np.argsort(-sizes, kind="stable"):
        found[value] = np.argmin(filled)
        filled[found[value]] += sizes[value]
    return found


def _column(dataset: Dataset, column: str, key: str) -> Names:
    train, val = dataset.train.metadata, dataset.val.metadata
    if column not in train:
        has = f"it has {', '.join(train)}" if train else "it has none"
        raise InputError(
            f"{dataset.name} has no further column {column!r}, which ensemble.{key} names; {has} "
            "(data.columns.keep says which are kept)"
        )
    values = np.concatenate([train[column], val[column]])
    if (blank := plain_values(values) == "").any():
        raise InputError(
            f"{dataset.name}: {int(blank.sum())} samples have no {column}, which ensemble.{key} names"
        )
    return values


def _pooled_groups(dataset: Dataset) -> Names:
    return np.concatenate([dataset.train.groups, dataset.val.groups])
