"""Calibration figures against statsmodels, netcal, definitions and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import chi2, norm

from medauc.metrics import (
    calibration_error_interval,
    calibration_intercept,
    calibration_slope,
    debiased_calibration_error,
    expected_calibration_error,
    observed_expected_ratio,
    reliability_curve,
    spiegelhalter_test,
)

predictions = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.1, 0.25, 0.5]), st.floats(0.01, 0.99))),
    min_size=2,
    max_size=40,
)


def columns(rows):
    return (np.array(column) for column in zip(*rows, strict=True))


def test_equal_mass_bins_keep_ties_together_and_ignore_order():
    rng = np.random.default_rng(2)
    y, p = rng.integers(0, 2, 200), np.round(rng.random(200), 1)
    order = rng.permutation(200)
    predicted, observed, count = reliability_curve(y, p)
    assert count.sum() == 200
    assert predicted @ count == pytest.approx(p.sum())
    assert observed @ count == pytest.approx(y.sum())
    for ours, shuffled in zip(
        (predicted, observed, count), reliability_curve(y[order], p[order]), strict=True
    ):
        np.testing.assert_allclose(ours, shuffled)


def test_bins_are_of_equal_size_without_ties():
    _, _, count = reliability_curve([0, 1] * 50, np.random.default_rng(0).random(100), bins=10)
    assert count.tolist() == [10.0] * 10


def test_calibration_error_equals_its_definition():
    y, p = np.array([0, 1, 1, 1, 0, 0]), np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    expected = (abs(0.6 - 2) + abs(2.4 - 1)) / 6
    assert expected_calibration_error(y, p, bins=2) == pytest.approx(expected)
    assert calibration_error_interval(y, p, bins=2)[0] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_calibration_error_interval_covers_where_a_percentile_bootstrap_would_not(shift):
    rng = np.random.default_rng(3)

    def sample(size):
        z = rng.normal(-1, 1.5, size)
        return rng.random(size) < expit(z + shift), expit(z)

    truth = expected_calibration_error(*sample(200_000))
    intervals = np.array([calibration_error_interval(*sample(300)) for _ in range(150)])
    assert np.mean((intervals[:, 1] <= truth) & (truth <= intervals[:, 2])) >= 0.9
    assert ((intervals[:, 1] <= intervals[:, 0]) & (intervals[:, 0] <= intervals[:, 2])).all()


def test_equal_mass_error_equals_netcal(netcal):
    rng = np.random.default_rng(7)
    s = rng.normal(0.3, 1.5, 20_000)
    chance = 1 / (1 + np.exp(-s))
    y = (rng.random(s.size) < chance**1.6).astype(int)
    assert expected_calibration_error(y, chance) == pytest.approx(netcal["ece_equal_mass"], abs=1e-4)


def test_debiased_error_is_unbiased_where_the_plain_one_is_not():
    rng = np.random.default_rng(6)
    for shift in (0.0, 1.0):
        z = rng.normal(-1, 1.5, 200_000)
        truth = debiased_calibration_error(rng.random(z.size) < expit(z + shift), expit(z))
        squares, plain = [], []
        for _ in range(300):
            z = rng.normal(-1, 1.5, 100)
            y, p = rng.random(100) < expit(z + shift), expit(z)
            predicted, observed, count = reliability_curve(y, p)
            plain.append(np.square(predicted - observed) @ count / 100)
            squares.append(debiased_calibration_error(y, p) ** 2)
        assert np.mean(plain) > truth**2 + 0.01
        # Cut off at 0, the square keeps half of its noise where the truth is 0.
        assert abs(np.mean(squares) - truth**2) < (0.004 if shift == 0.0 else 0.003)


def test_debiased_error_of_bins_of_one_is_undefined():
    assert np.isnan(debiased_calibration_error([0, 1], [0.2, 0.8]))


def test_intercept_and_slope_equal_statsmodels(statsmodels_dcurves):
    y, p = statsmodels_dcurves["target"], statsmodels_dcurves["probability"]
    assert calibration_intercept(y, p) == pytest.approx(statsmodels_dcurves["intercept"], abs=1e-6)
    found = calibration_slope(y, p)
    assert found == pytest.approx(statsmodels_dcurves["slope"], abs=1e-6)
    wald = 1.959964 * statsmodels_dcurves["slope_error"]
    assert found.high - found.low == pytest.approx(2 * wald, rel=0.02)


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.5, 0.6)])
def test_intervals_cover(shift, slope):
    rng = np.random.default_rng(9)

    def draw(size):
        z = rng.normal(-0.8, 1.2, size)
        return rng.random(size) < expit(shift + slope * z), expit(z)

    y, p = draw(100_000)
    figures = (calibration_intercept, calibration_slope, observed_expected_ratio)
    truth = [figure(y, p).value for figure in figures]
    hits, draws = np.zeros(3), 150
    for _ in range(draws):
        y, p = draw(120)
        for index, figure in enumerate(figures):
            _, low, high = figure(y, p)
            hits[index] += low <= truth[index] <= high
    assert truth[1] == pytest.approx(slope, abs=0.04)
    assert (hits / draws >= 0.905).all()
    assert (hits / draws <= 0.985).all()


@given(predictions)
@settings(max_examples=40)
def test_intercept_is_where_expected_equals_observed(rows):
    y, p = columns(rows)
    value, low, high = calibration_intercept(y, p)
    if 0 < y.sum() < y.size:
        assert expit(logit(p) + value).sum() == pytest.approx(y.sum(), abs=1e-6)
    assert low <= value <= high


@given(predictions)
@settings(max_examples=40)
def test_exchanging_the_classes_turns_the_intercept_and_keeps_the_slope(rows):
    y, p = columns(rows)
    value, low, high = calibration_intercept(y, p)
    assert calibration_intercept(1 - y, 1 - p) == pytest.approx((-value, -high, -low), abs=1e-6)
    assert calibration_slope(1 - y, 1 - p) == pytest.approx(calibration_slope(y, p), rel=1e-5, nan_ok=True)


def test_slope_of_separable_classes_is_infinite_with_a_finite_lower_bound():
    y, p = np.repeat([0, 1], 10), np.r_[np.linspace(0.1, 0.4, 10), np.linspace(0.45, 0.8, 10)]
    value, low, high = calibration_slope(y, p)
    assert (value, high) == (np.inf, np.inf)
    x, intercepts = logit(p), np.linspace(-60, 60, 24001)[:, None]
    margin = intercepts + low * x
    likelihood = np.max(-np.logaddexp(0, np.where(y == 1, -margin, margin)).sum(axis=1))
    assert -2 * likelihood == pytest.approx(chi2.ppf(0.95, 1), abs=1e-4)  # the limit has likelihood 1
    assert calibration_slope(1 - y, p)[:2] == (-np.inf, -np.inf)
    assert calibration_slope(1 - y, p).high == pytest.approx(-low, rel=1e-6)


def test_slope_with_ties_on_the_border_keeps_their_uncertainty():
    value, low, _ = calibration_slope([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.4, 0.4, 0.7, 0.8])
    assert value == np.inf
    assert np.isfinite(low)


def test_figures_without_an_answer():
    assert not calibration_slope([0, 1], [0.3, 0.3]).is_defined
    assert not calibration_slope([1, 1], [0.3, 0.4]).is_defined
    none, every = calibration_intercept([0, 0, 0], [0.3] * 3), calibration_intercept([1, 1, 1], [0.3] * 3)
    assert none[:2] == (-np.inf, -np.inf)
    assert every[::2] == (np.inf, np.inf)
    assert np.isfinite([none.high, every.low]).all()
    assert observed_expected_ratio([0] * 20, [0.1] * 20)[:2] == (0.0, 0.0)
    assert observed_expected_ratio([0] * 20, [0.1] * 20).high == pytest.approx((1 - 0.025 ** (1 / 20)) / 0.1)
    assert observed_expected_ratio([0, 1], [0.0, 0.0]) == (np.inf, 0.0, np.inf)
    assert not observed_expected_ratio([0, 0], [0.0, 0.0]).is_defined


def test_ratio_of_a_fixed_probability_has_debrays_interval():
    """With one probability for all the expected number is fixed, as the published variance takes it."""
    y = np.arange(200) < 60
    error = ((1 - 0.3) / 60) ** 0.5
    expected = [1.5 * np.exp(side * 1.959964 * error) for side in (0, -1, 1)]
    assert observed_expected_ratio(y, [0.2] * 200) == pytest.approx(expected, rel=1e-6)


def test_spiegelhalter_rejects_a_right_score_as_often_as_promised():
    rng = np.random.default_rng(12)
    z = []
    for _ in range(800):
        p = expit(rng.normal(-1, 1.3, 150))
        z.append(spiegelhalter_test(rng.random(150) < p, p)[0])
    assert 0.03 <= np.mean(np.abs(z) > 1.959964) <= 0.075
    assert np.std(z) == pytest.approx(1, abs=0.08)
    p = expit(rng.normal(-1, 1.3, 2000))
    z, p_value = spiegelhalter_test(rng.random(2000) < p, expit(2 * logit(p)))
    assert z > 3
    assert p_value == pytest.approx(2 * norm.sf(z))


def test_spiegelhalter_at_certainty():
    assert spiegelhalter_test([0, 1], [0.0, 1.0]) == (0.0, 1.0)
    assert spiegelhalter_test([0, 1], [0.5, 0.5]) == (0.0, 1.0)
    assert spiegelhalter_test([0, 1], [0.2, 0.0]) == (np.inf, 0.0)


@pytest.mark.parametrize("shift", [-500.0, -40.0, 40.0, 500.0])
def test_probabilities_that_are_all_far_off_have_an_intercept(shift):
    """Of probabilities beyond rounding only the rounded logit, about 36, is left."""
    rng = np.random.default_rng(0)
    margin = rng.normal(size=200)
    target = rng.random(200) < expit(margin)
    value, low, high = calibration_intercept(target, expit(margin + shift))
    reach = min(abs(shift), 37.0)
    assert -np.sign(shift) * value == pytest.approx(reach, abs=3)
    assert low < value < high
    assert high - low < 1
