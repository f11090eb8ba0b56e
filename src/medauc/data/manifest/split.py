"""Splits of a manifest: its own, or made so that classes are spread evenly and no patient crosses."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from medauc.data.dataset import SPLIT_NAMES
from medauc.data.manifest.columns import plain
from medauc.data.manifest.moments import moments
from medauc.data.manifest.split_file import splits_of_file
from medauc.data.manifest.table import Manifest
from medauc.data.manifest.targets import rows_named
from medauc.errors import InputError

Names = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]
TRAIN, VAL, TEST = SPLIT_NAMES
DEFAULT_SHARE = 0.15
UNUSED_SPLITS = (
    "The column of splits is not used: data.split holds over it (--set data.split=null uses the column)."
)


@dataclass(frozen=True)
class SplitSpec:
    """How splits are made; patients (the manifest's groups) are never divided.

    Attributes:
        val: Share of all samples that validation gets, between 0 and 1.
        test: Share of all samples that test gets, unless ``by`` says which they are.
        seed: Decides what falls to chance; 0 or more.
        order_by: Column of dates or numbers: the patients with the latest first image are test, those before them
            validation. None leaves it to chance, with classes spread evenly.
        by: Column of sites, scanners or years: rows whose value is in ``test_values`` are test.
        test_values: Those values.
        file: A ``split.csv`` of an earlier run (columns id and split) that holds over all of the above; a relative
            one starts at the manifest's folder.

    Raises:
        InputError: A value out of range, or keys that exclude each other.
    """

    val: float = DEFAULT_SHARE
    test: float = DEFAULT_SHARE
    seed: int = 0
    order_by: str | None = None
    by: str | None = None
    test_values: tuple[str | int | float, ...] = ()
    file: str | None = None

    def __post_init__(self) -> None:
        for name, share in (("val", self.val), ("test", self.test)):
            if not 0 < share < 1:
                raise InputError(f"split: {name} is {share!r}, it must be a share between 0 and 1")
        if self.val + self.test >= 1:
            raise InputError(f"split: val {self.val:g} and test {self.test:g} leave nothing to train on")
        if self.seed < 0:
            raise InputError(f"split: seed is {self.seed}, it must be 0 or more")
        if (self.by is None) != (not self.test_values):
            raise InputError("split: by and test_values go together: by: site, test_values: [hospital B]")
        if self.by is not None and self.order_by is not None:
            raise InputError("split: by and order_by both say which samples are test; keep one")


def split_manifest(
    manifest: Manifest, spec: SplitSpec | None, salt: str | None = None
) -> tuple[Manifest, str | None]:
    """Give every row its split.

    Args:
        manifest: Images with targets.
        spec: How to make splits; None takes the manifest's own and makes only what it lacks.
        salt: With what the ids in ``spec.file`` may be hashed.

    Returns:
        The manifest with splits, and in words how they were made (None if they are the manifest's own); its notes say
        where its own are not used.

    Raises:
        InputError: An unknown split name, a column that is not there or not to be ordered, or a class with fewer
            than three patients.
    """
    if spec is None and manifest.has_splits:
        return _own(manifest)
    if manifest.has_splits:
        manifest = manifest.noting(UNUSED_SPLITS)
    spec = spec or SplitSpec()
    if spec.file is not None:
        return manifest.with_splits(
            splits_of_file(manifest, spec.file, salt)
        ), f"read from {Path(spec.file).name}"
    groups, members = np.unique(manifest.column("group"), return_inverse=True)
    sizes, strata = np.bincount(members), _strata(manifest, members)
    test = _test_groups(manifest, members, spec)
    if spec.order_by is not None:
        parts = _by_order(_first_seen(manifest, members, spec.order_by), sizes, spec)
        how = f"patients in the order of {spec.order_by}, the latest are test"
    elif test is not None:
        parts = _at_random(strata, sizes, {VAL: spec.val}, spec.seed, ~test)
        parts[test] = TEST
        how = f"test is {spec.by} {' or '.join(map(str, spec.test_values))}, validation drawn with seed {spec.seed}"
    else:
        parts = _at_random(strata, sizes, {TEST: spec.test, VAL: spec.val}, spec.seed)
        how = f"drawn with seed {spec.seed}, classes spread evenly"
    whole = ", patients kept whole" if len(groups) < len(manifest) else ""
    return manifest.with_splits(parts[members]), how + whole


def _own(manifest: Manifest) -> tuple[Manifest, str | None]:
    """The manifest's own splits; validation is drawn from training where there is none."""
    splits, where = manifest.column("split"), str(manifest.source)
    strange = np.flatnonzero(~np.isin(splits, SPLIT_NAMES))
    if len(strange):
        raise InputError(
            f"{where}: unknown split {str(splits[strange[0]])!r} in {rows_named(strange)}; use train, val and test, or "
            "make new splits: --set data.split.seed=0"
        )
    missing = [name for name in SPLIT_NAMES if name not in splits]
    if not missing:
        return manifest, None
    if missing != [VAL]:
        raise InputError(
            f"{where} has no row of split {missing[0]}; make new splits: --set data.split.seed=0"
        )
    groups, members = np.unique(manifest.column("group"), return_inverse=True)
    in_train = np.isin(groups, manifest.column("group")[splits == TRAIN])
    share = min(0.5, DEFAULT_SHARE * len(splits) / int((splits == TRAIN).sum()))
    sizes, strata = np.bincount(members), _strata(manifest, members)
    parts = _at_random(strata, sizes, {VAL: share}, 0, in_train)
    made = np.where((splits == TRAIN) & (parts[members] == VAL), VAL, splits)
    return manifest.with_splits(
        made
    ), "validation is drawn from training with seed 0, test is the manifest's own"


def _strata(manifest: Manifest, members: Ints) -> Ints:
    """Class of each group: whether it has a positive, or the rarest of several labels that it has."""
    targets = manifest.targets
    if targets is None:
        raise InputError(f"{manifest.source} has no targets; splits cannot be made")
    columns = targets.reshape(len(targets), -1) == 1
    present = np.zeros((int(members.max()) + 1, columns.shape[1]), np.bool_)
    np.logical_or.at(present, members, columns)
    by_frequency = np.argsort(present.sum(axis=0), kind="stable")
    rarest = by_frequency[np.argmax(present[:, by_frequency], axis=1)]
    return np.where(present.any(axis=1), 1 + rarest, 0)


def _at_random(
    strata: Ints,
    sizes: Ints,
    shares: dict[str, float],
    seed: int,
    chosen: npt.NDArray[np.bool_] | None = None,
) -> Names:
    """Draw splits of groups, stratum by stratum; what no share claims is train.

    Groups are drawn in an order that does not depend on the rows', so a manifest sorted anew has the same splits.
    """
    parts = np.full(len(sizes), TRAIN, dtype="<U5")
    rng = np.random.default_rng(seed)
    for stratum in np.unique(strata):
        rows = np.flatnonzero((strata == stratum) & (True if chosen is None else chosen))
        order = rng.permutation(rows)
        parts[order] = _cut(sizes[order], shares)
    return parts


def _cut(sizes: Ints, shares: dict[str, float]) -> Names:
    """Split a row of groups in proportion to their samples; where there are enough, each split gets one at least.

    >>> _cut(np.ones(10, np.int64), {"test": 0.2, "val": 0.1}).tolist()
    ['test', 'test', 'val', 'train', 'train', 'train', 'train', 'train', 'train', 'train']
    """
    middle = (np.cumsum(sizes) - sizes / 2) / max(1, sizes.sum())
    parts = np.full(len(sizes), TRAIN, dtype="<U5")
    edges = np.cumsum([0.0, *shares.values()])
    for name, (low, high) in zip(shares, pairwise(edges), strict=True):
        parts[(middle >= low) & (middle < high)] = name
    for name in shares:
        free = np.flatnonzero(parts == TRAIN)
        if len(sizes) > len(shares) and name not in parts and len(free) > 1:
            parts[free[0]] = name
    return parts


def _by_order(first: npt.NDArray[np.float64], sizes: Ints, spec: SplitSpec) -> Names:
    """The latest groups are test, those before them validation."""
    order = np.argsort(-first, kind="stable")
    edges = np.cumsum([spec.test, spec.val])
    # Patients first seen at the same moment stay together: time, not their names, divides them.
    middle = (np.cumsum(sizes[order]) - sizes[order] / 2) / sizes.sum()
    _, moment = np.unique(-first[order], return_inverse=True)
    share = np.bincount(moment, middle) / np.bincount(moment)
    parts = np.empty(len(sizes), dtype="<U5")
    parts[order] = np.array([TEST, VAL, TRAIN])[np.searchsorted(edges, share, side="right")][moment]
    return parts


def _first_seen(manifest: Manifest, members: Ints, name: str) -> npt.NDArray[np.float64]:
    """When each group has its first image, as a number."""
    cells = _cells(manifest, name, "order_by")
    values = moments(cells)
    wrong = np.flatnonzero(np.isnan(values))
    if len(wrong):
        raise InputError(
            f"{manifest.source}: {cells.iloc[wrong[0]]!r} in column {name!r}, {rows_named(wrong)}, is neither a number "
            "nor a date such as 2024-01-31"
        )
    first = np.full(int(members.max()) + 1, np.inf)
    np.minimum.at(first, members, values)
    return first


def _test_groups(manifest: Manifest, members: Ints, spec: SplitSpec) -> npt.NDArray[np.bool_] | None:
    """Groups whose rows have the values of test; refuses those that have others as well."""
    if spec.by is None:
        return None
    cells = _cells(manifest, spec.by, "by").map(plain)
    wanted = [plain(value) for value in spec.test_values]
    absent = [value for value in wanted if value not in set(cells)]
    if absent:
        has = ", ".join(sorted(set(cells))[:8])
        raise InputError(f"{manifest.source}: no row has {spec.by} {absent[0]!r}; it has {has}")
    chosen = cells.isin(wanted).to_numpy(np.bool_)
    count = int(members.max()) + 1
    some, total = np.bincount(members, chosen, count), np.bincount(members, minlength=count)
    divided = np.flatnonzero((some > 0) & (some < total))
    if len(divided):
        name = np.unique(manifest.column("group"))[divided[0]]
        raise InputError(
            f"{manifest.source}: {len(divided)} patients have images on both sides of {spec.by} "
            f"{' or '.join(wanted)}, {str(name)!r} for one; remove those images, or choose other test_values"
        )
    return some > 0


def _cells(manifest: Manifest, name: str, key: str) -> "pd.Series[str]":
    if name not in manifest.table:
        raise InputError(f"{manifest.source} has no column {name!r}, which data.split.{key} names")
    return manifest.table[name]
