"""Sensitivity at a specificity: the operating point, the error of its threshold, coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from medauc.metrics import (
    confusion_counts,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    threshold_at_sensitivity,
    threshold_at_specificity,
    wilson_interval,
)

labelled = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=40).filter(
    lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
)


@given(labelled, st.sampled_from([0.1, 0.5, 0.8, 0.9, 0.95]))
def test_value_is_that_of_the_threshold_with_the_wanted_rate(rows, wanted):
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    counts = confusion_counts(y, s, threshold_at_specificity(y, s, wanted))
    found = sensitivity_at_specificity(y, s, wanted)
    assert found.value == pytest.approx(counts.tp / y.sum())
    counts = confusion_counts(y, s, threshold_at_sensitivity(y, s, wanted))
    assert specificity_at_sensitivity(y, s, wanted).value == pytest.approx(counts.tn / (~y).sum())
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(labelled)
def test_exchanging_classes_exchanges_the_rates(rows):
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    assert specificity_at_sensitivity(y, s, 0.8) == sensitivity_at_specificity(~y, -s, 0.8)
    assert sensitivity_at_specificity(y, s, 0.8) == sensitivity_at_specificity(y, np.exp(s), 0.8)


def test_many_negatives_leave_wilsons_interval():
    """The threshold is then as good as known."""
    rng = np.random.default_rng(0)
    y = np.arange(402_000) < 2000
    s = rng.normal(size=y.size) + 1.5 * y
    found = sensitivity_at_specificity(y, s, 0.9)
    low, high = wilson_interval(found.value * 2000, 2000)
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), abs=1e-3)


def test_few_negatives_widen_it():
    rng = np.random.default_rng(1)
    negatives, positives = rng.normal(size=4000), rng.normal(size=500) + 1.2
    widths = []
    for n in (4000, 400, 40):
        s = np.concatenate((positives, np.quantile(negatives, (np.arange(n) + 0.5) / n)))
        _, low, high = sensitivity_at_specificity(np.arange(500 + n) < 500, s, 0.9)
        widths.append(high - low)
    assert widths[0] < widths[1] < widths[2]
    assert widths[2] > 2 * widths[0]


def test_threshold_error_is_that_of_the_ideal_bootstrap():
    """Drawing the number of negatives above the true threshold, again and again."""
    rng = np.random.default_rng(2)
    y = np.arange(90) < 30
    s = rng.normal(size=90) + y
    positives, negatives = s[y], np.sort(s[~y])[::-1]
    edges = np.concatenate(([np.inf], negatives, [-np.inf]))
    above = np.array([(positives > edge).sum() for edge in edges]) / 30
    k = rng.binomial(60, 0.2, 200_000)
    drawn = (above[k] + above[k + 1]) / 2
    z = norm.ppf(0.975)
    a, b, c = 1 + z**2 / 30, -(2 * drawn.mean() + z**2 / 30), drawn.mean() ** 2 - z**2 * drawn.var()
    expected = np.sort(np.roots([a, b, c]))
    found = sensitivity_at_specificity(y, s, 0.8)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=2e-3)


@pytest.mark.parametrize(
    ("m", "n", "distance", "wanted"), [(30, 60, 1.0, 0.8), (50, 200, 2.0, 0.9), (200, 50, 2.0, 0.8)]
)
def test_covers_where_a_fixed_threshold_interval_would_not(m, n, distance, wanted):
    rng = np.random.default_rng(3)
    y, truth = np.arange(m + n) < m, norm.cdf(distance - norm.ppf(wanted))
    hits = naive = 0
    for _ in range(500):
        found = sensitivity_at_specificity(y, rng.normal(size=m + n) + distance * y, wanted)
        hits += found.low <= truth <= found.high
        low, high = wilson_interval(found.value * m, m)
        naive += low <= truth <= high
    assert 0.925 <= hits / 500 <= 0.99
    assert naive < hits
    if m > n:
        assert naive / 500 < 0.85


def test_perfect_ranking_is_not_certain():
    found = sensitivity_at_specificity([0] * 30 + [1] * 30, np.arange(60), 0.9)
    assert found.value == found.high == 1.0
    assert found.low <= wilson_interval(30, 30)[0]


def test_wrong_arguments_are_named():
    for wrong in (0, 1, 90):
        with pytest.raises(ValueError, match="specificity must lie between"):
            sensitivity_at_specificity([0, 1], [0, 1], wrong)
        with pytest.raises(ValueError, match="sensitivity must lie between"):
            specificity_at_sensitivity([0, 1], [0, 1], wrong)
