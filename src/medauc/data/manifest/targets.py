"""Cells of a manifest become targets: 1 for the positive class, 0 for the other, -1 where unknown."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medauc.data.manifest.columns import ColumnsSpec, plain
from medauc.errors import InputError

UNKNOWN = -1
HEADER_ROWS = 2  # the first row below the header is row 2, as a spreadsheet counts
_TRUTH = {"true": "1", "false": "0"}
_BLANK = ("", "na", "n/a", "none", "null")
_NEGATIVE = (
    *(
        "negative",
        "neg",
        "normal",
        "benign",
        "healthy",
        "control",
        "controls",
        "absent",
        "no",
        "none",
        "non",
        "not",
    ),
    *("nofinding", "unaffected", "without"),
)


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of all rows.

    Attributes:
        values: int64, shape (N,) or (N, L); 1 positive, 0 negative, -1 unknown or left out.
        class_names: What 0 and 1 mean, ``("absent", "present")`` for several labels.
        note: A sentence on a choice that was made, or None.
    """

    values: npt.NDArray[np.int64]
    class_names: tuple[str, str]
    note: str | None = None


def one_target(
    cells: "pd.Series[str]", spec: ColumnsSpec, positive_class: str | int | None, where: str
) -> Targets:
    """Targets of one column.

    Args:
        cells: Text of each row.
        spec: Which values mean 1 and 0, if it says so.
        positive_class: The class that shall be 1, where there are two; None takes 1 of 0 and 1, or the
            one of two names whose other is a usual word for a negative finding.
        where: What to name in an error.

    Raises:
        InputError: An unknown target, or values that do not say which is positive.

    >>> found = one_target(pd.Series(["benign", "malignant"]), ColumnsSpec(), None, "x.csv")
    >>> found.values.tolist(), found.class_names, found.note
    ([0, 1], ('benign', 'malignant'), "'malignant' is taken for the positive class.")
    """
    codes, values = _codes(cells)
    where = f"{where}: target {cells.name!r}"
    if spec.positive:
        if positive_class is not None:
            raise InputError(
                f"{where}: data.columns.positive and data.positive_class both say what is positive; keep one"
            )
        return _by_lists(codes, values, spec, cells.name, where)
    blank = np.flatnonzero(codes == UNKNOWN)
    if len(blank):
        raise InputError(f"{where} is blank in {rows_named(blank)}; fill it in, or remove these rows")
    negative, positive, note = _choose(values, positive_class, where)
    names = ("class 0", "class 1") if set(values) <= {"0", "1"} else (negative, positive)
    if names == ("class 0", "class 1") and positive == "0":
        names = ("class 1", "class 0")
    return Targets((np.array(values)[codes] == positive).astype(np.int64), names, note)


def several_targets(columns: Mapping[str, "pd.Series[str]"], where: str) -> Targets:
    """Targets of several labels: 0, 1, true or false; blank or -1 is unknown.

    Raises:
        InputError: Another value; the line names column and row.

    >>> several_targets({"a": pd.Series(["0", ""]), "b": pd.Series(["1.0", "false"])}, "x.csv").values.tolist()
    [[0, 1], [-1, 0]]
    """
    found = []
    for name, cells in columns.items():
        codes, values = _codes(cells)
        strange = [code for code, value in enumerate(values) if value not in ("0", "1", "-1")]
        if strange:
            rows = np.flatnonzero(np.isin(codes, strange))
            raise InputError(
                f"{where}: {values[codes[rows[0]]]!r} in column {name!r}, {rows_named(rows)}, is neither 0 nor 1 "
                "nor blank (unknown)"
            )
        found.append(np.array([*map(int, values), UNKNOWN], np.int64)[codes])  # code -1 is the last: blank
    return Targets(np.stack(found, axis=1), ("absent", "present"))


def is_negative_word(name: str) -> bool:
    """Whether a class has a usual name of the negative one: its first or last word is usual for that.

    >>> [is_negative_word(name) for name in ("Benign", "normal, benign", "no_finding", "abnormal", "malignant")]
    [True, True, True, False, False]
    """
    words = re.findall(r"[^\W_]+", name.lower())
    return bool(words) and (words[0] in _NEGATIVE or words[-1] in _NEGATIVE)


def rows_named(rows: npt.NDArray[np.int64]) -> str:
    """Name rows as a spreadsheet does, the header being row 1.

    >>> rows_named(np.array([0])), rows_named(np.arange(1, 6))
    ('row 2', 'rows 3, 4, 5, ... (5 rows)')
    """
    first = ", ".join(str(row + HEADER_ROWS) for row in rows[:3])
    if len(rows) == 1:
        return f"row {first}"
    return f"rows {first}" + (f", ... ({len(rows)} rows)" if len(rows) > 3 else "")


def _codes(cells: "pd.Series[str]") -> tuple[npt.NDArray[np.int64], list[str]]:
    """Number of each row's value, -1 for a blank one, and the values in order."""
    codes, found = pd.factorize(cells, use_na_sentinel=False)
    read = [_read(str(value)) for value in found]
    values = sorted(set(read) - {""})
    number = {value: place for place, value in enumerate(values)} | {"": UNKNOWN}
    return np.array([number[value] for value in read] or [UNKNOWN], np.int64)[codes], values


