"""The ledger: one row a finished training, good or bad, in a CSV file that only grows."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from medauc.errors import InputError
from medauc.files import write_text_atomically

LEDGER = "ledger.csv"


class Row(BaseModel):
    """One training.

    ``recipe`` is the shipped recipe nearest to what was trained and ``changes`` in what it differs; ``name`` is what
    the grid called it, ``fingerprint`` tells recipes apart whatever they are called. ``epochs`` and
    ``epoch_seconds`` are sums over all networks of an ensemble. ``wall_seconds`` and ``peak_mib`` are empty where
    they were not measured. ``predictions`` is the table of scores, its path seen from the ledger's folder; empty
    where it was not kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    size: int
    recipe: str
    changes: str = ""
    seed: int
    commit: str
    val_auc: float
    val_low: float | None = None
    val_high: float | None = None
    test_auc: float
    test_low: float | None = None
    test_high: float | None = None
    epochs: int
    epoch_seconds: int
    wall_seconds: int | None = None
    peak_mib: int | None = None
    data_modified: bool
    threads: int
    device: str
    machine: str
    name: str = ""
    fingerprint: str = ""
    predictions: str = ""

    @field_validator(
        "val_low", "val_high", "test_low", "test_high", "wall_seconds", "peak_mib", mode="before"
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def flag(self) -> str:
        """The data set's name, with its size unless that is 28."""
        return self.dataset if self.size == 28 else f"{self.dataset}_{self.size}"

    @property
    def title(self) -> str:
        """What tables call the recipe: as the grid did, else the shipped recipe and what it was changed to."""
        changed = [
            re.sub(r" \(.* -> (.*)\)$", r"=\1", change) for change in self.changes.split("; ") if change
        ]
        return self.name or " ".join((self.recipe, *changed))

    @property
    def identity(self) -> tuple[object, ...]:
        """What two rows of one training have in common."""
        return (self.flag, self.seed, self.predictions, self.test_auc, self.epoch_seconds)


COLUMNS = tuple(Row.model_fields)


def read_ledger(path: Path) -> list[Row]:
    """Read all rows, oldest first; none when there is no file yet.

    Raises:
        InputError: the file cannot be read, or a row of it is none; says which.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                _parse(values, path, number) for number, values in enumerate(csv.DictReader(file), start=2)
            ]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the ledger: {error}") from None


def _parse(values: dict[str, str], path: Path, number: int) -> Row:
    try:
        return Row.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{path}, line {number}: {first['loc'][0]}: {first['msg']}; mend or remove the line"
        ) from None


def add_rows(path: Path, rows: Iterable[Row]) -> list[Row]:
    """Add rows that the ledger does not hold yet; several processes may add at once.

    Args:
        path: the ledger, made if it is not there.
        rows: finished trainings.

    Returns:
        The rows that were added.

    Raises:
        InputError: as :func:`read_ledger`, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path):
            old = read_ledger(path)
            known = {row.identity for row in old}
            new = []
            for row in rows:
                row = Row.model_validate(_cells(row))  # as it will be read
                if row.identity not in known:
                    known.add(row.identity)
                    new.append(row)
            if new:
                write_text_atomically(path, _text([*old, *new]))
    except OSError as error:
        raise InputError(f"{path}: cannot write the ledger ({error.strerror or error})") from None
    return new


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Be the only process that writes a ledger, or tables beside it, and remove what a killed one left half-written."""
    with FileLock(path.with_name(f".{path.name}.lock")):
        for leftover in path.parent.glob(".*.tmp"):
            leftover.unlink()
        yield


def _text(rows: Iterable[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(row) for row in rows)
    return buffer.getvalue()


def _cells(row: Row) -> dict[str, str]:
    return {name: _cell(value) for name, value in row.model_dump().items()}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.5f}" if isinstance(value, float) else str(value)
