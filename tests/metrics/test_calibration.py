"""Platt's map against two independent fits; errors against their definitions and their coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from medauc.metrics import (
    brier_interval,
    brier_score,
    calibration_error_interval,
    expected_calibration_error,
    platt_apply,
    platt_fit,
    reliability_curve,
)


def platt_by_weighted_regression(y, s):
    """Platt's smoothed targets as weights of doubled samples, in scikit-learn."""
    m, n = y.sum(), (1 - y).sum()
    t = np.where(y == 1, (m + 1) / (m + 2), 1 / (n + 2))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    model.fit(np.tile(s, 2)[:, None], np.repeat((1, 0), len(y)), sample_weight=np.concatenate((t, 1 - t)))
    return model.coef_[0, 0], model.intercept_[0]


@pytest.mark.parametrize("seed", range(5))
def test_platt_equals_weighted_logistic_regression(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(80) < 0.3).astype(int)
    s = 2 * y + rng.normal(size=80)
    assert platt_fit(y, s) == pytest.approx(platt_by_weighted_regression(y, s), rel=1e-3, abs=1e-3)


@given(st.floats(1e-6, 1e6), st.floats(-1e4, 1e4))
@settings(deadline=None, max_examples=40)
def test_platt_follows_any_affine_change_of_the_score(factor, shift):
    y = np.array([0, 0, 1, 0, 1, 1, 0, 1])
    s = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 0.1, 0.3])
    plain = platt_apply(s, *platt_fit(y, s))
    changed = platt_apply(factor * s + shift, *platt_fit(y, factor * s + shift))
    np.testing.assert_allclose(changed, plain, atol=1e-4)


def test_platt_stays_finite_when_the_classes_are_separable():
    slope, intercept = platt_fit([0] * 20 + [1] * 20, np.r_[np.zeros(20), np.ones(20)])
    probability = platt_apply([0.0, 1.0], slope, intercept)
    assert probability == pytest.approx([1 / 22, 21 / 22], abs=1e-6)


def test_platt_of_a_constant_score_is_the_smoothed_prevalence():
    slope, intercept = platt_fit([0, 0, 0, 1], [7.0] * 4)
    assert slope == 0.0
    assert expit(intercept) == pytest.approx((3 / 5 + 2 / 3) / 4)


def test_platt_of_a_reversed_score_is_negative():
    assert platt_fit([1, 1, 1, 0, 0, 0], [1, 2, 3, 3, 4, 5])[0] < 0


def test_platt_survives_an_outlier():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    s = y + rng.normal(size=60)
    s[0] = 1e8
    assert np.isfinite(platt_fit(y, s)).all()


def test_brier_equals_scikit_learn():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.random(50)
    assert brier_score(y, p) == pytest.approx(brier_score_loss(y, p))
    assert brier_interval(y, p)[0] == pytest.approx(brier_score_loss(y, p))


def test_brier_interval_covers():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        p = rng.random(150)
        _, low, high = brier_interval(rng.random(150) < p, p)
        hits += low <= 1 / 6 <= high  # E[p (1 - p)] for uniform p
    assert 0.92 <= hits / 400 <= 0.98


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


def test_probabilities_are_checked():
    for probability in ([0.5, 1.2], [0.5, np.nan], [-0.1, 0.5]):
        with pytest.raises(ValueError, match=r"probabilities must lie|not finite"):
            brier_score([0, 1], probability)
