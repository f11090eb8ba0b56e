"""A file becomes a table: CSV of any usual separator or Parquet, names as the file's owner gave them."""

import csv
import gzip
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from medauc.errors import InputError
from medauc.evaluation.classes import find_classes
from medauc.evaluation.columns import find_labels, pair, pairs, rename, unused

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_PARQUET = (".parquet", ".pq")


class ReadOptions(TypedDict, total=False):
    """How to read a table that does not use medauc's own names; see :meth:`Predictions.read`."""

    columns: Mapping[str, str] | None
    positive: str | None
    allow_leakage: bool


def read_table(path: Path, columns: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV or Parquet file.

    Args:
        path: The file; the ending ``.parquet`` or ``.pq`` tells Parquet.
        columns: The file's own name of a column by medauc's name.

    Returns:
        The table, and one sentence for each liberty taken in reading it. Columns of targets and scores are
        float64 where every cell is a number; all else is text as it stands in the file, "" where empty.

    Raises:
        InputError: The file cannot be read, or is no table with a header and rows.
    """
    where, notes = str(path), list[str]()
    try:
        if path.suffix.lower() in _PARQUET:
            frame = _read_parquet(path, columns)
        else:
            frame, notes = _read_csv(path, columns)
    except pd.errors.EmptyDataError:
        raise InputError(f"{where} is empty; it needs a header with target and score, and rows") from None
    except UnicodeDecodeError:
        raise InputError(f"{where} is not a CSV file in UTF-8; save it as 'CSV UTF-8'") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{where} is not a CSV file: {reason}; a decimal comma needs semicolons between columns"
        ) from None
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}") from None
    if frame.empty:
        raise InputError(f"{where} has a header and no rows")
    return frame, notes + unused(list(frame.columns))


def _read_csv(path: Path, columns: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    separator = _find_separator(path)
    header = rename(_read_header(path, separator), columns, str(path))
    options: dict[str, Any] = {
        "sep": separator,
        "header": 0,
        "names": header,
        "index_col": False,
        "na_filter": False,  # an id "NA" or "007" stays what it is
        "encoding": "utf-8-sig",
    }
    numeric = _number_columns(header, str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header
        try:
            types = {name: "float64" if name in numeric else "str" for name in header}
            frame = pd.read_csv(path, dtype=types, low_memory=False, **options)
        except (pd.errors.ParserError, UnicodeDecodeError):
            raise
        except ValueError:  # some cell is no number: take the text, which tells which one
            frame = pd.read_csv(path, dtype="str", low_memory=False, **options)
    frame = frame.fillna("") if frame.isna().to_numpy().any() else frame  # cells that a short row lacks
    notes = [] if separator == "," else [f"{path.name}: columns are separated by {_SEPARATORS[separator]}."]
    return frame, notes


def _find_separator(path: Path) -> str:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
    if "\0" in line:
        raise InputError(f"{path} is not a CSV file: its first line holds binary data")
    return max(_SEPARATORS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def _read_header(path: Path, separator: str) -> list[str]:
    first = pd.read_csv(
        path, sep=separator, header=None, nrows=1, dtype="str", na_filter=False, encoding="utf-8-sig"
    )
    return [str(name).strip() for name in first.iloc[0]]


def _read_parquet(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    path.open("rb").close()  # a missing file is told as such, whatever the engine would say
    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise InputError(
            f"{path}: reading Parquet needs pyarrow; pip install pyarrow, or save the table as CSV"
        ) from None
    except ValueError as error:  # pyarrow's errors are ValueErrors
        raise InputError(f"{path} is not a Parquet file: {' '.join(str(error).split())}") from None
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame.columns = pd.Index(rename([str(name) for name in frame.columns], columns, str(path)))
    numeric = _number_columns(list(frame.columns), str(path))
    return pd.DataFrame({name: _as_read(frame[name], name in numeric) for name in frame.columns})


def _as_read(column: "pd.Series[Any]", numeric: bool) -> "pd.Series[Any]":
    """Numbers as they are where targets and scores want them, everything else as the text CSV would hold."""
    if numeric and column.dtype.kind in "iuf" and not column.hasnans:
        return column.astype("float64")
    return column.astype("object").where(column.notna(), "").astype("str")


def _number_columns(header: Sequence[str], where: str) -> set[str]:
    if classes := find_classes(header):
        return {pair(name)[1] for name in classes}
    return {name for names in pairs(find_labels(header, where)) for name in names}
