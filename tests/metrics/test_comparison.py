"""Tests of several models: against pairwise ones, degenerate cases, error rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from medauc.metrics import clustered_covariance, delong_covariance, delong_test, delong_tests, holm, roc_auc


def models(rng, y, count, quality=1.0, shared=0.7):
    common = rng.normal(size=y.size)
    own = rng.normal(size=(count, y.size))
    return quality * y + np.sqrt(shared) * common + np.sqrt(1 - shared) * own


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_as_the_step_down_procedure_does(p):
    """At any level: go through rising p-values, stop at the first above level / number of those left."""
    for level in (0.01, 0.05, 0.3):
        rejected, left = set(), len(p)
        for k in np.argsort(p, kind="stable"):
            if p[k] * left > level:
                break
            rejected.add(int(k))
            left -= 1
        assert set(np.flatnonzero(holm(p) <= level).tolist()) == rejected


def test_holm_refuses_what_is_no_probability():
    for wrong in ([0.5, 1.2], [np.nan], [[0.1]]):
        with pytest.raises(ValueError, match="p-values in"):
            holm(wrong)


def test_pairs_agree_with_tests_of_two():
    rng = np.random.default_rng(0)
    y = np.arange(150) < 50
    s = models(rng, y, 4)
    result = delong_tests(y, s)
    assert list(zip(result.first, result.second, strict=True)) == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (2, 3),
    ]
    for k, (i, j) in enumerate(zip(result.first, result.second, strict=True)):
        assert (result.z[k], result.p[k]) == pytest.approx(delong_test(y, s[i], s[j]))
        assert result.difference[k] == pytest.approx(roc_auc(y, s[i]) - roc_auc(y, s[j]))
        variance = result.covariance[i, i] + result.covariance[j, j] - 2 * result.covariance[i, j]
        assert result.high[k] - result.low[k] == pytest.approx(2 * 1.959964 * np.sqrt(variance), rel=1e-6)
    np.testing.assert_allclose(result.p_holm, holm(result.p))


def test_overall_test_does_not_depend_on_the_contrasts_or_the_order():
    rng = np.random.default_rng(1)
    y = np.arange(120) < 40
    s = models(rng, y, 4)
    result = delong_tests(y, s)
    aucs, covariance = delong_covariance(y, s)
    helmert = np.array([[1, -1, 0, 0], [1, 1, -2, 0], [1, 1, 1, -3.0]])
    statistic = helmert @ aucs @ np.linalg.solve(helmert @ covariance @ helmert.T, helmert @ aucs)
    assert (result.chi2, result.df) == (pytest.approx(statistic), 3)
    assert result.p_overall == pytest.approx(chi2.sf(statistic, 3))
    shuffled = delong_tests(y, s[[2, 0, 3, 1]])
    assert shuffled.chi2 == pytest.approx(result.chi2)


def test_repeated_models_lower_the_rank_and_change_nothing_else():
    rng = np.random.default_rng(2)
    y = np.arange(100) < 40
    s = models(rng, y, 3)
    plain, repeated = delong_tests(y, s), delong_tests(y, np.vstack((s, np.exp(s[0]), 3 * s[1] - 5)))
    assert (repeated.df, repeated.chi2) == (2, pytest.approx(plain.chi2))
    assert repeated.p_overall == pytest.approx(plain.p_overall)


def test_equal_rankings_differ_by_nothing():
    y, s = np.arange(30) < 12, np.random.default_rng(3).normal(size=30)
    result = delong_tests(y, [s, np.exp(s), 2 * s])
    for column, expected in (
        (result.p, 1),
        (result.p_holm, 1),
        (result.z, 0),
        (result.low, 0),
        (result.high, 0),
    ):
        assert column.tolist() == [expected] * 3
    assert (result.chi2, result.df, result.p_overall) == (0.0, 0, 1.0)


def test_two_perfect_rankings_that_differ_are_not_known_to_be_equal():
    y = np.arange(40) < 20
    up = np.arange(40.0)
    result = delong_tests(y, [-up, np.where(y, up, -up) + 100 * y])
    assert (result.difference[0], result.p[0]) == (0.0, 1.0)
    assert result.low[0] == pytest.approx(-np.sqrt(2 * np.log(40) / 20))


def test_a_difference_without_variance_gets_hoeffdings_bound():
    y = np.arange(60) < 30
    result = delong_tests(y, [y.astype(float), np.zeros(60), np.ones(60)])
    expected = 2 * np.exp(-30 * 0.5**2 / 2)
    assert result.p == pytest.approx([expected, expected, 1.0])
    assert result.p_overall == pytest.approx(3 * expected)
    assert np.isfinite(result.z).all()


def test_no_result_is_nan():
    rng = np.random.default_rng(4)
    for _ in range(50):
        y = np.arange(8) < rng.integers(2, 7)
        result = delong_tests(y, rng.integers(0, 3, (3, 8)))
        for name in ("z", "p", "p_holm", "low", "high"):
            assert np.isfinite(getattr(result, name)).all()
        assert 0.0 <= result.p_overall <= 1.0


def test_groups_use_the_clustered_covariance():
    rng = np.random.default_rng(5)
    y, groups = rng.random(120) < 0.4, np.repeat(np.arange(40), 3)
    s = models(rng, y, 2)
    _, covariance = clustered_covariance(y, s, groups)
    result = delong_tests(y, s, groups)
    np.testing.assert_allclose(result.covariance, covariance)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert result.z[0] == pytest.approx(result.difference[0] / np.sqrt(variance))


def rejections(draws, m, n, count, auc_shift, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(m + n) < m
    pair, overall = 0, 0
    for _ in range(draws):
        result = delong_tests(y, models(rng, y, count, auc_shift))
        pair += result.p[0] < 0.05
        overall += result.p_overall < 0.05
    return pair, overall


def test_error_rates_of_pair_and_overall_test():
    pair, overall = rejections(600, 60, 120, 3, 1.2, 6)
    for hits in (pair, overall):
        interval = binomtest(hits, 600).proportion_ci(0.999)
        assert interval.low <= 0.05 <= interval.high


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "shift"), [(50, 200, 0.8), (100, 100, 1.5), (100, 900, 2.0)])
def test_error_rate_of_the_paired_test_is_4_to_6_percent(m, n, shift):
    pair, _ = rejections(5000, m, n, 2, shift, 7)
    assert 0.04 <= pair / 5000 <= 0.06


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="M of 2 or more"):
        delong_tests([0, 0, 1, 1], [[1, 2, 3, 4]])
    with pytest.raises(ValueError, match="two scores of the same samples"):
        delong_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3])
    with pytest.raises(ValueError, match="level must lie"):
        delong_tests([0, 0, 1, 1], [[1, 2, 3, 4]] * 2, level=95)
    with pytest.raises(ValueError, match="not finite"):
        delong_tests([0, 0, 1, 1], [[1, 2, 3, 4], [1, np.nan, 2, 3]])
