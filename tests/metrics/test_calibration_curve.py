"""The flexible calibration curve against patsy's spline in statsmodels, and its pointwise coverage."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from medauc.metrics import calibration_curve, platt_apply

predictions = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))),
    min_size=1,
    max_size=60,
)


def test_curve_and_band_equal_statsmodels(statsmodels_dcurves):
    data = statsmodels_dcurves
    curve = calibration_curve(data["target"], data["probability"], knots=4, points=41)
    np.testing.assert_allclose(curve.probability, data["curve"]["grid"])
    np.testing.assert_allclose(curve.observed, data["curve"]["mean"], atol=1e-4)
    np.testing.assert_allclose(curve.low, data["curve"]["low"], atol=1e-4)
    np.testing.assert_allclose(curve.high, data["curve"]["high"], atol=1e-4)


def test_distances_are_those_of_the_curve(statsmodels_dcurves):
    y, p = statsmodels_dcurves["target"], np.array(statsmodels_dcurves["probability"])
    curve = calibration_curve(y, p, points=20_001)
    distance = np.abs(np.interp(p, curve.probability, curve.observed) - p)
    assert curve.ici == pytest.approx(distance.mean(), abs=1e-5)
    assert curve.e50 == pytest.approx(np.median(distance), abs=1e-5)
    assert curve.e90 == pytest.approx(np.quantile(distance, 0.9), abs=1e-5)
    assert curve.emax == pytest.approx(distance.max(), abs=1e-5)


@pytest.mark.parametrize("knots", [3, 4, 5])
def test_a_straight_line_on_the_logit_scale_is_found_again(knots):
    rng = np.random.default_rng(16)
    p = expit(rng.normal(-1, 1.5, 200_000))
    curve = calibration_curve(rng.random(p.size) < platt_apply(logit(p), 0.7, 0.4), p, knots)
    truth = platt_apply(logit(curve.probability), 0.7, 0.4)
    middle = slice(2, -2)
    np.testing.assert_allclose(curve.observed[middle], truth[middle], atol=0.03)
    assert curve.ici == pytest.approx(np.abs(platt_apply(logit(p), 0.7, 0.4) - p).mean(), abs=0.004)


def test_band_covers_pointwise():
    rng, at, draws = np.random.default_rng(17), np.array([0.1, 0.2, 0.4, 0.6]), 300
    truth, hits = platt_apply(logit(at), 0.6, 0.5), np.zeros(4)
    for _ in range(draws):
        p = expit(rng.normal(-0.8, 1.2, 150))
        curve = calibration_curve(rng.random(150) < platt_apply(logit(p), 0.6, 0.5), p)
        low, high = (np.interp(at, curve.probability, bound) for bound in (curve.low, curve.high))
        hits += (low <= truth) & (truth <= high)
    assert (hits / draws >= 0.905).all()
    assert (hits / draws <= 0.99).all()


@given(predictions, st.sampled_from([3, 4, 5]), st.randoms())
@settings(max_examples=60)
def test_any_data_give_a_finite_curve_without_warnings(rows, knots, random):
    """Single classes, equal probabilities, separable classes, certainties: all are in here."""
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve = calibration_curve(y, p, knots)
    for values in (curve.observed, curve.low, curve.high):
        assert ((values >= 0) & (values <= 1)).all()
    assert (curve.low <= curve.observed).all()
    assert (curve.observed <= curve.high).all()
    assert 0 <= curve.e50 <= curve.e90 <= curve.emax <= 1
    order = random.sample(range(len(rows)), len(rows))
    again = calibration_curve(y[order], p[order], knots)
    assert again.ici == pytest.approx(curve.ici, abs=1e-3)


def test_equal_probabilities_give_the_prevalence():
    curve = calibration_curve([0, 0, 0, 1] * 25, [0.4] * 100)
    assert curve.observed == pytest.approx(0.25, abs=1e-4)
    assert curve.ici == pytest.approx(0.15, abs=1e-4)


def test_separable_classes_give_a_step_with_a_wide_band():
    p = np.linspace(0.05, 0.95, 80)
    curve = calibration_curve(p > 0.5, p)
    assert curve.observed[20] < 0.05
    assert curve.observed[80] > 0.95
    assert curve.high[49] - curve.low[49] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.5, 1.2]), "probabilities must lie"),
        (([0, 1], [0.5, 0.2], 7), "knots must be 3, 4 or 5"),
        (([0, 1], [0.5, 0.2], 4, 1), "points 2 or more"),
        (([0, 1], [0.5, 0.2], 4, 9, 0.0), "level must lie"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        calibration_curve(*arguments)
