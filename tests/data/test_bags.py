"""Bags against plain loops: which images they hold, how they are chosen and joined, what is refused."""

import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data import (
    BagSpec,
    BagSplit,
    Dataset,
    PhantomSpec,
    Split,
    SubsetSpec,
    load_dataset,
    make_bags,
    take_subset,
)
from medauc.data.bags import single_images
from medauc.data.folds import assign_folds, fold_of
from medauc.data.mapped import MappedImages
from medauc.data.phantom import phantom_model
from medauc.data.readers import hash_ids
from medauc.errors import InputError

SPLITS = ("train", "val", "test")


def split_of(bags: list[str], prefix: str, targets: dict[str, int] | None = None) -> Split:
    """One tiny image for each entry of ``bags``; an image holds its own number."""
    count = len(bags)
    images = np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    ids = np.array([f"{prefix}-{i}" for i in range(count)])
    own = np.array([f"{prefix}/{bag}" for bag in bags])
    target = np.array([(targets or {}).get(bag, len(bag) % 2) for bag in bags], dtype=np.int64)
    scanner = np.array([f"scanner {bag}" for bag in bags])
    return Split(images, target, ids, own, {"study": own, "scanner": scanner, "view": ids})


def dataset_of(*bags: list[str]) -> Dataset:
    splits = [split_of(names, split) for names, split in zip(bags, SPLITS, strict=True)]
    return Dataset("clinic", *splits, ("absent", "present"), ("present",), None, "0" * 32)


bag_names = st.lists(st.sampled_from(["a", "bb", "c", "dd", "e"]), min_size=1, max_size=12)


@given(bag_names, bag_names)
@settings(max_examples=60)
def test_a_bag_holds_the_images_of_its_name_in_their_order(first: list[str], second: list[str]) -> None:
    data = dataset_of(first, second, ["a"])
    for split, names in (
        (make_bags(data, BagSpec("study")).train, first),
        (make_bags(data, BagSpec("group")).val, second),
    ):
        assert isinstance(split, BagSplit)
        assert [name.split("/")[1] for name in split.ids.tolist()] == list(dict.fromkeys(names))
        for number, bag in enumerate(split.ids.tolist()):
            expected = [row for row, name in enumerate(names) if name == bag.split("/")[1]]
            rows = slice(split.starts[number], split.starts[number + 1])
            assert split.images[rows][:, 0, 0].tolist() == expected
            assert [int(name.split("-")[1]) for name in split.names[rows].tolist()] == expected
            assert split.targets[number] == len(bag.split("/")[1]) % 2
            assert split.metadata["scanner"][number] == f"scanner {bag.split('/')[1]}"


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("column", ["study", "group"])
def test_bags_of_hashed_ids_are_the_same_with_hashed_names(column: str, known: bool) -> None:
    data = dataset_of(["a", "bb", "a"], ["c"], ["dd", "dd"])
    if not known:  # each image is a patient of its own as far as is told
        train, val, test = (replace(split, groups=split.ids) for split in data)
        data = replace(data, train=train, val=val, test=test)
    plain, hashed = (
        make_bags(one, BagSpec(column)).train for one in (data, data.with_hashed_ids("a secret"))
    )
    assert isinstance(plain, BagSplit)
    assert isinstance(hashed, BagSplit)
    for attribute in ("ids", "groups", "names"):
        wanted = hash_ids(getattr(plain, attribute), "a secret")
        assert getattr(hashed, attribute).tolist() == wanted.tolist(), attribute
    assert hashed.starts.tolist() == plain.starts.tolist()
    np.testing.assert_array_equal(hashed.images, plain.images)


@given(bag_names, st.data())
@settings(max_examples=60)
def test_take_and_concatenate_keep_bags_whole(names: list[str], data: st.DataObject) -> None:
    split = make_bags(dataset_of(names, ["x"], ["y"]), BagSpec("study")).train
    assert isinstance(split, BagSplit)
    parts = [split.images[a:b] for a, b in zip(split.starts[:-1], split.starts[1:], strict=True)]
    numbers = st.integers(0, len(split) - 1)
    chosen = [np.array(data.draw(st.lists(numbers, max_size=6)), dtype=np.int64) for _ in range(2)]
    joined = split.take(chosen[0]).concatenate(split.take(chosen[1]))
    order = [*chosen[0].tolist(), *chosen[1].tolist()]
    assert joined.ids.tolist() == split.ids[order].tolist()
    assert joined.lengths.tolist() == [len(parts[number]) for number in order]
    found = [joined.images[a:b] for a, b in zip(joined.starts[:-1], joined.starts[1:], strict=True)]
    assert all(np.array_equal(a, parts[number]) for a, number in zip(found, order, strict=True))


