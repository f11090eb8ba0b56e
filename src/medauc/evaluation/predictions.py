"""The table of scores: what a training leaves behind, or what anybody else hands in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from medauc.errors import InputError
from medauc.evaluation.cells import SPLITS, UNKNOWN, to_scores, to_splits, to_targets
from medauc.evaluation.checks import check_ids, check_leakage
from medauc.evaluation.classes import find_classes, one_against_rest
from medauc.evaluation.columns import find_labels, pair, pairs
from medauc.evaluation.reading import read_table
from medauc.files import save_text


@dataclass(frozen=True)
class Predictions:
    """Scores and targets of samples, one row a sample.

    Build it with :meth:`read` or :meth:`from_arrays`, which check it; the constructor does not.

    Attributes:
        frame: Columns ``split`` (train, val or test), ``id``, ``group`` (all text), then ``target`` (0, 1)
            and ``score`` (float64), or ``target_<label>`` (0, 1, -1 = unknown) and ``score_<label>`` for
            each label, then any further columns as text.
        labels: Names of the labels; empty when there is one target without a name.
        notes: Sentences on what was read liberally ("the comma is read as decimal point").
        is_multiclass: Whether the labels are classes, of which every sample has exactly one.
    """

    frame: pd.DataFrame
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_multiclass: bool = False

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        columns: Mapping[str, str] | None = None,
        positive: str | None = None,
        allow_leakage: bool = False,
    ) -> Self:
        r"""Read a CSV (``.csv.gz`` too) or Parquet file, from medauc or from anywhere.

        Needed are the columns ``target`` and ``score``, or ``target_<label>`` and ``score_<label>`` for one
        label or more, or for several classes ``target`` and ``score_<class>`` for each. ``split`` defaults
        to "test" in every row, ``id`` to the row's number, ``group`` to
        the id. An empty ``target_<label>`` means unknown. Numbers are read to the last bit. Semicolons or tabs
        between columns, decimal commas and splits named "validation" or "Training" are read too, and told in
        ``notes``.

        Args:
            path: The file; Parquet when it ends so, which needs pyarrow.
            columns: The file's own name of a column by medauc's name: ``{"target": "label"}``.
            positive: The target that means 1, where targets are not 0 and 1 ("malignant").
            allow_leakage: Accept a group that occurs in more than one split.

        Raises:
            InputError: The file cannot be read or its content cannot be evaluated; says where and why.

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "reader.csv"
        >>> _ = path.write_text("target,score\n0,1\n1,4\n")
        >>> Predictions.read(path).frame.to_csv(index=False)
        'split,id,group,target,score\ntest,1,1,0,1.0\ntest,2,2,1,4.0\n'
        """
        where = str(path)
        frame, liberties = read_table(Path(path), columns or {})
        classes = find_classes(list(frame.columns))
        if classes and positive is not None:
            raise InputError(
                f"{where} scores the classes {', '.join(classes)}: each is positive once, so no --positive"
            )
        if classes:
            frame = one_against_rest(frame, classes, where)
        labels = classes or find_labels(list(frame.columns), where)
        parsed, notes = _parse(frame, labels, where, positive)
        if not allow_leakage and "group" in frame:
            check_leakage(parsed, where)
        return cls(parsed, labels, (*liberties, *notes), is_multiclass=bool(classes))

    @classmethod
    def from_arrays(
        cls,
        *,
        split: str,
        ids: Sequence[object] | NDArray[np.generic],
        targets: ArrayLike,
        scores: ArrayLike,
        groups: Sequence[object] | NDArray[np.generic] | None = None,
        label_names: Sequence[str] | None = None,
        further: Mapping[str, Sequence[object] | NDArray[np.generic]] | None = None,
    ) -> Self:
        """Build the table of one split.

        Args:
            split: "train", "val" or "test".
            ids: Name of each sample, N of them, unique; turned into text.
            targets: 0 or 1, shape ``(N,)``; with ``label_names`` 0, 1 or -1 (unknown), shape ``(N, L)``.
            scores: Raw scores, any float type, of the same shape (or ``(N, 1)`` for ``(N,)``).
            groups: The patient of each sample; each sample its own when ``None``.
            label_names: Names of the L labels.
            further: Columns for subgroups by name, N values each; turned into text. One whose name would be read
                as a column of the table's own (``score``, ``target_x``) stands there as ``"file:<name>"``.

        Raises:
            InputError: As :meth:`read`, or lengths differ.

        >>> Predictions.from_arrays(split="val", ids=[7, 8], targets=[0, 1], scores=[0.5, 2.0]).n
        2
        """
        where, labels = f"the {split} predictions", tuple(label_names or ())
        target_table, score_table = np.asarray(targets), np.asarray(scores, dtype=np.float64)
        shape = (len(ids), len(labels)) if labels else (len(ids),)
        if not labels and score_table.shape == (len(ids), 1):  # a network with one output
            score_table = score_table[:, 0]
        if target_table.shape != shape or score_table.shape != shape:
            found = f"targets {target_table.shape} and scores {score_table.shape}"
            raise InputError(
                f"{where}: {len(ids)} ids and {len(labels)} labels need shape {shape}, got {found}"
            )
        columns: dict[str, object] = {"split": split, "id": [str(name) for name in ids]}
        columns["group"] = columns["id"] if groups is None else [str(name) for name in groups]
        cells = zip(
            pairs(labels),
            target_table.reshape(len(ids), -1).T,
            score_table.reshape(len(ids), -1).T,
            strict=True,
        )
        for (target_name, score_name), target, score in cells:
            columns[target_name], columns[score_name] = target, score
        own = set(columns)
        for name, values in (further or {}).items():
            is_own = name in own or name.startswith(("target_", "score_"))
            columns[f"file:{name}" if is_own else name] = [str(value) for value in values]
        return cls(_parse(pd.DataFrame(columns), labels, where)[0], labels)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Put tables with equal labels below each other, splits in the order given.

        Raises:
            InputError: No part, labels that differ, or an id twice in one split.
        """
        if not parts or any(part.labels != parts[0].labels for part in parts):
            raise InputError("only predictions with the same labels can be put together")
        frame = pd.concat([part.frame for part in parts], ignore_index=True)
        check_ids(frame, "the predictions put together")
        return replace(parts[0], frame=frame)

    def write(self, path: Path | str) -> None:
        """Write the table as CSV, whole or not at all; :meth:`read` gives the same numbers to the bit.

        Raises:
            InputError: The file cannot be written.
        """
        save_text(path, self.frame.to_csv(index=False, lineterminator="\n"))

    def select(self, split: str) -> Self:
        """Return the rows of one split (none if the split is absent)."""
        return self.where(np.asarray(self.frame["split"] == split))

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.frame)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that have rows, in the order train, val, test."""
        present = set(self.frame["split"].unique())
        return tuple(split for split in SPLITS if split in present)

    @property
    def ids(self) -> list[str]:
        """Name of each sample."""
        return [str(name) for name in self.frame["id"].to_numpy(dtype=object)]

    @property
    def groups(self) -> list[str]:
        """Patient of each sample."""
        return [str(name) for name in self.frame["group"].to_numpy(dtype=object)]

    def target(self, label: str | None = None) -> NDArray[np.int8]:
        """Targets of ``label`` (``None``: the one without a name), shape ``(N,)``; -1 is unknown."""
        return self.frame[pair(label)[0]].to_numpy(dtype=np.int8)

    def score(self, label: str | None = None) -> NDArray[np.float64]:
        """Scores of ``label`` (``None``: the one without a name), shape ``(N,)``."""
        return self.frame[pair(label)[1]].to_numpy(dtype=np.float64)

    def known(self, label: str | None = None) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Targets and scores of the rows whose target is known."""
        target = self.target(label)
        return target[target != UNKNOWN], self.score(label)[target != UNKNOWN]

    def known_groups(self, label: str | None = None) -> NDArray[np.str_]:
        """Patients of the rows whose target is known."""
        known = self.target(label) != UNKNOWN
        return np.asarray(self.groups, dtype=np.str_)[np.flatnonzero(known)]

    @property
    def has_repeated_groups(self) -> bool:
        """Whether some group has several rows."""
        return bool(self.frame["group"].duplicated().any())

    @property
    def further_columns(self) -> list[str]:
        """Names of the columns that medauc has no use for but subgroups."""
        own = {"split", "id", "group", *(name for names in pairs(self.labels) for name in names)}
        return [str(name) for name in self.frame.columns if name not in own]

    def where(self, rows: NDArray[np.bool_]) -> Self:
        """Return the rows that a mask of shape ``(N,)`` picks."""
        return replace(self, frame=self.frame[rows].reset_index(drop=True))

    def class_sizes(self, label: str | None = None) -> tuple[int, int]:
        """Numbers of positives and negatives."""
        target = self.target(label)
        return int((target == 1).sum()), int((target == 0).sum())

    def has_both_classes(self, label: str | None = None) -> bool:
        """Whether an AUC can be computed."""
        return min(self.class_sizes(label)) > 0


def _parse(
    frame: pd.DataFrame, labels: tuple[str, ...], where: str, positive: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Fill in the defaults, turn cells into numbers, refuse what cannot be evaluated; order the columns."""
    if frame.empty:
        raise InputError(f"{where}: no rows")
    rows = pd.RangeIndex(1, len(frame) + 1)
    split, notes = to_splits(frame["split"], where) if "split" in frame else ("test", [])
    columns: dict[str, object] = {"split": split}
    columns["id"] = frame["id"] if "id" in frame else rows.astype("str")
    columns["group"] = frame.get("group", columns["id"])
    for target, score in pairs(labels):
        columns[target] = to_targets(frame[target], where, unknown_allowed=bool(labels), positive=positive)
        columns[score], liberties = to_scores(frame[score], where)
        notes += liberties
    columns |= {str(name): frame[name] for name in frame.columns if name not in columns}
    parsed = pd.DataFrame(columns, index=frame.index)
    if "id" in frame:
        check_ids(parsed, where)
    return parsed, notes
