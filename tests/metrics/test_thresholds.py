"""Thresholds against exhaustive search; proportions against SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from medauc.metrics import (
    confusion_counts,
    threshold_at_least_cost,
    threshold_at_sensitivity,
    threshold_at_specificity,
    wilson_interval,
    youden_threshold,
)

labelled_scores = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.integers(-3, 3), st.floats(-1e3, 1e3))), min_size=2, max_size=40
).filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))


def rates(y, s, threshold):
    counts = confusion_counts(y, s, threshold)
    return counts.tp / (counts.tp + counts.fn), counts.tn / (counts.tn + counts.fp)


def all_rates(y, s):
    return [rates(y, s, threshold) for threshold in [*np.unique(s), np.inf]]


@given(labelled_scores)
def test_youden_is_the_best_of_all(rows):
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    best = max(sensitivity + specificity for sensitivity, specificity in all_rates(y, s))
    threshold = youden_threshold(y, s)
    assert np.isfinite(threshold)
    assert sum(rates(y, s, threshold)) == pytest.approx(best)


@given(labelled_scores, st.sampled_from([0.5, 0.9, 0.95]))
def test_wanted_rates_are_met_at_least_cost(rows, wanted):
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    everything = all_rates(y, s)
    at_specificity = max(pair for pair in everything if pair[1] >= wanted)
    assert rates(y, s, threshold_at_specificity(y, s, wanted)) == at_specificity
    at_sensitivity = max(pair[::-1] for pair in everything if pair[0] >= wanted)[::-1]
    assert rates(y, s, threshold_at_sensitivity(y, s, wanted)) == at_sensitivity


def test_threshold_lies_halfway():
    assert youden_threshold([0, 0, 1], [1.0, 2.0, 5.0]) == 3.5


def test_neighbouring_floats_stay_apart():
    below, above = 1.0, np.nextafter(1.0, 2.0)
    assert youden_threshold([0, 1], [below, above]) == above


def test_specificity_of_ninety_percent_counts_nine_of_ten():
    y, s = [0] * 10 + [1], [*range(10), 8.5]
    assert confusion_counts(y, s, threshold_at_specificity(y, s, 0.9)).tp == 1


def test_nothing_called_positive_still_gives_a_finite_threshold():
    threshold = threshold_at_specificity([0, 0, 1], [5.0, 5.0, 1.0], 0.9)
    assert np.isfinite(threshold)
    assert confusion_counts([0, 0, 1], [5.0, 5.0, 1.0], threshold).fp == 0


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_equals_scipy(level):
    successes = np.arange(38)
    low, high = wilson_interval(successes, 37, level)
    for k in successes:
        expected = binomtest(int(k), 37).proportion_ci(level, method="wilson")
        assert (low[k], high[k]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_refuses_impossible_counts():
    for successes, trials in ((3, 2), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="successes <= trials"):
            wilson_interval(successes, trials)


@given(labelled_scores, st.sampled_from([0.25, 1.0, 4.0, 100.0]), st.sampled_from([None, 0.01, 0.5]))
def test_least_cost_is_the_least_of_all(rows, ratio, prevalence):
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    share = y.mean() if prevalence is None else prevalence

    def cost(pair):
        return share * (1 - pair[0]) * ratio + (1 - share) * (1 - pair[1])

    threshold = threshold_at_least_cost(y, s, ratio, prevalence)
    assert np.isfinite(threshold)
    assert cost(rates(y, s, threshold)) == pytest.approx(min(map(cost, all_rates(y, s))))


@given(labelled_scores)
def test_the_cost_ratio_that_balances_the_classes_is_youden(rows):
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    assert threshold_at_least_cost(y, s, 1.0, 0.5) == pytest.approx(youden_threshold(y, s)) or sum(
        rates(y, s, threshold_at_least_cost(y, s, 1.0, 0.5))
    ) == pytest.approx(sum(rates(y, s, youden_threshold(y, s))))


def test_dear_misses_lower_the_threshold_and_ties_go_to_the_stricter_one():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    s = y + rng.normal(size=300)
    chosen = [threshold_at_least_cost(y, s, ratio) for ratio in (0.1, 0.5, 1, 2, 10)]
    assert chosen == sorted(chosen, reverse=True)
    assert threshold_at_least_cost([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], 1.0) == 3.5


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.inf, np.nan])
def test_cost_ratios_must_be_positive(ratio):
    with pytest.raises(ValueError, match="cost_ratio must be positive and finite"):
        threshold_at_least_cost([0, 1], [0, 1], ratio)
