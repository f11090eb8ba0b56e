"""Intervals of proportions against statsmodels, and of clustered ones against simulated patients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from medauc.metrics import (
    Estimate,
    clopper_pearson_interval,
    clustered_proportion,
    proportion_estimate,
    wilson_interval,
)
from medauc.metrics.proportion import mover

patients = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40)


def test_wilson_equals_statsmodels(statsmodels_dcurves):
    ours = np.transpose(wilson_interval(np.arange(26), 25))
    np.testing.assert_allclose(ours, statsmodels_dcurves["wilson"], atol=1e-12)


def test_clopper_pearson_equals_statsmodels_and_scipy(statsmodels_dcurves):
    ours = np.transpose(clopper_pearson_interval(np.arange(26), 25))
    np.testing.assert_allclose(ours, statsmodels_dcurves["clopper_pearson"], atol=1e-12)
    exact = binomtest(7, 25).proportion_ci(0.9, method="exact")
    assert clopper_pearson_interval(7, 25, 0.9) == pytest.approx((exact.low, exact.high))


def test_clustered_interval_is_wilsons_at_the_size_that_statsmodels_error_gives(statsmodels_dcurves):
    success = np.array(statsmodels_dcurves["probability"]) > 0.4
    share, error = success.mean(), statsmodels_dcurves["clustered_error"]
    size = share * (1 - share) / error**2 * (norm.ppf(0.975) / student.ppf(0.975, 29)) ** 2
    assert size < 100 < success.size
    found = clustered_proportion(success, statsmodels_dcurves["group"])
    assert found.value == pytest.approx(share)
    assert found[1:] == pytest.approx([float(bound) for bound in wilson_interval(share * size, size)])


@given(patients, st.randoms())
def test_order_and_names_of_groups_do_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    plain = clustered_proportion([row[0] for row in rows], [row[1] for row in rows])
    named = clustered_proportion([row[0] for row in shuffled], [f"p{9 - row[1]}" for row in shuffled])
    assert named == pytest.approx(plain)
    assert 0.0 <= plain.low <= plain.value <= plain.high <= 1.0


@given(patients)
def test_groups_never_narrow_the_interval(rows):
    success = [row[0] for row in rows]
    alone = proportion_estimate(sum(success), len(success))
    found = clustered_proportion(success, [row[1] for row in rows])
    assert found.low <= alone.low + 1e-12
    assert found.high >= alone.high - 1e-12


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
def test_groups_of_one_change_nothing(method):
    success = [1, 0, 1, 1, 0]
    expected = proportion_estimate(3, 5, 0.9, method)
    assert clustered_proportion(success, list("abcde"), 0.9, method) == expected


def test_one_group_tells_nothing_and_equal_samples_count_once():
    assert clustered_proportion([1, 0, 1], ["a", "a", "a"]) == Estimate(2 / 3, 0.0, 1.0)
    groups = np.repeat(np.arange(200), 5)
    success = np.repeat(np.arange(200) % 4 == 0, 5)
    repeated = clustered_proportion(success, groups)
    assert repeated == pytest.approx(proportion_estimate(50, 200), abs=2e-3)
    assert clustered_proportion(np.ones(1000), groups).low == pytest.approx(
        proportion_estimate(200, 200).low, abs=2e-3
    )


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
def test_clustered_interval_covers_where_the_plain_one_does_not(method):
    rng = np.random.default_rng(0)
    clustered = plain = 0
    for _ in range(400):
        groups = np.repeat(np.arange(25), rng.integers(1, 9, 25))
        success = rng.random(groups.size) < rng.beta(1.5, 0.5, 25)[groups]  # 0.75 on average
        _, low, high = clustered_proportion(success, groups, method=method)
        clustered += low <= 0.75 <= high
        _, low, high = proportion_estimate(int(success.sum()), groups.size, method=method)
        plain += low <= 0.75 <= high
    assert 0.92 <= clustered / 400 <= 0.99
    assert plain / 400 < 0.88


def test_mover_of_normal_intervals_is_the_normal_interval_of_the_sum():
    first, second = Estimate(1.0, 1.0 - 0.3, 1.0 + 0.3), Estimate(2.0, 2.0 - 0.4, 2.0 + 0.4)
    for correlation in (-1.0, -0.5, 0.0, 0.8):
        for a, b in ((1, 1), (1, -1), (2.0, -0.5)):
            half = np.sqrt((0.3 * a) ** 2 + (0.4 * b) ** 2 + 2 * correlation * a * b * 0.3 * 0.4)
            expected = a + 2 * b - half, a + 2 * b + half
            assert mover(first, second, (a, b), correlation)[1:] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(3, 2), "0 <= successes <= trials"),
        (lambda: clopper_pearson_interval(0, 0), "at least one trial"),
        (lambda: proportion_estimate(1, 2, method="wald"), "'wilson' or 'clopper-pearson', got 'wald'"),
        (lambda: proportion_estimate(0, 0, level=1.0), "level must lie between"),
        (lambda: clustered_proportion([1, 0], ["a"]), r"groups needs the shape \(2,\)"),
        (lambda: clustered_proportion([], []), "at least one sample"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
