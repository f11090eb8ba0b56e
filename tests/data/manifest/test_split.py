"""Splits: patients whole, classes spread evenly, by time and by site, equal whenever they are made again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.manifest import Manifest, SplitSpec, require_trainable, split_manifest
from medauc.errors import InputError

SPLITS = ("train", "val", "test")


def manifest_of_rows(targets, groups, split="", **further) -> Manifest:
    n = len(targets)
    columns = {"path": "x", "id": [f"i{row:04d}" for row in range(n)], "group": list(groups), "split": split}
    targets = np.asarray(targets)
    labels = () if targets.ndim == 1 else tuple("abcdef"[: targets.shape[1]])
    names = [f"target_{label}" for label in labels] or ["target"]
    columns |= dict(zip(names, targets.reshape(n, -1).T, strict=True))
    table = pd.DataFrame(columns | further).astype(dict.fromkeys(("id", "group", "split", *further), "str"))
    return Manifest(Path("m.csv"), Path(), table, labels, ("n", "p"), np.ones(n, np.bool_), has_groups=True)


def assert_whole(manifest: Manifest) -> None:
    places = manifest.table.groupby("group")["split"].nunique()
    assert (places == 1).all()


patients = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=20, max_size=120)


@settings(max_examples=60)
@given(patients, st.integers(0, 5), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_patients_stay_whole_and_shares_are_kept_in_both_classes(drawn, seed: int, val: float, test: float):
    groups = np.repeat([f"p{i}" for i in range(len(drawn))], [n for n, _ in drawn])
    targets = np.repeat([int(positive) for _, positive in drawn], [n for n, _ in drawn])
    made, how = split_manifest(manifest_of_rows(targets, groups), SplitSpec(val=val, test=test, seed=seed))
    assert_whole(made)
    assert how is not None
    splits = made.column("split")
    for label in (0, 1):
        of_class = splits[targets == label]
        if not len(of_class):
            continue
        for name, share in (("val", val), ("test", test)):
            # no split is off by more than the largest patient at either edge, or the one it is given at least
            assert abs((of_class == name).sum() - share * len(of_class)) <= 4
    # the order of rows does not matter, and nothing else is drawn
    order = np.random.default_rng(seed).permutation(len(targets))
    again, _ = split_manifest(
        manifest_of_rows(targets[order], groups[order]), SplitSpec(val=val, test=test, seed=seed)
    )
    assert again.column("split").tolist() == splits[order].tolist()


def test_every_split_has_both_classes_where_three_patients_of_each_allow_it():
    targets = [1, 1, 1] + [0] * 40
    for seed in range(10):
        made, _ = split_manifest(manifest_of_rows(targets, range(43)), SplitSpec(seed=seed))
        require_trainable(made)
    other, _ = split_manifest(manifest_of_rows(targets, range(43)), SplitSpec(seed=1))
    assert other.column("split").tolist() != made.column("split").tolist()


def test_rare_labels_are_spread_among_several():
    rng = np.random.default_rng(0)
    targets = (rng.random((400, 3)) < [0.3, 0.1, 0.02]).astype(int)
    made, _ = split_manifest(manifest_of_rows(targets, range(400)), SplitSpec())
    splits = made.column("split")
    for label in range(3):
        assert all(targets[splits == name, label].any() for name in SPLITS)


def test_by_time_the_latest_patients_are_test():
    days = ["2020-01-01", "2021-05-01", "2019-03-03", "2022-01-01", "2018-01-01", "2023-02-02", "2017-01-01"]
    # the patient of 2019 comes back in 2023: it was first seen in 2019
    groups = ["a", "b", "c", "d", "e", "c", "f"]
    made, how = split_manifest(
        manifest_of_rows([0, 1] * 3 + [0], groups, day=days), SplitSpec(val=0.2, test=0.2, order_by="day")
    )
    assert made.column("split").tolist() == ["val", "val", "train", "test", "train", "train", "train"]
    assert how == "patients in the order of day, the latest are test, patients kept whole"


@given(st.lists(st.integers(2000, 2010), min_size=8, max_size=60))
def test_by_time_no_earlier_patient_is_tested_than_trained_on(years: list[int]):
    made, _ = split_manifest(
        manifest_of_rows(np.arange(len(years)) % 2, range(len(years)), year=[str(year) for year in years]),
        SplitSpec(order_by="year"),
    )
    splits, when = made.column("split"), np.array(years)
    for earlier, later in (("train", "val"), ("val", "test"), ("train", "test")):
        if (splits == earlier).any() and (splits == later).any():
            assert when[splits == earlier].max() < when[splits == later].min()


def test_by_site():
    site = ["A", "B", "C", "B"] * 30
    targets = np.arange(120) // 4 % 2
    made, how = split_manifest(
        manifest_of_rows(targets, range(120), site=site), SplitSpec(by="site", test_values=("B",))
    )
    splits = made.column("split")
    assert ((splits == "test") == (np.array(site) == "B")).all()
    assert (splits == "val").sum() == pytest.approx(0.15 * 60, abs=2)
    assert how == "test is site B, validation drawn with seed 0"
    moved = manifest_of_rows(targets, np.arange(120) // 2, site=site)
    with pytest.raises(InputError, match="60 patients have images on both sides of site B"):
        split_manifest(moved, SplitSpec(by="site", test_values=("B",)))
    with pytest.raises(InputError, match="no row has site 'D'; it has A, B, C"):
        split_manifest(moved, SplitSpec(by="site", test_values=("D",)))


def test_own_splits_are_kept_and_validation_is_drawn_where_it_is_missing():
    split = ["train"] * 80 + ["test"] * 20
    own = manifest_of_rows(np.arange(100) % 2, np.arange(100) // 2, split[:40] + ["val"] * 40 + split[80:])
    same, how = split_manifest(own, None)
    assert same is own
    assert how is None
    drawn, how = split_manifest(manifest_of_rows(np.arange(100) % 2, np.arange(100) // 2, split), None)
    assert how is not None
    assert "validation is drawn from training" in how
    splits = drawn.column("split")
    assert (splits[80:] == "test").all()
    assert 10 <= (splits == "val").sum() <= 20
    assert_whole(drawn)
    made, _ = split_manifest(own, SplitSpec())  # the recipe's wish holds over the column
    assert made.column("split").tolist() != own.column("split").tolist()
    assert "The column of splits is not used" in made.notes[-1]
    assert not same.notes
    assert not split_manifest(manifest_of_rows(np.arange(40) % 2, range(40)), SplitSpec())[0].notes


def test_splits_of_an_earlier_run_are_taken(tmp_path: Path):
    made, _ = split_manifest(manifest_of_rows(np.arange(40) % 2, range(40)), SplitSpec(seed=3))
    made.table[["id", "group", "split"]].to_csv(tmp_path / "split.csv", index=False)
    spec = SplitSpec(file=str(tmp_path / "split.csv"))
    again, _ = split_manifest(manifest_of_rows(np.arange(30) % 2, range(30)), spec)
    assert again.column("split").tolist() == made.column("split").tolist()[:30]
    with pytest.raises(InputError, match="no split for 2 images, 'i0040' for one"):
        split_manifest(manifest_of_rows(np.arange(42) % 2, range(42)), spec)


def manifest_with_split_file(tmp_path: Path, *rows: str) -> Manifest:
    (tmp_path / "split.csv").write_text("\n".join(["id,split", *rows]) + "\n")
    manifest = manifest_of_rows([0, 1] * 3, range(6))
    return replace(manifest, source=tmp_path / "m.csv")


def test_names_of_a_split_file_mean_what_they_mean_in_a_column(tmp_path: Path):
    names = ("Training", " Test", "validation", "train", "TEST", "Val")
    manifest = manifest_with_split_file(tmp_path, *(f"i{row:04d},{name}" for row, name in enumerate(names)))
    # relative to the manifest, wherever the work is done
    made, how = split_manifest(manifest, SplitSpec(file="split.csv"))
    assert made.column("split").tolist() == ["train", "test", "val", "train", "test", "val"]
    assert how == "read from split.csv"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            ["i0000,train", "i0001,Holdout"],
            r"split.csv: unknown split 'Holdout' in row 3; use train, val and",
        ),
        (["i0000,train", "i0001,"], "unknown split '' in row 3"),
        (["i0000,train", "i0001,val", "i0000,test"], "id 'i0000' stands in rows 2, 4"),
        (["i0000,train"], "no split for 5 images"),
    ],
)
def test_split_files_that_would_lose_rows(tmp_path: Path, rows: list[str], words: str):
    with pytest.raises(InputError, match=words):
        split_manifest(manifest_with_split_file(tmp_path, *rows), SplitSpec(file="split.csv"))


def test_a_split_file_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path):
    manifest = manifest_with_split_file(tmp_path)
    with pytest.raises(InputError, match=r"runs/split.csv.*No such file.*starts at the manifest's folder"):
        split_manifest(manifest, SplitSpec(file="runs/split.csv"))
    (tmp_path / "split.csv").write_text("image,split\na,train\n")
    with pytest.raises(InputError, match="no column 'id'"):
        split_manifest(manifest, SplitSpec(file="split.csv"))


def test_times_of_several_offsets_are_ordered_as_moments():
    # by the clock 12:00 comes after 11:30, as a moment before it
    times = [f"2024-03-0{day}T{clock}" for day in (1, 2, 3) for clock in ("12:00+02:00", "11:30+01:00")]
    made, _ = split_manifest(
        manifest_of_rows([0, 1] * 3, range(6), at=times), SplitSpec(val=0.2, test=0.2, order_by="at")
    )
    assert made.column("split").tolist() == ["train"] * 4 + ["val", "test"]


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0"])
def test_values_of_a_site_are_compared_as_those_of_targets_are(value):
    rows = manifest_of_rows(np.arange(40) // 4 % 2, range(40), site=["1.0", "2.0", "3.0", "2.0"] * 10)
    made, _ = split_manifest(rows, SplitSpec(by="site", test_values=(value,)))
    assert (made.column("split") == "test").tolist() == [True, False, False, False] * 10


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (["train", "val", "holdout", "test"], "unknown split 'holdout' in row 4"),
        (["train", "val", "train", "val"], "no row of split test; make new splits"),
        (["train", "val", "test", ""], "unknown split '' in row 5"),
    ],
)
def test_split_names_that_mean_nothing(split: list[str], words: str):
    with pytest.raises(InputError, match=words):
        split_manifest(manifest_of_rows([0, 1, 0, 1], range(4), split), None)


def test_what_cannot_be_trained_on_is_refused_with_counts():
    split = ["train", "train", "val", "val", "test", "test"]
    crossing = manifest_of_rows([0, 1] * 3, ["a", "b", "a", "c", "c", "d"], split)
    with pytest.raises(InputError, match=r"2 patients .* 'a' in train and val for one.*data.split.seed=0"):
        require_trainable(crossing)
    single = manifest_of_rows([0, 0, 1, 0, 1, 1, 1], range(7), ["train", *split])
    with pytest.raises(InputError, match="of the 2 images of split test, 2 are positive and 0 negative"):
        require_trainable(single)
    scarce = manifest_of_rows([0, 1, 0, 1, 1, 1], range(6), split)
    with pytest.raises(InputError, match=r"of 6 images 4 are positive and 2 negative; .* add images"):
        require_trainable(scarce)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"val": 0}, "val is 0"),
        ({"val": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"seed": -1}, "seed is -1"),
        ({"by": "site"}, "go together"),
        ({"by": "site", "test_values": ("A",), "order_by": "day"}, "keep one"),
    ],
)
def test_ranges_of_the_settings(values: dict, words: str):
    with pytest.raises(InputError, match=words):
        SplitSpec(**values)


def test_a_column_that_cannot_be_ordered_names_the_row():
    rows = manifest_of_rows([0, 1, 0], range(3), day=["2020-01-01", "soon", "2021-01-01"])
    with pytest.raises(InputError, match="'soon' in column 'day', row 3, is neither a number nor a date"):
        split_manifest(rows, SplitSpec(order_by="day"))
    with pytest.raises(InputError, match=r"no column 'when', which data.split.order_by names"):
        split_manifest(rows, SplitSpec(order_by="when"))
