"""A Parquet file as a table of texts, taken for hostile until its size is known."""

from pathlib import Path
from typing import Any

import pandas as pd

from medauc.errors import InputError

_MOST_UNPACKED = 512 << 20  # bytes, as of a packed CSV
_ROWS_AT_ONCE = 1 << 16  # each batch looks at the whole dictionary of its row group
_A_CELL = 8  # bytes that a cell counts at least, one without a value too


def read_parquet(path: Path) -> pd.DataFrame:
    """Read all cells as a CSV would show them: "" where empty.

    Raises:
        InputError: pyarrow is missing, a column holds no texts, numbers or times, or the file unpacks to more than a
            manifest or this machine takes.
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
    except (InputError, ValueError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"it is damaged ({error})") from None  # so pyarrow calls it
    except MemoryError:
        raise InputError(
            f"{path} needs more memory than there is; keep the columns that are needed"
        ) from None
    except (
        Exception
    ) as error:  # damaged files raise anything, from indices to keys of pandas' own notes in them
        raise ValueError(f"it is damaged ({type(error).__name__})") from None
    return pd.DataFrame({str(name): _as_text(frame[name]) for name in frame.columns})


def _check_unpacked(path: Path) -> None:
    """Refuse a file that unpacks to more than any manifest takes: one value repeated a billion times takes a kilobyte.

    Texts stay in the dictionary that the file has them in, and their lengths are added up; what packs its values
    otherwise (lists, bytes) would be unpacked before it can be counted, and is refused.
    """
    from pyarrow import parquet

    schema = parquet.read_schema(path)
    for field in schema:
        if not _is_cell(field.type):
            raise InputError(
                f"{path}: column {field.name!r} holds {field.type}, not texts, numbers or times; leave it out"
            )
    texts = [field.name for field in schema if _is_text(field.type)]
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        # Pages are unpacked whole, so what they say of themselves comes first.
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        _check_size(path, sum(group.total_byte_size for group in groups))
        size = 0
        for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
            size += _A_CELL * len(batch) + sum(map(_bytes_of, batch.columns))
            _check_size(path, size)


def _check_size(path: Path, size: int) -> None:
    if size > _MOST_UNPACKED:
        raise InputError(
            f"{path} unpacks to more than {_MOST_UNPACKED >> 20} MiB, which no manifest takes; "
            "keep the columns that are needed"
        )


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_cell(kind: Any) -> bool:
    """Whether values are texts, or take a few bytes each."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    fixed = types.is_primitive(kind) or types.is_decimal(kind)  # numbers, truth values, times
    return _is_text(kind) or fixed or types.is_null(kind)


def _bytes_of(column: Any) -> int:
    """Bytes of the values of a column's piece, each as often as it stands there."""
    from pyarrow import compute, types

    size = int(column.nbytes)
    if types.is_dictionary(column.type) and _is_text(column.type.value_type):
        lengths = compute.binary_length(column.dictionary)
        size = int(compute.sum(lengths.take(column.indices)).as_py() or 0)
    return max(size, _A_CELL * len(column))


def _as_text(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Cells as a CSV would show them: whole numbers without a point, nothing where a value is missing."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").fillna("").astype("str")
