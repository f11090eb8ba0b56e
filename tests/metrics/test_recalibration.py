"""Calibration maps against scikit-learn, netcal and exhaustive search; what happens at their edges."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from medauc.metrics import (
    CalibrationMap,
    IsotonicMap,
    PlattMap,
    fit_calibration,
    platt_apply,
    platt_fit,
)

METHODS = ["platt", "temperature", "beta", "isotonic"]
labelled_scores = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.integers(-3, 3), st.floats(-50, 50))), min_size=2, max_size=40
).filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))


def columns(rows):
    return (np.array(column, dtype=float) for column in zip(*rows, strict=True))


def smoothed(y):
    m, n = y.sum(), (1 - y).sum()
    return np.where(y == 1, (m + 1) / (m + 2), 1 / (n + 2))


def platt_by_weighted_regression(y, s):
    """Platt's smoothed targets as weights of doubled samples, in scikit-learn."""
    t = smoothed(y)
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
@settings(max_examples=40)
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


def cross_entropy(wanted, probability):
    p = np.clip(probability, 1e-300, 1)
    q = np.clip(1 - probability, 1e-300, 1)
    return -(wanted * np.log(p) + (1 - wanted) * np.log(q)).sum()


def sample(size, seed, power=1.6):
    rng = np.random.default_rng(seed)
    score = rng.normal(0.3, 1.5, size)
    return (rng.random(size) < expit(score) ** power).astype(int), score


