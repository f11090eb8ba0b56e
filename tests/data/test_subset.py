"""Subsets against counting, and the promises of order, nesting, patients and seeds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medauc.data import Dataset, Split, SubsetSpec, take_subset
from medauc.errors import InputError

SHARES = st.floats(0.02, 0.98)


def tiny(negatives: int, positives: int, *, per_patient: int = 1, labels: int = 0, seed: int = 0) -> Dataset:
    """A data set whose images tell their own index, so that rows can be traced."""

    def split(name: str) -> Split:
        rng = np.random.default_rng([seed, len(name)])
        n = negatives + positives
        targets = rng.permutation(np.repeat([0, 1], [negatives, positives])).astype(np.int64)
        if labels:
            targets = rng.integers(-1, 2, (n, labels))
        images = np.arange(n, dtype=np.uint16).view(np.uint8).reshape(n, 1, 2).copy()
        ids = np.array([f"{name}-{i}" for i in range(n)])
        return Split(images, targets, ids, np.array([f"{name}-p{i // per_patient}" for i in range(n)]))

    names = tuple(f"label {i}" for i in range(labels)) or ("sick",)
    return Dataset("tiny", split("train"), split("val"), split("test"), ("well", "sick"), names, None, "0")


def rows(part: Split, whole: Split) -> np.ndarray:
    """Where the samples of a part stand in the whole; each must carry its own image, id and group."""
    place = {name: row for row, name in enumerate(whole.ids)}
    found = np.array([place[name] for name in part.ids])
    assert (part.images == whole.images[found]).all()
    assert (part.groups == whole.groups[found]).all()
    return found


@given(negatives=st.integers(2, 300), positives=st.integers(2, 300), share=SHARES, seed=st.integers(0, 99))
def test_fewer_samples_keep_order_and_proportion(negatives, positives, share, seed) -> None:
    data = tiny(negatives, positives)
    n = max(2, int(share * (negatives + positives)))
    part = take_subset(data, SubsetSpec(samples=n, seed=seed))
    kept = rows(part.train, data.train)
    assert len(kept) == n
    assert (np.diff(kept) > 0).all()
    assert (part.train.targets == data.train.targets[kept]).all()
    exact = n * positives / (negatives + positives)
    assert abs(part.train.targets.sum() - exact) <= max(0.5, 1 - exact, exact - (n - 1))
    assert part.val is data.val
    assert part.test is data.test


@given(negatives=st.integers(1, 300), positives=st.integers(1, 300), share=SHARES)
def test_prevalence_drops_one_class_only_and_as_little_as_it_can(negatives, positives, share) -> None:
    data = tiny(negatives, positives)
    odds = share / (1 - share)
    if 0 in (round(positives / odds), round(negatives * odds)):
        with pytest.raises(InputError, match="none of them"):
            take_subset(data, SubsetSpec(prevalence=share))
        return
    train = take_subset(data, SubsetSpec(prevalence=share)).train
    kept = rows(train, data.train)
    few = int(train.targets.sum())
    assert (few == positives) or (len(kept) - few == negatives)
    # The class that shrank is a whole number of samples, so the share is right to within one of them.
    assert (few - 1) / len(kept) <= share <= (few + 1) / len(kept)
    assert (train.targets == data.train.targets[kept]).all()


@given(prevalence=SHARES, n=st.integers(10, 200))
def test_samples_and_prevalence_are_both_exact(prevalence, n) -> None:
    few = round(prevalence * n)
    if few in (0, n):
        return
    train = take_subset(tiny(300, 300), SubsetSpec(samples=n, prevalence=prevalence)).train
    assert len(train) == n
    assert train.targets.sum() == few


@given(seed=st.integers(0, 99), sizes=st.tuples(st.integers(2, 200), st.integers(2, 200)))
def test_a_smaller_subset_is_part_of_a_larger_one(seed, sizes) -> None:
    data = tiny(150, 50)
    small, large = sorted(sizes)
    parts = [take_subset(data, SubsetSpec(samples=n, seed=seed)).train.ids for n in (small, large)]
    assert set(parts[0]) <= set(parts[1])


def test_seeds_decide() -> None:
    data = tiny(60, 60)
    one, again, other = (
        take_subset(data, SubsetSpec(samples=40, label_noise=0.2, seed=seed)).train for seed in (1, 1, 2)
    )
    assert (one.ids == again.ids).all()
    assert (one.targets == again.targets).all()
    assert set(one.ids) != set(other.ids)


@given(low=st.floats(0, 0.9), high=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_noise_flips_the_share_of_each_class_and_nothing_else(low, high, seed) -> None:
    data = tiny(90, 40)
    train = take_subset(data, SubsetSpec(label_noise=(low, high), seed=seed)).train
    flipped = train.targets != data.train.targets
    assert (flipped & (data.train.targets == 0)).sum() == round(low * 90)
    assert (flipped & (data.train.targets == 1)).sum() == round(high * 40)
    assert (train.ids == data.train.ids).all()
    assert np.shares_memory(train.images, data.train.images)


@given(first=st.floats(0, 0.5), second=st.floats(0, 0.5))
def test_more_noise_flips_the_same_labels_and_more(first, second) -> None:
    data = tiny(70, 30)
    low, high = sorted((first, second))
    few, many = (
        take_subset(data, SubsetSpec(label_noise=share)).train.targets != data.train.targets
        for share in (low, high)
    )
    assert (many | ~few).all()


def test_noise_does_not_change_which_samples_stay() -> None:
    data = tiny(70, 30)
    clean, noisy = (take_subset(data, SubsetSpec(samples=50, label_noise=noise)).train for noise in (0, 0.3))
    assert (clean.ids == noisy.ids).all()
    assert (clean.targets != noisy.targets).sum() == round(0.3 * 35) + round(0.3 * 15)


@settings(max_examples=40)
@example(per_patient=4, n=123, seed=14)  # the patients that fill up hold too many negatives if any will do
@given(per_patient=st.integers(2, 5), n=st.integers(20, 150), seed=st.integers(0, 99))
def test_patients_stay_or_go_whole(per_patient, n, seed) -> None:
    data = tiny(120, 80, per_patient=per_patient)
    part = take_subset(data, SubsetSpec(samples=n, seed=seed)).train
    everyone = dict(zip(*np.unique(data.train.groups, return_counts=True), strict=True))
    for patient, count in zip(*np.unique(part.groups, return_counts=True), strict=True):
        assert everyone[patient] == count
    assert n - per_patient < len(part) <= n
    assert abs(part.targets.mean() - 0.4) < 2 * per_patient / n


def test_several_labels_are_thinned_and_their_unknowns_stay_unknown() -> None:
    data = tiny(60, 60, labels=3)
    part = take_subset(data, SubsetSpec(samples=50, label_noise=0.25)).train
    before = data.train.targets[rows(part, data.train)]
    assert part.targets.shape == (50, 3)
    assert ((part.targets == -1) == (before == -1)).all()
    for label in range(3):
        for value in (0, 1):
            of_class = before[:, label] == value
            assert (part.targets[of_class, label] != value).sum() == round(0.25 * of_class.sum())
    with pytest.raises(InputError, match="prevalence is for one label, this set has 3"):
        take_subset(data, SubsetSpec(prevalence=0.1))


def test_validation_shrinks_in_proportion_where_asked() -> None:
    data = tiny(150, 50)
    data = replace(data, val=take_subset(tiny(150, 50, seed=1), SubsetSpec(samples=80)).train)
    part = take_subset(data, SubsetSpec(samples=100, prevalence=0.1, label_noise=0.1, validation=True))
    assert (len(part.val), int((part.val.targets != 0).sum())) == (40, 4 - round(0.4) + round(3.6))
    assert part.part == (
        "training is 100 of its 200 samples, 10 labels flipped; "
        "validation is 40 of its 80 samples, 4 labels flipped"
    )


def test_nothing_asked_for_is_the_data_set_itself() -> None:
    data = tiny(10, 10)
    assert take_subset(data, SubsetSpec(seed=7, validation=True)) is data


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"samples": 300}, r"tiny: data\.subset of the training split: 300 samples asked for, it has 200"),
        ({"samples": 100, "prevalence": 0.9}, "90 positives asked for, it has 50"),
        ({"prevalence": 0.001}, "leaves 150 samples, none of them positive"),
        ({"samples": 20, "prevalence": 0.01}, "leaves 20 samples, none of them positive"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(spec, complaint) -> None:
    with pytest.raises(InputError, match=complaint) as raised:
        take_subset(tiny(150, 50), SubsetSpec(**spec))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "spec",
    [
        {"samples": 1},
        {"prevalence": 0.0},
        {"prevalence": 1.0},
        {"label_noise": 1.5},
        {"label_noise": (0.1, -0.1)},
        {"seed": -1},
    ],
)
def test_values_out_of_range_are_refused(spec) -> None:
    with pytest.raises(InputError, match=f"subset: {next(iter(spec))} is .*, it must be"):
        SubsetSpec(**spec)
