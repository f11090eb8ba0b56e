"""The table of scores: what a training leaves behind, or what anybody else hands in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from medauc.errors import InputError
from medauc.files import write_text_atomically

SPLITS = ("train", "val", "test")
UNKNOWN = -1
_KEYS = ("split", "id", "group")


@dataclass(frozen=True)
class Predictions:
    """Scores and targets of samples, one row a sample.

    Build it with :meth:`read` or :meth:`from_arrays`, which check it; the constructor does not.

    Attributes:
        frame: Columns ``split`` (train, val or test), ``id``, ``group`` (all text), then ``target`` (0, 1)
            and ``score`` (float64), or ``target_<label>`` (0, 1, -1 = unknown) and ``score_<label>`` for
            each label, then any further columns as text.
        labels: Names of the labels; empty when there is one target without a name.
    """

    frame: pd.DataFrame
    labels: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path | str) -> Self:
        r"""Read a CSV file, from medauc or from anywhere.

        Needed are the columns ``target`` and ``score``, or ``target_<label>`` and ``score_<label>`` for one
        label or more. ``split`` defaults to "test" in every row, ``id`` to the row's number, ``group`` to
        the id. An empty ``target_<label>`` means unknown. Numbers are read to the last bit.

        Raises:
            InputError: The file cannot be read or its content cannot be evaluated; says where and why.

        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "reader.csv"
        >>> _ = path.write_text("target,score\n0,1\n1,4\n")
        >>> Predictions.read(path).frame.to_csv(index=False)
        'split,id,group,target,score\ntest,1,1,0,1.0\ntest,2,2,1,4.0\n'
        """
        where = str(path)
        frame = _read_text_table(Path(path), where)
        labels = _find_labels(list(frame.columns), where)
        return cls(_parse(frame, labels, where), labels)

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
    ) -> Self:
        """Build the table of one split.

        Args:
            split: "train", "val" or "test".
            ids: Name of each sample, N of them, unique; turned into text.
            targets: 0 or 1, shape ``(N,)``; with ``label_names`` 0, 1 or -1 (unknown), shape ``(N, L)``.
            scores: Raw scores, any float type, of the same shape (or ``(N, 1)`` for ``(N,)``).
            groups: The patient of each sample; each sample its own when ``None``.
            label_names: Names of the L labels.

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
        pairs = zip(
            _pairs(labels),
            target_table.reshape(len(ids), -1).T,
            score_table.reshape(len(ids), -1).T,
            strict=True,
        )
        for (target_name, score_name), target, score in pairs:
            columns[target_name], columns[score_name] = target, score
        return cls(_parse(pd.DataFrame(columns), labels, where), labels)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Put tables with equal labels below each other, splits in the order given.

        Raises:
            InputError: No part, labels that differ, or an id twice in one split.
        """
        if not parts or any(part.labels != parts[0].labels for part in parts):
            raise InputError("only predictions with the same labels can be put together")
        frame = pd.concat([part.frame for part in parts], ignore_index=True)
        _check_ids(frame, "the predictions put together")
        return cls(frame, parts[0].labels)

    def write(self, path: Path | str) -> None:
        """Write the table as CSV, whole or not at all; :meth:`read` gives the same numbers to the bit.

        Raises:
            InputError: The file cannot be written.
        """
        try:
            write_text_atomically(Path(path), self.frame.to_csv(index=False, lineterminator="\n"))
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None

    def select(self, split: str) -> Self:
        """Return the rows of one split (none if the split is absent)."""
        return type(self)(self.frame[self.frame["split"] == split].reset_index(drop=True), self.labels)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.frame)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that have rows, in the order train, val, test."""
        present = set(self.frame["split"])
        return tuple(split for split in SPLITS if split in present)

    @property
    def ids(self) -> list[str]:
        """Name of each sample."""
        return [str(name) for name in self.frame["id"]]

    @property
    def groups(self) -> list[str]:
        """Patient of each sample."""
        return [str(name) for name in self.frame["group"]]

    def target(self, label: str | None = None) -> NDArray[np.int8]:
        """Targets of ``label`` (``None``: the one without a name), shape ``(N,)``; -1 is unknown."""
        return self.frame[_pair(label)[0]].to_numpy(dtype=np.int8)

    def score(self, label: str | None = None) -> NDArray[np.float64]:
        """Scores of ``label`` (``None``: the one without a name), shape ``(N,)``."""
        return self.frame[_pair(label)[1]].to_numpy(dtype=np.float64)

    def known(self, label: str | None = None) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Targets and scores of the rows whose target is known."""
        target = self.target(label)
        return target[target != UNKNOWN], self.score(label)[target != UNKNOWN]

    def class_sizes(self, label: str | None = None) -> tuple[int, int]:
        """Numbers of positives and negatives."""
        target = self.target(label)
        return int((target == 1).sum()), int((target == 0).sum())

    def has_both_classes(self, label: str | None = None) -> bool:
        """Whether an AUC can be computed."""
        return min(self.class_sizes(label)) > 0


def _pair(label: str | None) -> tuple[str, str]:
    return ("target", "score") if label is None else (f"target_{label}", f"score_{label}")


def _pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    return [_pair(label) for label in labels] or [_pair(None)]


def _read_text_table(path: Path, where: str) -> pd.DataFrame:
    """Read every cell as text: an id "NA" or "007" stays what it is."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            _check_first_line(file.readline(), where)
        table = pd.read_csv(
            path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
        )
    except pd.errors.EmptyDataError:
        raise InputError(f"{where} is empty; it needs a header with target and score, and rows") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not a CSV file: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}") from None
    header = [str(name).strip() for name in table.iloc[0]]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"{where} has more than one column named {', '.join(map(repr, repeated))}")
    table = table.iloc[1:].reset_index(drop=True).fillna("")  # cells that a short row lacks
    if table.empty:
        raise InputError(f"{where} has a header and no rows")
    table.columns = pd.Index(header)
    return table