@pytest.mark.parametrize("seed", range(3))
def test_temperature_and_beta_find_the_constrained_optimum(seed):
    y, s = sample(60, seed, power=(0.5, 1.0, 4.0)[seed])
    wanted = smoothed(y)
    features = np.column_stack((log_expit(s), -log_expit(-s), np.ones(60)))
    found = minimize(
        lambda w: cross_entropy(wanted, expit(features @ w)), [1, 1, 0], bounds=[(0, None), (0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-9},
    )  # fmt: skip
    ours = cross_entropy(wanted, fit_calibration(y, s, "beta").apply(s))
    assert ours <= found.fun + 1e-9
    assert ours == pytest.approx(found.fun, abs=1e-6)
    grid = [cross_entropy(wanted, expit(slope * s)) for slope in np.linspace(0, 5, 5001)]
    fitted = fit_calibration(y, s, "temperature")
    assert cross_entropy(wanted, fitted.apply(s)) <= min(grid) + 1e-9
    assert fitted.inverse == pytest.approx(np.argmin(grid) / 1000, abs=6e-4)


def test_beta_drops_a_slope_that_would_be_negative():
    rng = np.random.default_rng(5)
    s = rng.normal(0, 2, 4000)
    y = (rng.random(4000) < np.where(s > 0, 0.3 + 0.1 * np.tanh(-s), expit(s) * 0.6)).astype(int)
    fitted = fit_calibration(y, s, "beta")
    assert fitted.b == 0.0
    assert fitted.a > 0.0


@pytest.mark.parametrize(("method", "tolerance"), [("beta", 2e-3), ("temperature", 2e-3), ("isotonic", 1e-2)])
def test_maps_equal_netcal(method, tolerance, netcal):
    rng = np.random.default_rng(7)
    s = rng.normal(0.3, 1.5, 20_000)
    y = (rng.random(s.size) < (1 / (1 + np.exp(-s))) ** 1.6).astype(int)
    assert (y.sum(), s.sum()) == (netcal["target_sum"], pytest.approx(netcal["score_sum"]))
    ours = fit_calibration(y, s, method).apply(netcal["score"])
    np.testing.assert_allclose(ours, netcal[method], atol=tolerance)


@given(labelled_scores)
@settings(max_examples=60)
def test_isotonic_equals_scikit_learn(rows):
    y, s = columns(rows)
    s = np.round(s, 3)  # scikit-learn merges scores that differ by less than a machine epsilon
    low, high = smoothed(y).min(), smoothed(y).max()
    theirs = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip").fit(s, y)
    at = np.concatenate((s, np.linspace(-60, 60, 37)))
    np.testing.assert_allclose(fit_calibration(y, s, "isotonic").apply(at), theirs.predict(at), atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@given(rows=labelled_scores)
@settings(max_examples=40)
def test_maps_stay_between_the_smoothed_targets_and_swap_no_ranks(method, rows):
    y, s = columns(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = fit_calibration(y, s, method)
        probability = fitted.apply(np.sort(s))
    assert np.isfinite(probability).all()
    assert ((probability >= 0) & (probability <= 1)).all()
    if method == "platt" and fitted.slope < 0:
        probability = probability[::-1]
    assert (np.diff(probability) >= -1e-15).all()
    if method == "isotonic":
        assert np.isfinite(log_loss(y, fitted.apply(s), labels=[0, 1]))
        assert probability.min() >= 1 / (len(y) + 2)


@pytest.mark.parametrize("method", METHODS)
@given(rows=labelled_scores)
@settings(max_examples=25)
def test_maps_survive_a_json_file_and_any_order(method, rows):
    y, s = columns(rows)
    fitted = fit_calibration(y, s, method)
    restored = CalibrationMap.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert restored == fitted
    np.testing.assert_array_equal(restored.apply(s), fitted.apply(s))
    order = np.random.default_rng(0).permutation(y.size)
    again = fit_calibration(y[order], s[order], method)
    np.testing.assert_allclose(again.apply(s), fitted.apply(s), atol=1e-6)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_separable_constant_few_and_extreme_data_have_defined_results(method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        separable = fit_calibration([0] * 20 + [1] * 20, np.arange(40) - 19.5, method)
        ends = separable.apply([-19.5, 19.5])
        constant = fit_calibration([0, 0, 0, 1], [7.0] * 4, method).apply([7.0])
        few = fit_calibration([0] * 30 + [1], [*np.linspace(-3, 2, 30), 1.5], method).apply([-5.0, 5.0])
        far = fit_calibration([0, 1, 0, 1], [-1e6, 1e6, -1.0, 2.0], method).apply([-1e9, 0.0, 1e9])
    assert 0 < ends[0] < 0.06
    assert 0.94 < ends[1] < 1
    assert 0.2 < constant[0] < 0.6 or method == "temperature"
    assert few[0] <= few[1]
    assert np.isfinite(far).all()


def test_a_reversed_score_gets_no_help_from_rising_maps():
    y, s = [1, 1, 1, 0, 0, 0], [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]
    assert fit_calibration(y, s, "temperature").temperature == np.inf
    for method in ("temperature", "beta", "isotonic"):
        assert fit_calibration(y, s, method).apply(s) == pytest.approx([0.5] * 6)


WORLDS = {
    "tempered": lambda s: expit(0.4 * s),
    "shifted": lambda s: expit(0.6 * s - 1),
    "bent": lambda s: expit(0.1 * log_expit(s) - 2 * log_expit(-s) - 1),
    "stepped": lambda s: np.where(s > 1, 0.9, np.where(s > -1, 0.5, 0.02)),
}


@pytest.mark.parametrize("world", WORLDS)
def test_auto_is_near_the_best_map_on_new_data(world):
    rng = np.random.default_rng(3)
    s, new = rng.normal(0, 2, 3000), rng.normal(0, 2, 20_000)
    y, chance = rng.random(3000) < WORLDS[world](s), WORLDS[world](new)
    losses = {method: cross_entropy(chance, fit_calibration(y, s, method).apply(new)) for method in METHODS}
    chosen = fit_calibration(y, s, "auto")
    assert (
        losses[chosen.method] / 20_000 <= min(losses.values()) / 20_000 + 1e-3
    )  # two parameters cost about 3e-4
    assert (chosen.method == "isotonic") == (world == "stepped")
    assert chosen.method not in ("platt", "temperature") or world != "bent"


def test_auto_is_seeded_and_holds_whole_groups_out():
    """Copies of a sample in another fold flatter the map that follows single samples, the isotonic one."""
    y, s = sample(40, 11)
    copies, patient = np.tile(y, 25), np.tile(np.arange(40), 25)
    scores = np.tile(s, 25)
    assert fit_calibration(copies, scores, "auto", seed=1) == fit_calibration(copies, scores, "auto", seed=1)
    assert isinstance(fit_calibration(copies, scores, "auto"), IsotonicMap)
    assert not isinstance(fit_calibration(copies, scores, "auto", groups=patient), IsotonicMap)


def test_auto_without_two_groups_of_a_class_is_platt():
    assert isinstance(fit_calibration([0, 0, 0, 1], [0.0, 1.0, 2.0, 3.0], "auto"), PlattMap)
    one_patient = fit_calibration([0, 1, 0, 1], [0.0, 1.0, 2.0, 3.0], "auto", groups=["a"] * 4)
    assert isinstance(one_patient, PlattMap)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_calibration([0, 1], [0, 1], "sigmoid"), "platt, temperature, beta, isotonic, auto, got"),
        (lambda: fit_calibration([1, 1], [0, 1]), "both classes"),
        (lambda: fit_calibration([0, 1], [0, 1], "auto", groups=["a"]), "groups needs the shape"),
        (lambda: CalibrationMap.from_dict({"method": "spline"}), "got 'spline'"),
        (lambda: CalibrationMap.from_dict({"slope": 1.0}), "got None"),
        (lambda: CalibrationMap.from_dict({"method": "platt", "a": 1}), "platt has slope, intercept, got a"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
