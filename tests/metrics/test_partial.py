"""Partial AUC's interval: its influence function against resampling, its identities, its coverage.

The value itself is tested in test_roc.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logit
from scipy.stats import norm

from medauc.metrics import hoeffding_interval, partial_auc, partial_auc_interval, roc_auc

REGIONS = [(0.2, None), (None, 0.7), (0.5, 0.4)]
labelled = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=40).filter(
    lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
)


@pytest.mark.parametrize(("max_fpr", "min_tpr"), REGIONS)
def test_standard_error_equals_that_of_resampling(binormal, max_fpr, min_tpr):
    """In a sample large enough for the moderation to leave the variance alone."""
    rng = np.random.default_rng(0)
    y, s = binormal(rng, 800, 800, 0.8)
    s = s + 0.6 * y * (s > 1)  # not binormal
    drawn = []
    for _ in range(400):
        rows = np.concatenate((rng.integers(0, 800, 800), rng.integers(800, 1600, 800)))
        drawn.append(partial_auc(y[rows], s[rows], max_fpr, min_tpr, standardized=False))
    best = (max_fpr or 1.0) * (1.0 - (min_tpr or 0.0))
    value, low, high = partial_auc_interval(y, s, max_fpr, min_tpr, standardized=False)
    share = value / best
    error = (logit(high / best) - logit(low / best)) / (2 * 1.96) * share * (1 - share) * best
    assert error == pytest.approx(np.std(drawn), rel=0.12)


@pytest.mark.parametrize(("max_fpr", "min_tpr"), [(0.2, None), (None, 0.8), (0.4, 0.5)])
@pytest.mark.parametrize(("m", "n"), [(20, 180), (60, 60)])
def test_covers(binormal, m, n, max_fpr, min_tpr):
    rng = np.random.default_rng(1)
    distance, right, floor = norm.ppf(0.9) * 2**0.5, max_fpr or 1.0, min_tpr or 0.0
    left = norm.cdf(norm.ppf(floor) - distance) if floor else 0.0
    truth = quad(lambda u: norm.cdf(distance + norm.ppf(u)) - floor, left, right)[0]
    hits = 0
    for _ in range(250):
        _, low, high = partial_auc_interval(*binormal(rng, m, n, 0.9), max_fpr, min_tpr, standardized=False)
        hits += low <= truth <= high
    assert hits / 250 >= 0.9


@given(labelled, st.sampled_from(REGIONS))
def test_bounds_hold_the_value_and_follow_the_standardisation(rows, region):
    y, s = (list(column) for column in zip(*rows, strict=True))
    raw = partial_auc_interval(y, s, *region, standardized=False)
    mapped = partial_auc_interval(y, s, *region)
    assert raw.value == pytest.approx(partial_auc(y, s, *region, standardized=False))
    assert mapped.value == pytest.approx(partial_auc(y, s, *region))
    best = (region[0] or 1.0) * (1.0 - (region[1] or 0.0))
    assert 0 <= raw.low <= raw.value + 1e-12
    assert raw.value <= raw.high + 1e-12 <= best + 2e-12
    assert raw.low < raw.high
    slope = (mapped.high - mapped.low) / (raw.high - raw.low)
    assert mapped.value - mapped.low == pytest.approx(slope * (raw.value - raw.low), abs=1e-9)
    assert mapped.high <= 1 + 1e-12


def test_exchanging_classes_exchanges_the_sides():
    rng = np.random.default_rng(2)
    y, s = rng.random(80) < 0.4, rng.normal(size=80)
    by_tpr = partial_auc_interval(y, s, min_tpr=0.7)
    assert by_tpr == pytest.approx(tuple(partial_auc_interval(~y, -s, max_fpr=0.3)), abs=1e-9)


def test_samples_beyond_the_region_may_move_freely():
    """Only which of the negatives lie above the region's edge matters, and how positives rank against those."""
    y = np.arange(100) < 40
    s = np.random.default_rng(3).normal(size=100) + y
    edge = np.sort(s[~y])[-20]  # a third of negatives lie at or above
    moved = np.where(s < edge - 1e-9, s * 3 - 20, s)
    for wanted in (0.1, 0.3):
        one, other = (partial_auc_interval(y, z, max_fpr=wanted, standardized=False) for z in (s, moved))
        assert one.value == pytest.approx(other.value)


def test_perfect_ranking_gets_the_bound_of_the_whole_area():
    y, s = [0] * 40 + [1] * 12, np.arange(52)
    low, _ = hoeffding_interval(1.0, 12)
    found = partial_auc_interval(y, s, max_fpr=0.5, standardized=False)
    assert found == pytest.approx((0.5, 0.5 - (1 - low), 0.5))
    assert partial_auc_interval(y, s, max_fpr=0.1, standardized=False).low == 0.0  # nothing can be said


def test_a_curve_below_the_region_gets_the_bound_of_the_whole_area():
    y, s = [1] * 30 + [0] * 30, np.arange(60)
    found = partial_auc_interval(y, s, max_fpr=0.3, min_tpr=0.5, standardized=False)
    _, high = hoeffding_interval(roc_auc(y, s), 30)
    assert found == pytest.approx((0.0, 0.0, min(0.15, high)))


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="max_fpr must lie"):
        partial_auc_interval([0, 0, 1, 1], [1, 2, 3, 4], max_fpr=0)
    with pytest.raises(ValueError, match="level must lie"):
        partial_auc_interval([0, 0, 1, 1], [1, 3, 2, 4], max_fpr=0.5, level=1)
