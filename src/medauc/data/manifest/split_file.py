"""Splits that an earlier run wrote down."""

from collections.abc import Container
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from medauc.data.dataset import SPLIT_NAMES
from medauc.data.manifest.table import Manifest, to_splits
from medauc.data.manifest.targets import rows_named
from medauc.data.readers import hash_ids
from medauc.data.readers.privacy import looks_hashed
from medauc.errors import InputError


def splits_of_file(manifest: Manifest, name: str, salt: str | None = None) -> npt.NDArray[np.str_]:
    """Split of each row of a manifest, told by its id from a table with the columns id and split.

    Args:
        manifest: Its folder (or the folder of images itself) is what a relative name starts at, as paths do.
        name: The table; ids that the manifest has not are passed over.
        salt: With what its ids may be hashed.

    Raises:
        InputError: The table cannot be read, names an unknown split, repeats an id, or lacks one.
    """
    source = manifest.source
    path = (source if source.is_dir() else source.parent) / Path(name).expanduser()
    table = _read(path)
    splits = to_splits(table["split"])
    strange = np.flatnonzero(~splits.isin(SPLIT_NAMES))
    if len(strange):
        unknown = table["split"].iloc[strange[0]]
        raise InputError(
            f"{path}: unknown split {unknown!r} in {rows_named(strange)}; use train, val and test"
        )
    again = np.flatnonzero(table["id"].duplicated())
    if len(again):
        twice = table["id"].iloc[again[0]]
        rows = np.flatnonzero(table["id"] == twice)
        raise InputError(f"{path}: id {twice!r} stands in {rows_named(rows)}; keep one row an image")
    known = dict(zip(table["id"], splits, strict=True))
    ids = _as_listed(manifest.table["id"], known, salt)
    missing = np.flatnonzero(~ids.isin(list(known)))
    if len(missing):
        first = manifest.table["id"].iloc[missing[0]]
        hashed = (
            "; if its ids are hashes, give their salt (--hash-ids)"
            if table["id"].map(looks_hashed).all()
            else ""
        )
        raise InputError(
            f"{path} has no split for {len(missing)} images, {first!r} for one; add them{hashed}"
        )
    return np.array([known[own] for own in ids], dtype=np.str_)


def _as_listed(ids: "pd.Series[str]", known: Container[str], salt: str | None) -> "pd.Series[str]":
    """The ids as the table has them: plain, or hashed where that finds the first of them."""
    if salt is None or ids.iloc[0] in known:
        return ids
    return pd.Series(hash_ids(ids.to_numpy(dtype=np.str_), salt))


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype="str", na_filter=False, encoding="utf-8-sig")
    except OSError as error:
        where = "; a relative data.split.file starts at the manifest's folder"
        reason = error.strerror or " ".join(str(error).split())
        raise InputError(f"{path}: cannot read the splits: {reason}{where}") from None
    except ValueError as error:
        raise InputError(f"{path}: cannot read the splits: {' '.join(str(error).split())}") from None
    for column in ("id", "split"):
        if column not in table:
            raise InputError(f"{path}: no column {column!r}; a split file has id and split")
    return table
