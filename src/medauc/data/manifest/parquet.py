"""A Parquet file as a table of texts, taken for hostile until its size is known."""

from pathlib import Path
from typing import Any

import pandas as pd

from medauc.errors import InputError

_MOST_UNPACKED = 512 << 20  # bytes, as of a packed CSV
_ROWS_AT_ONCE = 1024
_A_CELL = 8  # bytes that a cell counts at least, one without a value too


def read_parquet(path: Path) -> pd.DataFrame:
    """Read all cells as a CSV would show them: "" where empty.

    Raises:
        InputError: pyarrow is missing, or the file unpacks to more than a manifest takes.
        ValueError: It is no Parquet file, or damaged.
        OSError: It cannot be read.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError(
            f"{path}: Parquet needs pyarrow: pip install 'medauc[parquet]', or save it as CSV"
        ) from None
    try:
        _check_unpacked(path)
        frame = pd.read_parquet(path, engine="pyarrow").reset_index(drop=True)
    except (InputError, ValueError, OSError):
        raise
    except (
        Exception
    ) as error:  # damaged files raise anything, from indices to keys of pandas' own notes in them
        raise ValueError(f"it is damaged ({type(error).__name__})") from None
    return pd.DataFrame({str(name): _as_text(frame[name]) for name in frame.columns})


def _check_unpacked(path: Path) -> None:
    """Refuse a file that unpacks to more than any manifest takes: one value repeated a billion times takes a kilobyte.

    Texts stay in the dictionary that the file has them in, and their lengths are added up.
    """
    from pyarrow import parquet, types

    schema = parquet.read_schema(path)
    texts = [
        field.name for field in schema if types.is_string(field.type) or types.is_large_string(field.type)
    ]
    size = 0
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
            size += _A_CELL * len(batch) + sum(map(_bytes_of, batch.columns))
            if size > _MOST_UNPACKED:
                raise InputError(
                    f"{path} unpacks to more than {_MOST_UNPACKED >> 20} MiB, which no manifest takes; "
                    "keep the columns that are needed"
                )


def _bytes_of(column: Any) -> int:
    """Bytes of the values of a column's piece, each as often as it stands there."""
    from pyarrow import compute, types

    size = int(column.nbytes)
    if types.is_dictionary(column.type) and types.is_string(column.type.value_type):
        lengths = compute.binary_length(column.dictionary)
        size = int(compute.sum(lengths.take(column.indices)).as_py() or 0)
    return max(size, _A_CELL * len(column))


def _as_text(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Cells as a CSV would show them: whole numbers without a point, nothing where a value is missing."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").fillna("").astype("str")
