"""Paths of a manifest, which stay below its root whatever the manifest says."""

import os
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from medauc.data.manifest.targets import rows_named
from medauc.errors import InputError


def paths_below(root: Path, cells: Sequence[str], where: str) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Make the paths of a manifest absolute.

    Args:
        root: Folder that they are relative to and must not leave.
        cells: Paths as they stand in the manifest; an absolute one must lie below ``root`` too. What has backslashes,
            and names nothing so, is a path as Windows writes it.
        where: What to name in an error.

    Returns:
        Absolute paths, and whether something is there.

    Raises:
        InputError: A path that is blank, climbs by "..", or leads out of ``root``, by a link or otherwise.
    """
    base = root.resolve()
    start = str(base)
    inside = lru_cache(maxsize=100_000)(lambda folder: _resolved(folder).is_relative_to(base))
    found, there = list[str](), np.ones(len(cells), np.bool_)
    for row, written in enumerate(cells):
        cell = _from_windows(written, start) if "\\" in written else written
        if not cell.strip() or "\0" in cell or (".." in cell and ".." in PurePath(cell).parts):
            reason = "is blank" if not cell.strip() else f"{cell!r} is no plain path"
            raise InputError(
                f"{where}: the path {reason} in {_row(row)}; paths are relative to {root}, without '..'"
            )
        path = os.path.join(start, cell)  # noqa: PTH118  a million Path objects take seconds
        kind = _kind(path)
        there[row] = kind is not None
        is_link = kind is not None and stat.S_ISLNK(kind)
        series = _folder_of_series(path) if kind is None else None
        if series is not None and not os.path.basename(path).startswith("#") and series.is_symlink():  # noqa: PTH119
            raise InputError(
                f"{where}: the path {cell!r} in {_row(row)} names a series of a linked folder; name the folder itself"
            )
        there[row] |= series is not None and series.is_dir()
        if not inside(path if is_link else os.path.dirname(path)):  # noqa: PTH120
            raise InputError(
                f"{where}: the path {cell!r} in {_row(row)} leads out of {root}; name the folder that holds all images "
                "with --root"
            )
        found.append(path)
    return found, there


def _from_windows(cell: str, start: str) -> str:
    """A path with slashes for backslashes, unless something is there by the name as it stands."""
    return cell if _kind(os.path.join(start, cell)) is not None else cell.replace("\\", "/")  # noqa: PTH118


def _kind(path: str) -> int | None:
    """Mode of what is at a path, a link not followed; None if nothing is there."""
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return None


def _folder_of_series(path: str) -> Path | None:
    """The folder of ``folder/#name`` or ``folder#name``, one of several series; None for other paths."""
    if "#" not in path:
        return None
    place = Path(path)
    name = place.name.rpartition("#")[0]
    if "#" not in place.name:
        return None
    return place.with_name(name) if name else place.parent


def _resolved(path: str) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):  # a link to itself
        return Path("/")


def _row(row: int) -> str:
    return rows_named(np.array([row]))
