"""A manifest: the table of images with their targets, patients and splits."""

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from medauc.data.load import MANIFESTS
from medauc.data.manifest.columns import Columns, ColumnsSpec, find_columns
from medauc.data.manifest.parquet import read_parquet
from medauc.data.manifest.paths import paths_below
from medauc.data.manifest.targets import UNKNOWN, Targets, one_target, rows_named, several_targets
from medauc.errors import InputError

_PERSONAL = (
    *(
        "name",
        "patientname",
        "firstname",
        "lastname",
        "surname",
        "birthdate",
        "dob",
        "dateofbirth",
        "mrn",
        "ssn",
        "patientenname",
        "vorname",
        "nachname",
        "geburtsdatum",
    ),
    *("patientbirthdate", "address", "phone", "email", "nhsnumber", "accessionnumber"),
)
_MOST_UNPACKED = 512 << 20  # bytes; a million rows take about a fifth of it
_SPLITS = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}


@dataclass(frozen=True, eq=False)
class Manifest:
    """Images on disk with what is known about them, one row an image.

    Make it with :func:`read_manifest` or :func:`medauc.data.manifest.manifest_of_folder`.

    Attributes:
        source: The file, or the folder that was looked through.
        root: The folder that all paths lie below.
        table: Columns ``path`` (absolute), ``id``, ``group``, ``split`` ("" where there are no splits), all text,
            then ``target`` or ``target_<label>`` for each label (int64, -1 unknown), then further columns as text.
        labels: Names of the labels; empty with one target, or none.
        class_names: What targets 0 and 1 mean.
        there: Whether there is a file (or folder) at each path.
        has_groups: Whether the manifest names patients.
        notes: What was decided in reading it, in sentences.
    """

    source: Path
    root: Path
    table: pd.DataFrame
    labels: tuple[str, ...]
    class_names: tuple[str, str]
    there: npt.NDArray[np.bool_]
    has_groups: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def name(self) -> str:
        """Name of the data set: the file's, or its folder's where the file is just called manifest."""
        stem = self.source.name.split(".")[0] if self.source.is_file() else self.source.resolve().name
        return self.source.resolve().parent.name if stem.lower() == "manifest" else stem

    @property
    def has_splits(self) -> bool:
        """Whether the manifest says which split images belong to."""
        return bool((self.table["split"] != "").any())

    @property
    def targets(self) -> npt.NDArray[np.int64] | None:
        """Targets, shape (N,), or (N, L) for several labels; None where the manifest has none."""
        if self.labels:
            return self.table[[f"target_{label}" for label in self.labels]].to_numpy(np.int64)
        return self.table["target"].to_numpy(np.int64) if "target" in self.table else None

    @property
    def further(self) -> list[str]:
        """Names of the further columns."""
        own = {"path", "id", "group", "split", "target", *(f"target_{label}" for label in self.labels)}
        return [str(name) for name in self.table.columns if name not in own]

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """A column of text."""
        return self.table[name].to_numpy(dtype=np.str_)

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """Choose rows, by indices or a mask."""
        chosen = np.arange(len(self))[rows]
        return replace(self, table=self.table.iloc[chosen].reset_index(drop=True), there=self.there[chosen])

    def noting(self, *notes: str) -> Self:
        """The same with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def with_splits(self, splits: Sequence[str] | npt.NDArray[np.str_]) -> Self:
        """The same images in other splits."""
        return replace(self, table=self.table.assign(split=pd.Series(list(splits), dtype="str")))


def read_manifest(
    path: Path,
    columns: ColumnsSpec | None = None,
    root: Path | None = None,
    *,
    positive_class: str | int | None = None,
    needs_target: bool = True,
    ignore_targets: bool = False,
) -> Manifest:
    r"""Read a CSV (also ``.csv.gz``, semicolons or tabs) or Parquet file with one row an image.

    Whether the files are there, and whether patients cross splits, is not judged here: an audit wants to see such
    manifests (:func:`medauc.data.manifest.require_trainable` does).

    Args:
        path: The file.
        columns: Which column means what, and which targets are positive.
        root: Folder that the paths are relative to and may not leave; the manifest's own if None.
        positive_class: As in :func:`medauc.data.load_dataset`.
        needs_target: Whether a manifest without targets is refused.
        ignore_targets: Leave targets unread, so that no row is refused or left out for its target.

    Raises:
        InputError: The file is no table, lacks a column, or a cell cannot be read; says which, in which row.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "hospital.csv"
    >>> _ = file.write_text("file,label,sex\na.png,0,f\nb.png,1,m\n")
    >>> found = read_manifest(file)
    >>> found.targets.tolist(), found.further, found.table["id"].tolist(), found.there.tolist()
    ([0, 1], ['sex'], ['a.png', 'b.png'], [False, False])
    """
    frame = _read_table(path)
    where, spec = str(path), columns or ColumnsSpec()
    found = find_columns(list(frame.columns), spec, where, needs_target=needs_target and not ignore_targets)
    if ignore_targets:
        found = replace(found, target=None, targets={})
    manifest = manifest_of_table(frame, found, spec, path, root or path.parent, positive_class)
    return manifest.noting(*found.notes)


def manifest_of_table(
    frame: pd.DataFrame,
    columns: Columns,
    spec: ColumnsSpec,
    source: Path,
    root: Path,
    positive_class: str | int | None,
) -> Manifest:
    """Turn cells of text into a manifest; rows whose target is in neither list of ``spec`` are left out.

    Raises:
        InputError: As :func:`read_manifest`.
    """
    where = str(source)
    if not root.is_dir():
        raise InputError(
            f"{root}: no such folder; --root names the folder that the paths of {where} are relative to"
        )
    cells = frame[columns.path]
    paths, there = paths_below(root, cells.tolist(), where)
    ids = cells if columns.id is None else frame[columns.id].str.strip()
    _check_ids(ids, columns.id, where)
    groups = ids if columns.group is None else _without_blank(frame[columns.group], "group", where)
    splits = "" if columns.split is None else to_splits(frame[columns.split])
    table = pd.DataFrame({"path": pd.Series(paths, dtype="str"), "id": ids, "group": groups, "split": splits})
    targets = _targets(frame, columns, spec, positive_class, where)
    labels = tuple(columns.targets)
    if targets is not None:
        names = [f"target_{label}" for label in labels] or ["target"]
        for name, values in zip(names, targets.values.reshape(len(frame), -1).T, strict=True):
            table[name] = values
    further, left_out = _further(frame, columns, spec)
    table = pd.concat([table, frame[further].rename(columns=lambda name: _free(name, table))], axis=1)
    class_names = ("absent", "present") if targets is None else targets.class_names
    notes = (*left_out, *(() if targets is None or targets.note is None else (targets.note,)))
    has_groups = columns.group is not None
    found = Manifest(source, root, table, labels, class_names, there, has_groups, notes)
    if targets is None or labels:
        return found
    known = targets.values != UNKNOWN
    return found if known.all() else found.take(known)


def is_manifest(path: Path) -> bool:
    """Whether a path ends as a manifest does.

    >>> is_manifest(Path("a.CSV")), is_manifest(Path("a.npz"))
    (True, False)
    """
    return path.name.lower().endswith(MANIFESTS)


def to_splits(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Usual names as train, val and test; others are judged where splits are needed."""
    return cells.str.strip().str.lower().replace(_SPLITS)


