"""Cells become targets, scores and splits, or an error that names the row and the remedy."""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.errors import InputError

SPLITS = ("train", "val", "test")
UNKNOWN = -1
_SPLIT_NAMES = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
_TRUTH = {"true": 1, "false": 0}
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,?\d+([eE][+-]?\d+)?\s*")

Column: TypeAlias = "pd.Series[Any]"


def to_splits(column: Column, where: str) -> tuple[Column, list[str]]:
    """Bring the names of splits to train, val and test.

    Returns:
        The splits, and a sentence for each other name that was understood.

    Raises:
        InputError: A name that means none of the three.
    """
    found = sorted(column.unique())
    meaning = {name: _SPLIT_NAMES.get(name.strip().lower(), name.strip().lower()) for name in found}
    strange = [name for name in found if meaning[name] not in SPLITS]
    if strange:
        names = ", ".join(map(repr, strange[:3]))
        raise InputError(f"{where}: unknown split {names}; use {', '.join(SPLITS)}")
    renamed = {name: split for name, split in meaning.items() if name != split}
    if not renamed:
        return column, []
    return column.map(meaning), [f"Split {name!r} is taken for {split}." for name, split in renamed.items()]


def to_scores(column: Column, where: str) -> tuple[NDArray[np.float64], list[str]]:
    """Turn cells into finite float64.

    Returns:
        The scores, and a sentence when decimal commas were read.

    Raises:
        InputError: A cell that is no number, or not finite.
    """
    values, notes = _to_numbers(column, where)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        first = f"the first is {values[bad[0]]} in row {bad[0] + 1}"
        raise InputError(
            f"{where}: {bad.size} of {values.size} values of {column.name} are not finite; {first}"
        )
    return values, notes


def to_targets(
    column: Column, where: str, *, unknown_allowed: bool = False, positive: str | None = None
) -> NDArray[np.int8]:
    """Turn cells into 0, 1 and, where allowed, -1.

    Args:
        column: 0, 1, true or false; with ``positive`` any two values; empty, NaN or -1 for unknown.
        where: What to name in an error.
        unknown_allowed: Whether a target may be unknown.
        positive: The value that means 1; the other one means 0.

    Raises:
        InputError: Other values; where two values are found, the error offers ``--positive``.
    """
    codes, found = pd.factorize(column, use_na_sentinel=False)
    names = [f"{value:g}" if isinstance(value, float) else str(value).strip() for value in found]
    unknown = {"", "nan", str(UNKNOWN)} if unknown_allowed else set()
    known = sorted({name for name in names if name not in unknown})
    if positive is not None:
        _check_positive(known, positive, f"{where}: {column.name}")
        meaning = {name: int(name == positive) for name in known}
    else:
        meaning = {name: value for name in known if (value := _binary(name)) is not None}
    bad = [place for place, name in enumerate(names) if name not in unknown and name not in meaning]
    if bad:
        rows = np.flatnonzero(np.isin(codes, bad))
        raise _bad_target(column, names[codes[rows[0]]], rows, known, where, unknown_allowed)
    values = np.array([meaning.get(name, UNKNOWN) for name in names], dtype=np.int8)
    return values[codes]


def _binary(name: str) -> int | None:
    if name.lower() in _TRUTH:
        return _TRUTH[name.lower()]
    try:
        value = float(name)
    except ValueError:
        return None
    return int(value) if value in (0.0, 1.0) else None


def _check_positive(known: Sequence[str], positive: str, what: str) -> None:
    if len(known) > 2:
        raise InputError(
            f"{what} holds {len(known)} values, {_some(known)}; --positive needs two: make it two"
        )
    if positive not in known:
        raise InputError(f"{what} never is {positive!r}, which --positive names; it holds {_some(known)}")


def _bad_target(
    column: Column,
    value: str,
    rows: NDArray[np.intp],
    known: Sequence[str],
    where: str,
    unknown_allowed: bool,
) -> InputError:
    if value == "":
        return InputError(
            f"{where}: {column.name} of row {rows[0] + 1} is '', not a number: give the target or remove the row"
        )
    allowed = "0, 1 or -1 (unknown)" if unknown_allowed else "0 or 1"
    shown = value if _is_number(value) else repr(value)
    remedy = ""
    if len(known) == 2:
        remedy = "; name the value that is positive: " + " or ".join(
            f"--positive {_quoted(n)}" for n in known
        )
    elif len(known) > 2:
        remedy = f"; it holds {len(known)} values, {_some(known)}"
    return InputError(
        f"{where}: {column.name} must be {allowed}, but row {rows[0] + 1} has {shown} "
        f"({rows.size} such rows){remedy}"
    )


def _to_numbers(column: Column, where: str) -> tuple[NDArray[np.float64], list[str]]:
    if column.dtype.kind in "biuf":
        return column.to_numpy(dtype=np.float64), []
    cells = column.to_numpy(dtype=object)
    try:
        return np.asarray(cells, dtype=np.float64), []  # Python's float(): exact
    except (TypeError, ValueError):
        pass
    texts = [str(cell) for cell in cells]
    if all(map(_DECIMAL_COMMA.fullmatch, texts)):
        shown = next(text for text in texts if "," in text)
        note = f"{column.name}: the comma is read as decimal point, {shown} as {shown.replace(',', '.')}."
        return np.array([float(text.replace(",", ".")) for text in texts]), [note]
    row, text = next((row, text) for row, text in enumerate(texts, start=1) if not _is_number(text))
    raise InputError(f"{where}: {column.name} of row {row} is {text!r}, not a number{_remedy(text)}")


def _remedy(text: str) -> str:
    if text.strip() == "":
        return ": give a score or remove the row"
    if text.strip().endswith("%"):
        return ": write shares as 0.93, not 93%"
    if _DECIMAL_COMMA.fullmatch(text):
        return ", and other rows have a decimal point: use one of the two throughout"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


def _quoted(name: str) -> str:
    return f"'{name}'" if re.search(r"[^\w.+-]", name) else name