def test_columns_stay_that_have_one_value_in_each_bag() -> None:
    bags = make_bags(dataset_of(["a", "a", "bb"], ["c"], ["dd"]), BagSpec("study"))
    assert (
        set(bags.train.metadata) == set(bags.test.metadata) == {"scanner"}
    )  # "view" differs, "study" is the id
    assert bags.train.groups.tolist() == ["train/a", "train/bb"]


def test_where_patients_are_not_known_a_bag_is_its_own() -> None:
    data = dataset_of(["a", "a", "bb"], ["c"], ["dd"])
    unknown = replace(data, train=replace(data.train, groups=data.train.ids))
    assert make_bags(unknown, BagSpec("study")).train.groups.tolist() == ["train/a", "train/bb"]


def test_unknown_targets_agree_with_known_ones() -> None:
    split = split_of(["a", "a", "bb"], "train")
    several = replace(split, targets=np.array([[1, -1], [-1, -1], [0, 1]]))
    data = replace(
        dataset_of(["a"], ["a"], ["a"]), train=several, val=several.take([0]), test=several.take([0])
    )
    data = replace(data, val=relabelled(data.val, "v"), test=relabelled(data.test, "t"))
    assert make_bags(data, BagSpec("study")).train.targets.tolist() == [[1, -1], [0, 1]]


def relabelled(split: Split, prefix: str) -> Split:
    names = np.array([f"{prefix}{i}" for i in range(len(split))])
    return replace(split, ids=names, groups=names, metadata={**split.metadata, "study": names})


