"""What a manifest must satisfy before images are read for a training."""

import os
import re

import numpy as np

from medauc.data.dataset import SPLIT_NAMES
from medauc.data.manifest.table import Manifest
from medauc.data.manifest.targets import rows_named
from medauc.errors import InputError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def require_trainable(manifest: Manifest, *, allow_leakage: bool = False) -> None:
    """Refuse missing files, patients in two splits, and a split that cannot be ranked.

    Args:
        manifest: With targets and splits.
        allow_leakage: Let patients in two splits pass.

    Raises:
        InputError: One line with how many, the first, and the remedy.
    """
    require_files(manifest)
    if not allow_leakage:
        require_whole_groups(manifest)
    require_both_classes(manifest)


def require_files(manifest: Manifest) -> None:
    """Refuse paths at which nothing is."""
    missing = np.flatnonzero(~manifest.there)
    if len(missing):
        listed = ", ".join(str(name) for name in manifest.table["id"].iloc[missing[:3]])
        first = os.path.relpath(manifest.table["path"].iloc[missing[0]], manifest.root.resolve())
        raise InputError(
            f"{manifest.source}: {len(missing)} of {len(manifest)} files are not there, in {rows_named(missing)}: "
            f"{listed}; paths are relative to {manifest.root}, --root names another folder"
            + ("; cut the drive of Windows off" if _DRIVE.match(first) else "")
        )


def require_whole_groups(manifest: Manifest) -> None:
    """Refuse a patient whose images stand in two splits: the test result would be too good."""
    places = manifest.table[["group", "split"]].drop_duplicates()
    crossing = places[places["group"].duplicated(keep=False)]
    if len(crossing):
        first = crossing["group"].iloc[0]
        splits = " and ".join(crossing.loc[crossing["group"] == first, "split"])
        raise InputError(
            f"{manifest.source}: {crossing['group'].nunique()} patients (groups) are in more than one split, {first!r} "
            f"in {splits} for one, so test is not independent; make new splits with --set data.split.seed=0, or name "
            "the column that tells patients: --columns group=NAME"
        )


def require_both_classes(manifest: Manifest) -> None:
    """Refuse a split in which no label has both classes."""
    targets = manifest.targets
    if targets is None:
        raise InputError(f"{manifest.source} has no targets")
    columns, splits = targets.reshape(len(targets), -1), manifest.column("split")
    negatives, positives = (int((columns == value).sum(axis=0).max()) for value in (0, 1))
    if min(negatives, positives) < len(SPLIT_NAMES):
        raise InputError(
            f"{manifest.source}: of {len(columns)} images {positives} are positive and {negatives} negative; training, "
            "validation and test need some of both: add images"
        )
    for name in SPLIT_NAMES:
        part = columns[splits == name]
        if not ((part == 0).any(axis=0) & (part == 1).any(axis=0)).any():
            raise InputError(
                f"{manifest.source}: of the {len(part)} images of split {name}, {int((part == 1).sum())} are positive "
                f"and {int((part == 0).sum())} negative; an AUC needs both: move images, or make new splits with "
                "--set data.split.seed=0 (another seed, or a larger data.split share)"
            )
