"""Decision curves against dcurves, identities and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from medauc.metrics import confusion_counts, net_benefit

predictions = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.floats(0, 1))),
    min_size=2,
    max_size=50,
).filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))
THRESHOLDS = [0.0, 0.05, 0.2, 0.5, 0.9]


@pytest.mark.parametrize(("key", "prevalence"), [("net_benefit", None), ("net_benefit_at_3_percent", 0.03)])
def test_equals_dcurves(key, prevalence, statsmodels_dcurves):
    data = statsmodels_dcurves
    curve = net_benefit(data["target"], data["probability"], data["thresholds"], prevalence)
    np.testing.assert_allclose(curve.net_benefit, data[key]["p"], atol=1e-12)
    np.testing.assert_allclose(curve.treat_all, data[key]["all"], atol=1e-12)
    assert set(data[key]["none"]) == {0.0}


@given(predictions)
def test_equals_counting(rows):
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    curve = net_benefit(y, p, THRESHOLDS)
    for threshold, value in zip(THRESHOLDS, curve.net_benefit, strict=True):
        counts = confusion_counts(y, p, threshold)
        assert value == pytest.approx((counts.tp - counts.fp * threshold / (1 - threshold)) / y.size)
    stated = net_benefit(y, p, THRESHOLDS, prevalence=y.mean())
    np.testing.assert_allclose(stated.net_benefit, curve.net_benefit, atol=1e-12)


@given(predictions, st.sampled_from([None, 0.1]))
def test_bounds_hold_the_curve_and_scales_agree(rows, prevalence):
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    curve = net_benefit(y, p, THRESHOLDS, prevalence)
    assert (curve.low <= curve.net_benefit + 1e-12).all()
    assert (curve.net_benefit <= curve.high + 1e-12).all()
    np.testing.assert_allclose(curve.standardized * curve.prevalence, curve.net_benefit, atol=1e-12)
    assert (curve.standardized_low <= curve.standardized + 1e-12).all()
    assert (curve.standardized <= curve.standardized_high + 1e-12).all()
    assert (curve.standardized <= 1 + 1e-12).all()
    if prevalence is not None:  # known, so the two bands are one
        np.testing.assert_allclose(curve.standardized_low * prevalence, curve.low, atol=1e-9)


@given(predictions, st.integers(2, 4), st.randoms())
def test_copies_keep_the_curve_and_narrow_the_band(rows, copies, random):
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    plain, repeated = (
        net_benefit(y, p, THRESHOLDS),
        net_benefit(np.tile(y, copies), np.tile(p, copies), THRESHOLDS),
    )
    np.testing.assert_allclose(repeated.net_benefit, plain.net_benefit, atol=1e-12)
    order = random.sample(range(len(rows)), len(rows))
    np.testing.assert_array_equal(net_benefit(y[order], p[order], THRESHOLDS).low, plain.low)
    assert (repeated.high - repeated.low <= plain.high - plain.low + 1e-9).all()


def test_calling_everyone_is_treat_all_and_no_one_is_nothing():
    y = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(net_benefit(y, np.ones(4)).net_benefit, net_benefit(y, np.ones(4)).treat_all)
    assert not net_benefit(y, np.zeros(4)).net_benefit.any()
    assert (net_benefit(y, np.zeros(4)).high > 0).all()  # four samples prove nothing
    assert net_benefit(y, np.zeros(4)).threshold.size == 99


@pytest.mark.parametrize(("n", "share", "stated"), [(100, 0.3, None), (200, 0.2, 0.02)])
def test_band_covers_pointwise(n, share, stated):
    """Binormal scores with their true posterior: the net benefit is known in closed form."""
    d, thresholds = 1.4, np.array([0.02, 0.1, 0.3, 0.5])
    logit = np.log(thresholds / (1 - thresholds))
    cut = (logit - np.log(share / (1 - share))) / d + d / 2
    world = share if stated is None else stated
    odds = thresholds / (1 - thresholds)
    truth = world * norm.sf(cut - d) - (1 - world) * odds * norm.sf(cut)
    rng, draws = np.random.default_rng(15), 500
    hits = np.zeros((2, 4))
    for _ in range(draws):
        y = (rng.random(n) < share).astype(int)
        if stated is not None:
            y = np.arange(n) < share * n  # sampled by class
        s = rng.normal(size=n) + d * y
        curve = net_benefit(y, expit(np.log(share / (1 - share)) + d * s - d * d / 2), thresholds, stated)
        hits[0] += (curve.low <= truth) & (truth <= curve.high)
        scaled = truth / world
        hits[1] += (curve.standardized_low <= scaled) & (scaled <= curve.standardized_high)
    assert (hits / draws >= 0.91).all()
    assert (hits / draws <= 0.99).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.5, 1.2]), r"probabilities must lie in \[0, 1\]"),
        (([0, 1], [0.5, 0.2], [1.0]), r"thresholds must lie in \[0, 1\)"),
        (([0, 1], [0.5, 0.2], [[0.5]]), "have the shape"),
        (([0, 1], [0.5, 0.2], [0.5], 0.0), "prevalence must lie"),
        (([0, 1], [0.5, 0.2], [0.5], None, 2.0), "level must lie"),
        (([1, 1], [0.5, 0.2]), "both classes"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        net_benefit(*arguments)