def test_what_makes_no_bag_is_told_in_one_line() -> None:
    data = dataset_of(["a", "a", "bb"], ["c"], ["dd"])
    wrong = replace(data, train=replace(data.train, targets=np.array([0, 1, 0])))
    crossing = replace(
        data, val=replace(data.val, metadata={**data.val.metadata, "study": np.array(["train/a"])})
    )
    blank = replace(data.train, metadata={**data.train.metadata, "study": np.array(["", "x", "y"])})
    cases = [
        (wrong, BagSpec("study"), r"bag 'train/a' have different targets \(1 such bags\)"),
        (crossing, BagSpec("study"), r"'train/a' has images in two splits"),
        (data, BagSpec("stduy"), r"no such column; choose one of group, study, scanner, view, or none"),
        (replace(data, train=blank), BagSpec("study"), r"1 images of the train split have no value"),
        (
            replace(data, train=replace(data.train, groups=np.array(["ann", "bob", "bob"]))),
            BagSpec("study"),
            "images of two patients",
        ),
        (data, BagSpec(slices=1), "its images are 2D"),
    ]
    for given_data, spec, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            make_bags(given_data, spec)
        assert "\n" not in str(caught.value)
    for arguments in ({"slices": 3}, {"max_images": 0}):
        with pytest.raises(InputError, match="bags: "):
            BagSpec(**arguments)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_those_of_the_volume(axis: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    volumes = rng.integers(0, 256, (5, 2, 3, 4), dtype=np.uint8)
    np.save(tmp_path / "volumes.npy", volumes)
    names = np.array(list("vwxyz"))
    on_disk = MappedImages(np.load(tmp_path / "volumes.npy", mmap_mode="r"), np.array([4, 0, 2]))
    for images, source in ((volumes[[4, 0, 2]], volumes[[4, 0, 2]]), (on_disk, volumes[[4, 0, 2]])):
        part = Split(images, np.array([0, 1, 1]), names[:3], names[:3])
        other = Split(volumes[:1], np.array([0]), names[3:4], names[3:4])
        data = Dataset(
            "ct", part, other, relabelled(other, "t"), ("absent", "present"), ("present",), None, ""
        )
        bags = make_bags(data, BagSpec(slices=axis)).train
        assert isinstance(bags, BagSplit)
        expected = np.moveaxis(source, 1 + axis, 1).reshape(-1, *np.delete([2, 3, 4], axis))
        assert bags.images.shape == expected.shape
        assert bags.images.ndim == 3
        assert np.array_equal(np.asarray(bags.images), expected)
        assert np.array_equal(bags.images[np.array([5, 1])], expected[[5, 1]])
        assert np.array_equal(bags.images[3], expected[3])
        depth = volumes.shape[1 + axis]
        assert bags.lengths.tolist() == [depth] * 3
        assert str(bags.names[depth + 1]) == "w slice 1"
        taken = bags.take(np.array([2, 1]))
        assert isinstance(taken.images, MappedImages)  # nothing was copied
        assert np.array_equal(
            np.asarray(taken.images),
            expected.reshape(3, depth, *expected.shape[1:])[[2, 1]].reshape(-1, *expected.shape[1:]),
        )


def test_volumes_of_a_patient_become_one_bag_of_all_slices() -> None:
    data = load_dataset("phantom3d", 8, phantom=PhantomSpec(n_train=4, n_val=2, n_test=2, signal_width=1))
    paired = {
        name: replace(
            split,
            targets=np.arange(len(split)) // 2 % 2,
            groups=np.array([f"{name}{i // 2}" for i in range(len(split))]),
        )
        for name, split in data.splits.items()
    }
    bags = make_bags(replace(data, **paired), BagSpec("group", slices=0)).train
    assert isinstance(bags, BagSplit)
    assert bags.lengths.tolist() == [16, 16]
    assert bags.names[8] == "train-00001 slice 0"
    assert np.array_equal(bags.images[:16], np.asarray(data.train.images)[:2].reshape(16, 8, 8))


def test_single_images_have_the_target_of_their_bag() -> None:
    data = dataset_of(["a", "bb", "a"], ["c"], ["dd"])
    flat = single_images(make_bags(data, BagSpec("study"))).train
    assert type(flat) is Split
    assert flat.ids.tolist() == ["train-0", "train-2", "train-1"]
    assert flat.targets.tolist() == [1, 1, 0]
    assert flat.groups.tolist() == ["train/a", "train/a", "train/bb"]


def test_the_column_bag_is_taken_by_itself_and_only_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for number, name in enumerate(SPLITS):
        arrays[f"{name}_images"] = rng.integers(0, 256, (6, 4, 4), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.array([0, 1, 0, 1, 0, 1])
        arrays[f"{name}_groups"] = arrays[f"{name}_bags"] = np.array([0, 1, 0, 1, 2, 1]) + 10 * number
    np.savez(tmp_path / "bags.npz", **arrays)
    data = load_dataset(tmp_path / "bags.npz")
    bags = make_bags(data, BagSpec())
    assert bags.train.ids.tolist() == ["0", "1", "2"]
    assert bags.train.targets.tolist() == [0, 1, 0]
    assert make_bags(data, BagSpec("none")) is data
    assert BagSpec().for_data(data).by == "bag"
    plain = load_dataset("phantom2d", 8, phantom=PhantomSpec(n_train=4, n_val=2, n_test=2, signal_width=1))
    assert make_bags(plain, BagSpec()) is plain
    assert BagSpec().for_data(plain) == BagSpec()
    arrays["train_bags"] = arrays["train_bags"][:-1]
    np.savez(tmp_path / "short.npz", **arrays)
    with pytest.raises(InputError, match="train_bags"):
        load_dataset(tmp_path / "short.npz")


def test_one_image_of_a_positive_phantom_bag_holds_the_signal() -> None:
    spec = PhantomSpec(
        n_train=40, n_val=10, n_test=10, prevalence=0.5, detectability=9, signal_width=1, bag_images=6
    )
    data = load_dataset("phantom2d", 16, phantom=spec)
    assert data.ideal_auc is None
    bags = make_bags(data, BagSpec()).train
    assert isinstance(bags, BagSplit)
    assert bags.lengths.tolist() == [6] * 40
    assert bags.targets.sum() == 20
    signal, power = phantom_model("phantom2d", 16, spec)
    template = np.fft.ifftn(np.fft.fftn(signal) / power).real  # the ideal observer's K^-1 s
    response = ((np.asarray(bags.images, np.float64) - 128) * template).sum(
        axis=(1, 2)
    ) / 9  # N(0, 1) or N(9, 1)
    seen = (response > 4.5).reshape(40, 6)
    assert (seen.sum(axis=1) == bags.targets).all()
    assert len(set(np.argmax(seen, axis=1)[bags.targets == 1].tolist())) > 2  # any image may be the one


def test_folds_and_subsets_move_whole_bags() -> None:
    spec = PhantomSpec(n_train=40, n_val=12, n_test=4, prevalence=0.5, signal_width=1, bag_images=3)
    bags = make_bags(load_dataset("phantom2d", 8, phantom=spec), BagSpec())
    images = {name: np.asarray(part) for split in bags for name, part in images_by_bag(split).items()}
    fold = fold_of(bags, assign_folds(bags, 4, seed=0), 1)
    small = take_subset(bags, SubsetSpec(samples=10))
    assert len(fold.train) + len(fold.val) == 52
    assert len(small.train) == 10
    for split in (*fold, small.train):
        for name, part in images_by_bag(split).items():
            assert np.array_equal(part, images[name])


def images_by_bag(split: Split) -> dict[str, np.ndarray]:
    assert isinstance(split, BagSplit)
    ends = zip(split.ids.tolist(), split.starts[:-1], split.starts[1:], strict=True)
    return {name: np.asarray(split.images[first:last]) for name, first, last in ends}


def test_the_page_runs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "bags.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted == 6
    assert result.failed == 0
