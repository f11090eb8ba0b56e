"""The score interval: its equation, its limits, its coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, multivariate_normal, norm

from medauc.metrics import (
    binormal_variance,
    delong_interval,
    hoeffding_interval,
    roc_auc,
    score_interval,
)

shares = st.floats(0.02, 0.98)
sizes = st.integers(2, 5000)


@pytest.mark.parametrize("auc", [0.5, 0.7, 0.93])
def test_binormal_variance_is_that_of_the_mann_whitney_statistic(auc):
    both = multivariate_normal(cov=[[1, 0.5], [0.5, 1]]).cdf([norm.ppf(auc)] * 2)  # P(X1 > Y, X2 > Y)
    m, n = 12, 30
    expected = (auc * (1 - auc) + (m + n - 2) * (both - auc**2)) / (m * n)
    assert binormal_variance(auc, m, n) == pytest.approx(expected, rel=1e-4)


def test_binormal_variance_matches_simulation(binormal):
    rng = np.random.default_rng(0)
    drawn = [roc_auc(*binormal(rng, 15, 40, 0.85)) for _ in range(4000)]
    ratio = np.var(drawn, ddof=1) / binormal_variance(0.85, 15, 40)
    low, high = chi2.ppf([0.0005, 0.9995], 3999) / 3999
    assert (
        low * 0.97 < ratio < high * 1.03
    )  # the AUC is not quite normal, so neither is its variance chi-square


@given(shares, st.floats(0.1, 10), sizes, sizes)
def test_bounds_solve_the_equation_and_mirror(auc, ratio, m, n):
    variance = ratio * float(binormal_variance(auc, m, n))
    low, high = (float(bound) for bound in score_interval(auc, variance, m, n, degrees=20))
    assert 0 < low < auc < high < 1
    d = 20 * 4 * auc * (1 - auc)
    used = max(ratio, (3 + d * ratio) / (3 + d))
    for bound in (low, high):
        expected = norm.ppf(0.975) ** 2 * used * float(binormal_variance(bound, m, n))
        assert (bound - auc) ** 2 == pytest.approx(expected, rel=1e-6)
    mirrored = score_interval(1 - auc, variance, n, m, degrees=20)
    assert (1 - float(mirrored[1]), 1 - float(mirrored[0])) == pytest.approx((low, high), abs=1e-9)


def test_many_samples_give_the_normal_interval():
    low, high = score_interval(0.8, 1e-8, 10**5, 10**5)
    assert (low, high) == pytest.approx((0.8 - 1.959964e-4, 0.8 + 1.959964e-4), abs=1e-6)


def test_arrays_are_taken_whole():
    aucs, variances = np.array([[0.7, 0.8, 0.9]]), np.array([[0.001], [0.002]])
    low, high = score_interval(aucs, variances, 50, 80)
    assert low.shape == high.shape == (2, 3)
    alone = score_interval(0.8, 0.002, 50, 80)
    assert (low[1, 1], high[1, 1]) == (float(alone[0]), float(alone[1]))


def test_wider_with_confidence_and_variance_and_nested():
    narrow, wide = (score_interval(0.85, 0.001, 50, 80, level=level) for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    larger = score_interval(0.85, 0.002, 50, 80, level=0.8)
    assert larger[0] < narrow[0] < narrow[1] < larger[1]


def test_an_auc_or_variance_at_the_edge_is_refused():
    for auc, variance in ((1.0, 0.1), (0.0, 0.1), (0.5, 0.0)):
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            score_interval(auc, variance, 10, 10)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=4, max_size=40).filter(
        lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
    ),
    st.sampled_from(["score", "logit", "linear"]),
)
def test_delong_interval_follows_from_ranks_and_holds_the_auc(rows, scale):
    y = np.array([row[0] for row in rows])
    s = np.array([row[1] for row in rows], dtype=float)
    found = delong_interval(y, s, scale=scale)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    assert delong_interval(y, s**3 + s, scale=scale) == found  # any rising map
    assert delong_interval(y[order], s[order], scale=scale) == pytest.approx(tuple(found))
    flipped = (found.value, found.low, found.high)
    assert delong_interval(~y, -s, scale=scale) == pytest.approx(flipped, abs=1e-9)
    twice = delong_interval(np.tile(y, 2), np.tile(s, 2), scale=scale)
    assert twice.value == pytest.approx(found.value)
    assert twice.high - twice.low <= found.high - found.low + 1e-12


def hits(rng, binormal, draws, m, n, auc):
    found = 0
    for _ in range(draws):
        _, low, high = delong_interval(*binormal(rng, m, n, auc))
        found += low <= auc <= high
    return found


@pytest.mark.parametrize(("m", "n", "auc"), [(20, 180, 0.95), (20, 20, 0.98), (50, 450, 0.98), (20, 80, 0.6)])
def test_covers_in_the_corners_where_the_logit_interval_does_not(binormal, m, n, auc):
    found = hits(np.random.default_rng(5), binormal, 700, m, n, auc)
    interval = binomtest(found, 700).proportion_ci(0.999)
    assert interval.low <= 0.95 <= interval.high + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.6, 0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("prevalence", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("m", [20, 50, 200, 500])
def test_covers_93_5_to_96_5_percent(binormal, m, prevalence, auc):
    draws = 2000
    found = hits(np.random.default_rng(6), binormal, draws, m, round(m / prevalence) - m, auc) / draws
    noise = 2.6 * np.sqrt(0.05 * 0.95 / draws)  # one cell in a hundred strays further by chance
    assert 0.95 - 0.015 - noise <= found <= 0.95 + 0.015 + noise


def test_perfect_ranking_is_bounded_by_pairs_not_by_products():
    """A tenth of positives ranked below everything goes unseen by 20 positives in 12% of draws."""
    low, _ = hoeffding_interval(1.0, 20)
    assert low**20 == pytest.approx(0.025)
    assert delong_interval([0] * 500 + [1] * 20, np.arange(520)).low == pytest.approx(low)
