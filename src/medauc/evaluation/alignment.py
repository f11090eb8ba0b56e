"""Several models' predictions of the same samples, brought to one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.errors import InputError
from medauc.evaluation.cells import UNKNOWN
from medauc.evaluation.checks import require_evaluable
from medauc.evaluation.columns import pairs
from medauc.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Aligned:
    """Tables of several models, row by row about the same samples; made by :func:`align`.

    Attributes:
        names: Name of each model, M of 2 or more.
        tables: What each model's predictions were made from, all splits, in their own order.
        split: The split that is compared.
        parts: That split of each model, rows sorted by id, with equal ids, groups and targets.
        left_out: Number of each model's samples that others lack.
        notes: Sentences on how the tables came together.
    """

    names: tuple[str, ...]
    tables: tuple[Predictions, ...]
    split: str
    parts: tuple[Predictions, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str | None, ...]:
        """Labels to compare in; ``(None,)`` when there is one target without a name."""
        return self.parts[0].labels or (None,)

    @cached_property
    def groups(self) -> NDArray[np.intp] | None:
        """Number of each sample's patient, shape ``(N,)``; ``None`` when each sample is its own."""
        codes, names = pd.factorize(self.parts[0].frame["group"])
        return None if names.size == codes.size else np.asarray(codes, dtype=np.intp)

    @property
    def n_groups(self) -> int:
        """Number of patients; of samples when each is its own."""
        return self.parts[0].n if self.groups is None else int(self.groups.max()) + 1

    def known(self, label: str | None) -> NDArray[np.bool_]:
        """Rows whose target is known, shape ``(N,)``."""
        return np.asarray(self.parts[0].target(label) != UNKNOWN)

    def target(self, label: str | None) -> NDArray[np.int8]:
        """Targets, shape ``(N,)``; -1 is unknown."""
        return self.parts[0].target(label)

    def scores(self, label: str | None) -> NDArray[np.float64]:
        """Scores, one row a model, shape ``(M, N)``."""
        return np.stack([part.score(label) for part in self.parts])


def align(tables: Mapping[str, Predictions], split: str = "test", *, common: bool = False) -> Aligned:
    """Bring the predictions of several models to one order, by id.

    Args:
        tables: Predictions by the model's name, two or more, with the same labels. Where one of them states
            groups and another does not (each sample its own), the stated ones hold.
        split: The split to compare.
        common: Compare the ids that all have; else ids that not all have are an error.

    Returns:
        The tables in one order.

    Raises:
        InputError: Fewer than two models, other labels, no such split, ids that do not align, targets or groups
            that disagree, or nothing to evaluate in the rows compared.

    >>> def table(ids, scores):
    ...     return Predictions.from_arrays(split="test", ids=ids, targets=[int(i > "b") for i in ids], scores=scores)
    >>> aligned = align({"A": table("abcd", [1, 2, 3, 4]), "B": table("dcba", [9, 7, 8, 5])})
    >>> aligned.scores(None).tolist()
    [[1.0, 2.0, 3.0, 4.0], [5.0, 8.0, 7.0, 9.0]]
    """
    if len(tables) < 2:
        raise InputError(f"a comparison needs two models or more, got {len(tables)}")
    names, labels = list(tables), next(iter(tables.values())).labels
    parts = {name: table.select(split) for name, table in tables.items()}
    for name, part in parts.items():
        if set(part.labels) != set(labels):
            raise InputError(
                f"{_labels(names[0], labels)} and {_labels(name, part.labels)}: nothing to compare"
            )
        if not part.n:
            held = ", ".join(tables[name].splits)
            raise InputError(f"{name}: no row with split {split!r}, only {held}; --split names another")
    frames = {name: part.frame.set_index("id", drop=False) for name, part in parts.items()}
    shared = _shared_ids(frames, common)
    frames = {name: frame.loc[shared] for name, frame in frames.items()}
    _require_equal_targets(frames, labels)
    groups = _common_groups(frames)
    aligned = [
        Predictions(
            frame.assign(group=groups).reset_index(drop=True),
            labels,
            is_multiclass=all(table.is_multiclass for table in tables.values()),
        )
        for frame in frames.values()
    ]
    for name, part in zip(names, aligned, strict=True):
        require_evaluable(part, name, split)
    return Aligned(
        names=tuple(names),
        tables=tuple(tables.values()),
        split=split,
        parts=tuple(aligned),
        left_out={name: part.n - len(shared) for name, part in parts.items()},
        notes=_notes(tables, parts, len(shared)),
    )


