"""Bootstrap against SciPy's, exact moments, and the analytic intervals."""

import numpy as np
import pytest
from scipy import stats

from medauc.metrics import (
    average_precision,
    average_precision_interval,
    bca_interval,
    bootstrap_interval,
    delong_interval,
    partial_auc,
    percentile_interval,
    roc_auc,
)


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    y = np.arange(120) < 45
    return y, np.round(y + rng.normal(size=120), 1)  # with ties


@pytest.mark.parametrize("statistic", [roc_auc, average_precision])
@pytest.mark.parametrize("groups", [None, np.arange(120) // 3])
def test_fast_replicates_equal_those_of_a_loop(sample, statistic, groups):
    def slow(y, s):
        return statistic(y, s)

    arguments = {"groups": groups, "replicates": 150, "seed": 3}
    fast, looped = (bootstrap_interval(*sample, f, **arguments) for f in (statistic, slow))
    assert fast == pytest.approx(tuple(looped), abs=1e-12)


@pytest.mark.parametrize("stratified", [True, False])
def test_percentile_agrees_with_delong_in_the_middle(sample, stratified):
    found = bootstrap_interval(*sample, method="percentile", stratified=stratified, replicates=4000)
    assert found == pytest.approx(tuple(delong_interval(*sample, scale="linear")), abs=0.012)


def test_bca_equals_scipys_where_the_jackknife_does():
    """One stratum: the mean of a skewed sample, which needs both corrections."""
    x = np.random.default_rng(1).exponential(size=40)
    ours = bca_of_mean(x)
    theirs = stats.bootstrap((x,), np.mean, method="BCa", n_resamples=20_000, rng=2).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.02)
    plain = percentile_interval(replicates_of_mean(x))
    assert abs(plain[1] - theirs.high) > abs(ours[1] - theirs.high)


def replicates_of_mean(x):
    rng = np.random.default_rng(3)
    return rng.choice(x, (20_000, x.size)).mean(axis=1)


def bca_of_mean(x):
    left_out = (x.sum() - x) / (x.size - 1)
    return bca_interval(x.mean(), replicates_of_mean(x), left_out.mean() - left_out)


def test_bca_moves_where_bias_and_skewness_say():
    replicates = np.random.default_rng(4).normal(size=20_000)
    plain = bca_interval(0.0, replicates, np.array([-1.0, 1.0]))
    assert plain == pytest.approx(percentile_interval(replicates), abs=0.05)
    assert (
        bca_interval(0.3, replicates, np.array([-1.0, 1.0]))[0] > plain[0]
    )  # replicates fall short of the value
    z0, a = 0.0, 0.1 / 6  # skewness 0.1 of two hundred units
    shifts = np.r_[np.full(100, -1.0), np.full(100, 1.0)]
    shifts[0] += 2.4
    a = (shifts**3).sum() / (6 * (shifts**2).sum() ** 1.5)
    expected = [stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in stats.norm.ppf([0.025, 0.975])]
    found = bca_interval(float(np.median(replicates)), replicates, shifts)
    assert found == pytest.approx(tuple(np.quantile(replicates, expected)), abs=1e-9)


def test_replicates_have_the_variance_of_the_sampling_plan():
    """The ideal bootstrap variance of the AUC, stratified, in closed form (a two-sample U-statistic)."""
    rng = np.random.default_rng(5)
    y, s = np.arange(24) < 9, rng.normal(size=24)
    kernel = (s[y][:, None] > s[~y][None]).astype(float)
    auc, (m, n) = kernel.mean(), kernel.shape
    rows, columns = kernel.mean(axis=1).var(), kernel.mean(axis=0).var()
    exact = ((n - 1) * rows + (m - 1) * columns + kernel.var()) / (m * n)
    low, high = bootstrap_interval(y, s, method="percentile", replicates=30_000, level=0.6827)[1:]
    assert (high - low) / 2 == pytest.approx(np.sqrt(exact), rel=0.06)
    assert low < auc < high


def test_groups_are_drawn_whole():
    """Copies in one group add nothing: the interval is that of one copy."""
    rng = np.random.default_rng(6)
    y = np.arange(60) < 25
    s = y + rng.normal(size=60)
    single = bootstrap_interval(y, s, replicates=4000)
    grouped = bootstrap_interval(
        np.tile(y, 3), np.tile(s, 3), groups=np.tile(np.arange(60), 3), replicates=4000
    )
    assert grouped == pytest.approx(tuple(single), abs=1e-9)
    apart = bootstrap_interval(np.tile(y, 3), np.tile(s, 3), replicates=4000)
    assert apart.high - apart.low < 0.7 * (single.high - single.low)


def test_any_statistic(sample):
    def part(y, s):
        return partial_auc(y, s, max_fpr=0.3)

    found = bootstrap_interval(*sample, part, replicates=200)
    assert found.low < found.value == part(*sample) < found.high


def test_average_precision_near_its_analytic_interval():
    rng = np.random.default_rng(7)
    y = np.arange(600) < 200
    s = y + rng.normal(size=600)
    found = bootstrap_interval(y, s, average_precision)
    assert found == pytest.approx(tuple(average_precision_interval(y, s)), abs=0.015)


def test_seeded(sample):
    assert bootstrap_interval(*sample) == bootstrap_interval(*sample)
    assert bootstrap_interval(*sample, seed=1) != bootstrap_interval(*sample, seed=2)


def test_blocks_change_nothing(sample, monkeypatch):
    whole = bootstrap_interval(*sample, replicates=3000)
    monkeypatch.setattr("medauc.metrics.bootstrap._BLOCK", 3 * 120 * 7)
    assert bootstrap_interval(*sample, replicates=3000) == pytest.approx(tuple(whole), abs=0.015)


def test_a_class_never_vanishes():
    y = np.array([True, True] + [False] * 20)
    s = np.random.default_rng(8).normal(size=22)
    found = bootstrap_interval(y, s, stratified=False, replicates=500, method="percentile")
    assert np.isfinite(found).all()


def test_a_perfect_ranking_has_no_bootstrap_interval():
    found = bootstrap_interval([0, 0, 0, 1, 1, 1], np.arange(6))
    assert found.value == 1.0
    assert np.isnan([found.low, found.high]).all()


def test_bca_covers(binormal):
    rng = np.random.default_rng(9)
    found = 0
    for k in range(150):
        _, low, high = bootstrap_interval(*binormal(rng, 40, 80, 0.8), replicates=400, seed=k)
        found += low <= 0.8 <= high
    assert 0.88 <= found / 150 <= 0.99


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "basic"}, "method must be 'bca' or 'percentile'"),
        ({"replicates": 0}, "replicates positive"),
        ({"level": 95}, "level must lie between"),
        ({"groups": [1, 2, 3]}, "groups needs the shape"),
        ({"groups": [1] * 60 + [2] * 60}, "each class in two units"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    y = np.arange(120) < 60
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(y, np.random.default_rng(0).normal(size=120), **options)