def _check_first_line(line: str, where: str) -> None:
    if "\0" in line:
        raise InputError(f"{where} is not a CSV file: its first line holds binary data")
    if "," not in line and any(mark in line for mark in ";\t"):
        raise InputError(f"{where} separates its columns by ';' or tabs; save it with commas")


def _find_labels(columns: list[str], where: str) -> tuple[str, ...]:
    if {"target", "score"} <= set(columns):
        return ()
    labels = tuple(name.removeprefix("target_") for name in columns if name.startswith("target_"))
    missing = [name for pair in _pairs(labels) for name in pair if name not in columns]
    if missing:
        listed = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
        raise InputError(f"{where} lacks the column {', '.join(missing)}; it has: {listed}")
    return labels


def _parse(frame: pd.DataFrame, labels: tuple[str, ...], where: str) -> pd.DataFrame:
    """Fill in the defaults, turn text into numbers, refuse what cannot be evaluated; order the columns."""
    if frame.empty:
        raise InputError(f"{where}: no rows")
    columns: dict[str, object] = {"split": frame.get("split", "test")}
    columns["id"] = frame.get("id", pd.Series([str(row + 1) for row in range(len(frame))]))
    columns["group"] = frame.get("group", columns["id"])
    for target, score in _pairs(labels):
        columns[target] = _to_targets(frame[target], bool(labels), where)
        columns[score] = _to_scores(frame[score], where)
    columns |= {str(name): frame[name] for name in frame.columns if name not in columns}
    parsed = pd.DataFrame(columns, index=frame.index)
    strange = sorted(set(parsed["split"]) - set(SPLITS))
    if strange:
        names = ", ".join(map(repr, strange[:3]))
        raise InputError(f"{where}: unknown split {names}; use {', '.join(SPLITS)}")
    _check_ids(parsed, where)
    return parsed


def _check_ids(frame: pd.DataFrame, where: str) -> None:
    repeated = frame[frame.duplicated(["split", "id"])]
    if len(repeated):
        first = ", ".join(repr(str(name)) for name in repeated["id"].drop_duplicates()[:3])
        split = repeated["split"].iloc[0]
        raise InputError(f"{where}: {len(repeated)} ids repeat within a split, in {split!r} for one: {first}")


def _to_scores(column: pd.Series, where: str) -> NDArray[np.float64]:
    values = _to_numbers(column, where)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        first = f"the first is {values[bad[0]]} in row {bad[0] + 1}"
        raise InputError(
            f"{where}: {bad.size} of {values.size} values of {column.name} are not finite; {first}"
        )
    return values


def _to_targets(column: pd.Series, unknown_allowed: bool, where: str) -> NDArray[np.int8]:
    if unknown_allowed:
        column = column.astype(object).where(column.astype(object) != "", str(UNKNOWN))
    values = _to_numbers(column, where)
    if unknown_allowed:
        values = np.where(np.isnan(values), UNKNOWN, values)
    bad = np.flatnonzero(~np.isin(values, (0, 1, UNKNOWN) if unknown_allowed else (0, 1)))
    if bad.size:
        allowed = "0, 1 or -1 (unknown)" if unknown_allowed else "0 or 1"
        first = f"row {bad[0] + 1} has {values[bad[0]]:g}"
        raise InputError(f"{where}: {column.name} must be {allowed}, but {first} ({bad.size} such rows)")
    return values.astype(np.int8)


def _to_numbers(column: pd.Series, where: str) -> NDArray[np.float64]:
    try:
        return np.asarray(column.to_numpy(dtype=object), dtype=np.float64)  # Python's float(): exact
    except (TypeError, ValueError):
        for row, value in enumerate(column, start=1):
            try:
                float(value)
            except (TypeError, ValueError):
                raise InputError(f"{where}: {column.name} of row {row} is {value!r}, not a number") from None
        raise
