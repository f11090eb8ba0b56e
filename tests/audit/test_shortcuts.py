"""Shortcuts that were planted are named; what carries nothing is not."""

import numpy as np
import pytest

from medauc.audit.associations import find_associations
from medauc.audit.facts import ImageFacts
from medauc.audit.features import Feature, features_of
from medauc.audit.shortcuts import find_shortcuts
from medauc.metrics import clustered_interval

N = 600
RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 2, N)
SPLITS = np.repeat(["train", "val", "test"], (360, 80, 160))
ALONE = np.arange(N).astype(str)


def planted(strength: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=N) + strength * TARGET


def shortcuts(*features: Feature, groups: np.ndarray = ALONE, splits: np.ndarray = SPLITS):
    return find_shortcuts(features, TARGET[:, None], ["tumour"], splits, groups)


def test_a_planted_width_is_named_and_noise_is_not() -> None:
    found, echoes = shortcuts(
        Feature("width", "acquisition", planted(1.5)), Feature("bits", "acquisition", planted(0.0, 2))
    )
    (one,) = found
    assert one.flagged
    assert one.judged_on == "test"
    assert (one.n, one.n_positive) == (160, TARGET[440:].sum())
    assert one.strongest[0].name == "width"
    assert [single.name for single in one.flagged_features] == ["width"]
    assert one.auc.low > 0.7
    assert not echoes


def test_noise_is_never_flagged() -> None:
    for seed in range(4):
        noise = [Feature(f"noise {k}", "border", planted(0.0, 100 * seed + k)) for k in range(4)]
        assert not shortcuts(*noise)[0][0].flagged


def test_a_shape_that_is_not_monotone_is_found() -> None:
    values = np.random.default_rng(3).uniform(-2, 2, N)
    values = np.where(TARGET == 1, values * 0.3, np.sign(values) * (1 + np.abs(values) / 2))
    found, _ = shortcuts(Feature("distance", "acquisition", values))
    assert found[0].strongest[0].auc.low > 0.85


def test_a_category_is_ranked_by_its_levels() -> None:
    scanner = np.where(np.random.default_rng(4).random(N) < 0.85, TARGET, 1 - TARGET) + 2 * (np.arange(N) % 3)
    feature = Feature("tag Manufacturer", "acquisition", scanner.astype(float), tuple("abcdef"))
    assert shortcuts(feature)[0][0].strongest[0].auc.value == pytest.approx(0.85, abs=0.05)


def test_a_column_that_is_the_label_is_told_apart() -> None:
    diagnosis = Feature("diagnosis", "column", TARGET.astype(float), ("benign", "malign"))
    view = Feature("view", "column", (planted(1.2) > 0.5).astype(float), ("AP", "PA"))
    found, echoes = shortcuts(diagnosis, view)
    assert [echo.column for echo in echoes] == ["diagnosis"]
    assert [single.name for single in found[0].strongest] == ["view"]


def test_cross_validation_decides_where_test_is_small_and_keeps_patients_whole() -> None:
    """A feature that names the patient tells the label only through his other images."""
    groups = np.repeat(np.arange(N // 6), 6)
    target = np.repeat(np.random.default_rng(5).integers(0, 2, N // 6), 6)
    feature = Feature("patient's number", "acquisition", groups.astype(float))
    found, _ = find_shortcuts([feature], target[:, None], ["tumour"], np.full(N, "train"), groups.astype(str))
    assert found[0].judged_on == "cross-validation"
    assert not found[0].flagged
    leaking, _ = find_shortcuts([feature], target[:, None], ["tumour"], np.full(N, "train"), ALONE)
    assert leaking[0].auc.value > found[0].auc.value + 0.15


def test_few_cases_are_left_alone() -> None:
    few = np.zeros(N, np.int64)
    few[:10] = 1
    assert find_shortcuts(
        [Feature("width", "acquisition", planted(1.0))], few[:, None], ["rare"], SPLITS, ALONE
    ) == ([], [])


def test_several_labels_have_any_label_beside_them() -> None:
    targets = np.column_stack((TARGET, np.roll(TARGET, 1)))
    found, _ = find_shortcuts(
        [Feature("width", "acquisition", planted(1.0))], targets, ["a", "b"], SPLITS, ALONE
    )
    assert [one.label for one in found] == ["any label", "a", "b"]


def test_association_is_the_clustered_auc_of_the_feature() -> None:
    groups = np.repeat(np.arange(N // 2), 2).astype(str)
    width = Feature("width", "acquisition", planted(0.6))
    (found,) = find_associations([width], TARGET[:, None], ["tumour"], groups)
    assert found.auc == clustered_interval(TARGET, width.values, groups)
    assert found.strength == pytest.approx(found.auc.low - 0.5)


def test_associations_by_chance_are_rare() -> None:
    """Of 20 sets of 10 useless features, Holm's method at 1% lets one through in a hundred."""
    told = 0
    for seed in range(20):
        noise = [Feature(str(k), "border", planted(0.0, 1000 + 10 * seed + k)) for k in range(10)]
        told += len(find_associations(noise, TARGET[:, None], ["tumour"], ALONE))
    assert told <= 1


def test_features_of_files() -> None:
    facts = [
        ImageFacts(
            shape=(10 + row, 64, 64),
            spacing=(2.5, 0.7, 0.7),
            file_bytes=1000 + row,
            orientation="SPL" if row % 2 else "SAR",
            tags={"Manufacturer": "A" if row < 10 else "B", "KVP": "120"},
            border=float(row),
            corner=0.0,
            padding=0.5,
            high=1.0,
            low=0.0,
            finite=1.0,
        )
        for row in range(20)
    ]
    columns = {
        "age": np.arange(20).astype(str),
        "name": np.array([f"person {row}" for row in range(20)]),
        "sex": np.array(["f", "m"] * 10),
        "blank": np.full(20, ""),
    }
    found = {feature.name: feature for feature in features_of(facts, columns)}
    assert {"depth (voxels)", "depth (mm)", "number of voxels", "volume (mm3)", "file size (bytes)"} <= set(
        found
    )
    assert found["depth (mm)"].values[3] == 13 * 2.5
    assert found["volume (mm3)"].values[0] == pytest.approx(10 * 64 * 64 * 2.5 * 0.7 * 0.7)
    assert found["orientation"].levels == ("SAR", "SPL")
    assert found["tag Manufacturer"].levels == ("A", "B")
    assert found["age"].levels is None
    assert found["sex"].levels == ("f", "m")
    absent = {
        "tag KVP",
        "height (voxels)",
        "spacing along depth (mm)",
        "name",
        "blank",
        "padding, share of pixels",
    }
    assert not absent & set(found)