def _further(frame: pd.DataFrame, columns: Columns, spec: ColumnsSpec) -> tuple[list[str], list[str]]:
    """Further columns that are kept, and a sentence on those that might say who a patient is."""
    there = [str(name) for name in frame.columns if name not in columns.used]
    if spec.keep is not None:
        return [name for name in there if name in spec.keep], []
    personal = [name for name in there if re.sub("[^a-z]", "", name.lower()) in _PERSONAL]
    note = f"Left out, since they may say who a patient is: {', '.join(personal)} (data.columns.keep takes them)."
    return [name for name in there if name not in personal], [note] if personal else []


def _free(name: str, table: pd.DataFrame) -> str:
    """Name of a further column: its own, unless a column of medauc's has it."""
    return f"file:{name}" if name in table else name


def _targets(
    frame: pd.DataFrame,
    columns: Columns,
    spec: ColumnsSpec,
    positive_class: str | int | None,
    where: str,
) -> Targets | None:
    if columns.targets:
        if positive_class is not None:
            raise InputError(f"{where} has {len(columns.targets)} labels; positive_class is for one")
        return several_targets({name: frame[own] for name, own in columns.targets.items()}, where)
    if columns.target is None:
        return None
    return one_target(frame[columns.target], spec, positive_class, where)


def _read_table(path: Path) -> pd.DataFrame:
    """All cells as text, "" where empty; names of columns without surrounding blanks."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        frame = read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path)
    except InputError:
        raise
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty; a manifest has a header with path and target, and rows") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no CSV file in UTF-8; save it as 'CSV UTF-8'") from None
    except (
        pd.errors.ParserError,
        pd.errors.ParserWarning,
        csv.Error,
        zlib.error,
        ValueError,
        EOFError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} cannot be read as a table: {reason}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InputError(f"{path} has two columns {str(twice[0])!r}; rename one")
    if frame.empty:
        raise InputError(f"{path} has a header and no rows")
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    packed = path.suffix.lower() == ".gz"
    if packed:
        _check_unpacked(path)
    opened = gzip.open if packed else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        first = file.readline(1_000_000)
    separator = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=separator), [])
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header
        frame = pd.read_csv(
            path, sep=separator, dtype="str", na_filter=False, encoding="utf-8-sig", index_col=False
        )
    if len(header) == len(frame.columns):
        frame.columns = pd.Index(header)  # pandas renames a column that stands there twice
    return frame.fillna("")  # cells that a short row lacks


def _check_unpacked(path: Path) -> None:
    """Refuse a packed file that unpacks to more than any manifest takes: a thousandth of that may lie on disk."""
    size = 0
    with gzip.open(path) as file:
        while block := file.read(1 << 20):
            size += len(block)
            if size > _MOST_UNPACKED:
                raise InputError(
                    f"{path} unpacks to more than {_MOST_UNPACKED >> 20} MiB; if it is a manifest, unpack it first"
                )


def _check_ids(ids: "pd.Series[str]", name: str | None, where: str) -> None:
    """Refuse ids that are blank or used twice."""
    blank = np.flatnonzero(ids == "")
    if len(blank):
        raise InputError(f"{where}: the id is blank in {rows_named(blank)}")
    again = np.flatnonzero(ids.duplicated())
    if len(again):
        what, remedy = f"id {ids.iloc[again[0]]!r}", "ids must be unique"
        if name is None:
            what, remedy = f"path {ids.iloc[again[0]]!r}", "list each file once, or add a column of ids"
        first = np.flatnonzero(ids == ids.iloc[again[0]])
        raise InputError(
            f"{where}: {what} stands in {rows_named(first)}, {len(again)} rows repeat one; {remedy}"
        )


def _without_blank(cells: "pd.Series[str]", what: str, where: str) -> "pd.Series[str]":
    blank = np.flatnonzero(cells.str.strip() == "")
    if len(blank):
        raise InputError(f"{where}: the {what} is blank in {rows_named(blank)}")
    return cells.str.strip()