def _shared_ids(frames: Mapping[str, pd.DataFrame], common: bool) -> pd.Index:
    first, *others = [frame.index for frame in frames.values()]
    shared = first
    for index in others:
        shared = shared.intersection(index)
    everywhere = all(len(index) == len(shared) for index in (first, *others))
    if len(shared) == 0:
        seen = ", ".join(f"{name} has {str(frame.index[0])!r}" for name, frame in frames.items())
        raise InputError(
            f"the models share no id ({seen}); --columns id=... names the column that holds them"
        )
    if not everywhere and not common:
        lacking = []
        for name, frame in frames.items():
            alone = frame.index.difference(shared)
            if len(alone):
                some = ", ".join(repr(str(one)) for one in alone[:3])
                lacking.append(f"{len(alone)} of {len(frame)} ids of {name} are not in all others ({some})")
        raise InputError(f"{'; '.join(lacking)}; --common compares the {len(shared)} that all have")
    return shared.sort_values()


def _require_equal_targets(frames: Mapping[str, pd.DataFrame], labels: Sequence[str]) -> None:
    (first, reference), *others = frames.items()
    for name, frame in others:
        for column, _ in pairs(labels):
            one, two = reference[column].to_numpy(), frame[column].to_numpy()
            differ = np.flatnonzero(one != two)
            if differ.size:
                row = differ[0]
                raise InputError(
                    f"the {column} of {differ.size} of {one.size} samples is not the same: {frame.index[row]!r} has "
                    f"{one[row]} in {first} and {two[row]} in {name}; compare models on the same targets"
                )


def _common_groups(frames: Mapping[str, pd.DataFrame]) -> "pd.Series[str]":
    """Groups of the first table that states any; InputError when another one states others."""
    stated = {
        name: frame["group"] for name, frame in frames.items() if not frame["group"].equals(frame["id"])
    }
    if not stated:
        return next(iter(frames.values()))["group"]
    (first, groups), *others = stated.items()
    for name, column in others:
        differ = np.flatnonzero((groups != column).to_numpy())
        if differ.size:
            row = differ[0]
            raise InputError(
                f"the group of {differ.size} of {len(groups)} samples is not the same: {groups.index[row]!r} is of "
                f"{groups.iloc[row]!r} in {first} and of {column.iloc[row]!r} in {name}"
            )
    return groups


def _notes(
    tables: Mapping[str, Predictions], parts: Mapping[str, Predictions], shared: int
) -> tuple[str, ...]:
    notes = [note for table in tables.values() for note in table.notes]
    left_out = {name: part.n - shared for name, part in parts.items() if part.n != shared}
    if left_out:
        counts = ", ".join(f"{count} of {name}" for name, count in left_out.items())
        notes.append(f"Compared on the {shared} ids that all have; left out: {counts}.")
    if any(part.ids == [str(row + 1) for row in range(part.n)] for part in parts.values()):
        notes.append("Ids are row numbers: right only if all tables list the same samples in one order.")
    return tuple(dict.fromkeys(notes))


def _labels(name: str, labels: Sequence[str]) -> str:
    return (
        f"{name} has {len(labels)} labels ({', '.join(labels[:3])})" if labels else f"{name} has one target"
    )
