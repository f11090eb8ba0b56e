"""The table behind the slider against the metrics, at every threshold that it has."""

import numpy as np
import pytest

from medauc.metrics import confusion
from medauc.report.thresholds_table import MOST_BY_GROUP, MOST_THRESHOLDS, thresholds_table

from .conftest import noisy_split

RATES = ("sensitivity", "specificity", "ppv", "npv")


def assert_agrees(table, target, score, groups=None, every=1):
    for place in range(0, len(table["threshold"]), every):
        found = confusion(target, score, table["threshold"][place], groups=groups)
        assert (found.counts.tp, found.counts.fp) == (table["tp"][place], table["fp"][place])
        for rate in RATES:
            estimate = getattr(found, rate)
            if table[rate][place] is None:
                assert np.isnan(estimate.value)
            else:
                assert table[rate][place] == pytest.approx([estimate.low, estimate.high], abs=1e-5)
        flagged = [found.flagged_per_1000.low / 1000, found.flagged_per_1000.high / 1000]
        assert table["flagged"][place] == pytest.approx(flagged, abs=1e-5)


def test_every_threshold_agrees_with_the_metrics():
    target, score = noisy_split("test").known()
    table = thresholds_table(target, score, 0.95, [0.4])
    assert len(table["threshold"]) == len(set(score)) + 2  # all, one above them, and the one to keep
    assert_agrees(table, target, score, every=7)
    assert (table["tp"][0], table["fp"][0]) == (0, 0)
    assert (table["tp"][-1], table["fp"][-1]) == (table["positives"], table["negatives"])


def test_samples_of_a_group_are_not_taken_as_independent():
    target, score = noisy_split("test").known()
    groups = np.arange(target.size) // 3 * 1
    table = thresholds_table(target, score, 0.95, [0.4], groups.astype(str))
    assert len(table["threshold"]) <= MOST_BY_GROUP
    assert_agrees(table, target, score, groups, every=9)


def test_a_large_test_set_is_thinned_and_keeps_what_validation_chose():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 50_000).astype(np.int8)
    score = target + rng.normal(size=50_000)
    chosen = [0.123456789, 1.5]
    table = thresholds_table(target, score, 0.9, chosen)
    assert len(table["threshold"]) <= MOST_THRESHOLDS
    assert [table["threshold"][place] for place in table["chosen"]] == chosen
    assert np.all(np.diff(table["threshold"]) < 0)
    assert np.all(np.diff(table["tp"]) >= 0)
    assert (table["tp"][0], table["tp"][-1]) == (0, table["positives"])


def test_a_threshold_above_all_scores_is_kept():
    table = thresholds_table(np.array([0, 1], np.int8), np.array([1.0, 2.0]), 0.95, [9.0])
    assert table["threshold"][0] == 9.0
    assert table["ppv"][0] is None
    assert table["chosen"] == [0]
