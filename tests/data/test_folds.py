import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data import Dataset, Split
from medauc.data.folds import assign_folds, fold_of, without_validation
from medauc.errors import InputError


def make_part(name: str, targets: np.ndarray, groups: np.ndarray) -> Split:
    """Images that say which sample they are."""
    first = {"train": 0, "val": 100, "test": 200}[name]
    images = (
        np.zeros((len(targets), 4, 4), np.uint8)
        + np.arange(first, first + len(targets), dtype=np.uint8)[:, None, None]
    )
    ids = np.array([f"{name}-{row:05d}" for row in range(len(targets))])
    return Split(images, targets, ids, groups)


def make_dataset(targets: np.ndarray, groups: np.ndarray | None = None, n_val: int = 10) -> Dataset:
    groups = np.array([f"p{row}" for row in range(len(targets))]) if groups is None else groups
    n_train = len(targets) - n_val
    few = targets[:4]
    return Dataset(
        "made",
        make_part("train", targets[:n_train], groups[:n_train]),
        make_part("val", targets[n_train:], groups[n_train:]),
        make_part("test", few, np.array(["t0", "t1", "t2", "t3"])),
        ("no", "yes"),
        ("yes",) if targets.ndim == 1 else tuple("abcdef"[: targets.shape[1]]),
        None,
        "0" * 32,
    )


@settings(max_examples=40)
@given(
    folds=st.integers(2, 5),
    n_patients=st.integers(25, 45),
    share=st.floats(0.3, 0.7),
    seed=st.integers(0, 1000),
)
def test_folds_partition_and_keep_patients_whole(folds, n_patients, share, seed) -> None:
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n_patients), rng.integers(1, 3, n_patients))
    carrier = np.arange(n_patients) < round(share * n_patients)
    dataset = make_dataset(carrier[patients].astype(np.int64), np.char.add("p", patients.astype(str)))
    assignment = assign_folds(dataset, folds, seed)
    pooled = np.concatenate([dataset.train.ids, dataset.val.ids])
    seen = []
    for fold in range(folds):
        part = fold_of(dataset, assignment, fold)
        assert set(part.train.ids) | set(part.val.ids) == set(pooled)
        assert len(part.train) + len(part.val) == len(pooled)
        assert not set(part.train.groups) & set(part.val.groups)
        assert part.test is dataset.test
        assert set(part.val.targets.tolist()) == {0, 1}
        seen += part.val.ids.tolist()
    assert sorted(seen) == sorted(pooled)


def test_images_and_targets_stay_with_their_ids() -> None:
    dataset = make_dataset(np.arange(50) % 3 == 0)
    part = fold_of(dataset, assign_folds(dataset, 4, 0), 2)
    for split in (part.train, part.val):
        for image, target, name in zip(split.images, split.targets, split.ids, strict=True):
            home, row = name.split("-")
            assert image[0, 0] == dataset.splits[home].images[int(row), 0, 0]
            assert target == dataset.splits[home].targets[int(row)]
    together = without_validation(dataset)
    assert (len(together.train), len(together.val)) == (50, 0)
    assert together.val.images.shape == (0, 4, 4)
    assert together.part is not None
    assert together.part != part.part


def test_classes_are_spread_evenly_and_the_seed_decides() -> None:
    dataset = make_dataset((np.arange(100) < 23).astype(np.int64))
    first = assign_folds(dataset, 5, 1)
    targets = np.concatenate([dataset.train.targets, dataset.val.targets])
    positives = [int(targets[first == fold].sum()) for fold in range(5)]
    assert sorted(positives) == [4, 4, 5, 5, 5]
    assert np.ptp(np.bincount(first)) <= 1
    assert (first == assign_folds(dataset, 5, 1)).all()
    assert (first != assign_folds(dataset, 5, 2)).any()


def test_several_labels_are_spread_evenly_too() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((240, 3)) < (0.5, 0.2, 0.05)).astype(np.int64)
    targets[:5, 0] = -1  # unknown
    assignment = assign_folds(make_dataset(targets), 4, 0)
    for label in range(3):
        counts = [int((targets[assignment == fold, label] == 1).sum()) for fold in range(4)]
        assert max(counts) - min(counts) <= 4, (label, counts)


def test_a_class_rarer_than_the_folds_is_refused() -> None:
    targets = (np.arange(60) < 3).astype(np.int64)
    with pytest.raises(
        InputError, match=r"made: 5 folds need 5 samples of each class.*has 3; take 3 folds at most"
    ):
        assign_folds(make_dataset(targets), 5, 0)
    assert set(assign_folds(make_dataset(targets), 3, 0)) == {0, 1, 2}
    one_patient = np.array(["a"] * 3 + [f"p{row}" for row in range(57)])
    with pytest.raises(
        InputError, match=r"2 folds need 2 patients of each class.*has 1; this data set is too small"
    ):
        assign_folds(make_dataset(targets, one_patient), 2, 0)
