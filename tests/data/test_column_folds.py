"""Folds by site and by time: what lies where, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data import Dataset, Split
from medauc.data.folds import assign_folds, fold_of
from medauc.errors import InputError


def made(groups: np.ndarray, **columns: np.ndarray) -> Dataset:
    """Samples of alternating classes, the last ten of them validation, with further columns."""
    count = len(groups)
    ids = np.array([f"s{row}" for row in range(count)])
    texts = {name: np.asarray(values).astype(np.str_) for name, values in columns.items()}
    images = np.zeros((count, 4, 4), np.uint8)
    whole = Split(images, np.arange(count) % 2, ids, np.asarray(groups).astype(np.str_), texts)
    train, val = whole.take(slice(count - 10)), whole.take(slice(count - 10, None))
    return Dataset("made", train, val, whole.take(slice(0)), ("no", "yes"), ("yes",), None, "0" * 32)


def test_one_site_is_left_out_in_turn() -> None:
    sites = np.array(["C", "A", "B"])[np.arange(60) // 2 % 3]
    dataset = made(np.arange(60), site=sites)
    assignment = assign_folds(dataset, 3, seed=0, by="site")
    for fold, site in enumerate("ABC"):
        part = fold_of(dataset, assignment, fold, "site")
        assert set(part.val.metadata["site"]) == {site}
        assert site not in part.train.metadata["site"]
        assert len(part.train) + len(part.val) == 60
        assert part.part == f"validation is fold {fold} of 3 (site {site}), training all others"


def test_blanks_and_ways_to_write_a_number_make_no_site() -> None:
    written, meant = np.array([["A", "A ", " 2", "2.0", "10"], ["A", "A", "2", "2", "10"]])
    rows = np.arange(60) // 2 % 5
    folds = [
        assign_folds(made(np.arange(60), site=names[rows]), 3, seed=0, by="site")
        for names in (written, meant)
    ]
    np.testing.assert_array_equal(*folds)
    parts = [
        fold_of(made(np.arange(60), site=written[rows]), folds[0], fold, "site").part for fold in range(3)
    ]
    assert [part.partition("(")[2].partition(")")[0] for part in parts] == ["site 10", "site 2", "site A"]


def test_a_cell_of_blanks_is_no_site() -> None:
    sites = np.array(["A", "B", " "])[np.arange(60) // 2 % 3]
    with pytest.raises(InputError, match="20 samples have no site"):
        assign_folds(made(np.arange(60), site=sites), 3, seed=0, by="site")


@settings(max_examples=30)
@given(st.lists(st.integers(0, 8), min_size=30, max_size=60), st.integers(2, 5))
def test_sites_stay_together_and_folds_are_even(of_patient: list[int], folds: int) -> None:
    sites = np.repeat(np.array(of_patient) % 9, 2)  # two samples a patient, one of each class
    dataset = made(np.arange(len(sites)) // 2, site=sites)
    names, sizes = np.unique(sites, return_counts=True)
    if len(names) < folds:
        with pytest.raises(InputError, match=f"which has {len(names)} values"):
            assign_folds(dataset, folds, seed=0, by="site")
        return
    assignment = assign_folds(dataset, folds, seed=0, by="site")
    assert all(len(set(assignment[sites == name])) == 1 for name in names)
    filled = np.bincount(assignment, minlength=folds)
    assert filled.min() > 0
    # largest first into the smallest: no two folds differ by more than the largest site
    assert len(names) == folds or filled.max() - filled.min() <= sizes.max()


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(2, 5))
def test_blocks_of_time_follow_each_other(seed: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    day = np.repeat(rng.permutation(40), 2)  # two samples a patient, on days in a row
    dates = np.datetime64("2023-12-01") + day * 3 + np.tile([0, 1], 40)
    dataset = made(np.arange(80) // 2, acquired=dates)
    assignment = assign_folds(dataset, folds, seed=0, order_by="acquired")
    assert (np.diff(assignment[np.argsort(dates, kind="stable")]) >= 0).all()
    assert (assignment[0::2] == assignment[1::2]).all()
    sizes = np.bincount(assignment)
    assert sizes.max() - sizes.min() <= 2


def test_a_patient_counts_by_the_first_sample() -> None:
    day = np.arange(40)
    day[39] = 0  # a later patient's second sample
    groups = np.arange(40)
    groups[39] = 1
    day[1], day[39] = 1, 39
    assignment = assign_folds(made(groups, day=day), 2, seed=0, order_by="day")
    assert assignment[39] == assignment[1] == 0


@pytest.mark.parametrize(
    ("folds", "options", "message"),
    [
        (2, {"by": "ward"}, "no further column 'ward'.*it has site, day"),
        (3, {"by": "site"}, "has 2 values .*; take 2 folds"),
        (2, {"order_by": "site"}, "'A' in column 'site' is neither a number nor a date.*40 samples"),
        (2, {"order_by": "one"}, "too few different moments"),
        (2, {"by": "gap"}, "20 samples have no gap"),
        (2, {"by": "target"}, "leaves a class on one side only, since folds go by target"),
    ],
)
def test_what_cannot_be_is_told(folds: int, options: dict[str, str], message: str) -> None:
    rows = np.arange(40)
    columns = {"site": np.array(["A", "B"])[rows // 2 % 2], "day": rows}
    if set(options.values()) != {"ward"}:
        columns |= {"one": np.ones(40), "gap": np.where(rows < 20, "x", ""), "target": rows % 2}
    with pytest.raises(InputError, match=message):
        assign_folds(made(rows, **columns), folds, seed=0, **options)


def test_a_patient_at_two_sites_is_refused() -> None:
    sites = np.array(["A", "B"])[np.arange(40) // 2 % 2]
    dataset = made(np.arange(40) // 4, site=sites)
    with pytest.raises(InputError, match=r"10 patients have samples in two folds by site, '0' for one"):
        assign_folds(dataset, 2, seed=0, by="site")
    with pytest.raises(InputError, match="two folds by site, named where --hash-ids is left out"):
        assign_folds(dataset.with_hashed_ids("a secret"), 2, seed=0, by="site")
    alone = replace(dataset, train=replace(dataset.train, groups=dataset.train.ids))
    alone = replace(alone, val=replace(dataset.val, groups=dataset.val.ids))
    assert np.bincount(assign_folds(alone, 2, seed=0, by="site")).tolist() == [20, 20]