def _read(cell: str) -> str:
    text = plain(cell)
    return "" if text.lower() in _BLANK else _TRUTH.get(text.lower(), text)


def _by_lists(
    codes: npt.NDArray[np.int64], values: Sequence[str], spec: ColumnsSpec, name: object, where: str
) -> Targets:
    """Targets as ``positive`` and ``negative`` say; blank rows and those in neither list are unknown."""
    positive, negative = ([plain(value) for value in chosen] for chosen in (spec.positive, spec.negative))
    absent = [value for value in (*positive, *negative) if value not in values]
    if absent:
        raise InputError(f"{where} has no value {absent[0]!r}; it has {_listed(values)}")
    meaning = [
        1 if value in positive else 0 if value in negative or not negative else UNKNOWN for value in values
    ]
    targets = np.array([*meaning, UNKNOWN], np.int64)[codes]
    left_out = int((targets == UNKNOWN).sum())
    others = [value for value, means in zip(values, meaning, strict=True) if means == 0]
    notes = []
    if left_out:
        notes.append(
            f"{left_out} rows are left out, whose target is neither positive nor negative by data.columns."
        )
    if not negative and len(others) > 1:
        notes.append(f"All but {_listed(positive)} count as negative: {_listed(others)}.")
    positive_name = _class_name(positive, str(name))
    names = (_class_name(negative, str(name)) if negative else f"not {positive_name}", positive_name)
    return Targets(targets, names, " ".join(notes) or None)


def _class_name(values: Sequence[str], column: str) -> str:
    """Values as the name of a class; numbers mean nothing without their column's name."""
    numbers = all(plain(value).lstrip("-").replace(".", "", 1).isdigit() for value in values)
    return f"{column} {' or '.join(values)}" if numbers else " or ".join(values)


def _choose(
    values: Sequence[str], positive_class: str | int | None, where: str
) -> tuple[str, str, str | None]:
    """Negative value, positive value, and a sentence where it was guessed."""
    if len(values) != 2 and not set(values) <= {"0", "1"}:
        if len(values) < 2:
            raise InputError(
                f"{where} has one value only ({_listed(values)}); an AUC needs samples of both classes"
            )
        raise InputError(
            f"{where} has {len(values)} values ({_listed(values)}); say which of them are positive (and "
            f"negative, if the others should not all be), for example {_remedy(values, positive_class)}"
        )
    if set(values) <= {"0", "1"}:
        values = ("0", "1")
    if positive_class is not None:
        wanted = str(positive_class).strip().lower().removeprefix("class ")
        matching = [value for value in values if value.lower() == wanted]
        if not matching:
            raise InputError(f"{where} has no class {positive_class!r}; it has {_listed(values)}")
        return next(value for value in values if value != matching[0]), matching[0], None
    if values == ("0", "1"):
        return "0", "1", None
    negative = [value for value in values if is_negative_word(value)]
    if len(negative) != 1:
        raise InputError(
            f"{where} has the values {_listed(values)}; say which is positive: "
            + " or ".join(
                assignment("data.positive_class", as_yaml(value)) if "." not in value else _remedy((value,))
                for value in values
            )
        )
    positive = next(value for value in values if value != negative[0])
    return negative[0], positive, f"{positive!r} is taken for the positive class."


def _remedy(values: Sequence[str], positive_class: str | int | None = None) -> str:
    """What to add to the command where the positive class cannot be named: of several values, or of fractions."""
    wanted = str(positive_class).strip().lower()
    given = [value for value in values if value.lower() == wanted]
    usual = [value for value in values if not is_negative_word(value)]
    positive = (given or usual or values)[-1]
    chosen = assignment("data.columns.positive", f"[{as_yaml(positive)}]")
    # positive_class is for two values, and excludes the list
    return chosen if positive_class is None else f"{chosen} --set data.positive_class=null"


def assignment(key: str, value: str) -> str:
    """An assignment as every shell takes it; zsh would look for files with names of the letters in brackets.

    >>> print(assignment("data.positive_class", as_yaml("yes")))
    --set 'data.positive_class="yes"'
    """
    text = f"{key}={value}"
    return f"--set {text}" if re.fullmatch(r"[\w.=-]+", text) else f"--set {shlex.quote(text)}"


def as_yaml(value: str) -> str:
    """A value as YAML reads it back, quoted where it would be a truth value, a float or several values."""
    import yaml

    try:
        (read,) = yaml.safe_load(f"[{value}]")
    except (yaml.YAMLError, ValueError):
        read = None
    as_is = type(read) in (str, int) and plain(read) == value
    return value if as_is else json.dumps(value, ensure_ascii=False)


def _listed(values: Sequence[str]) -> str:
    """Values, names in quotes: one of them may hold a comma."""
    shown = (
        value if value.lstrip("-").replace(".", "", 1).isdigit() else repr(value) for value in values[:8]
    )
    return ", ".join(shown) + (", ..." if len(values) > 8 else "")
