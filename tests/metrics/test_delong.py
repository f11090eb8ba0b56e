"""DeLong against its definition over all pairs, against known coverage, and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from medauc.metrics import (
    delong_influence,
    delong_interval,
    delong_test,
    delong_variance,
    hoeffding_interval,
    macro_auc_interval,
    roc_auc,
)

ordinal_scores = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=4, max_size=40).filter(
    lambda rows: 2 <= sum(y for y, _ in rows) <= len(rows) - 2
)


def kernel(y, s):
    difference = s[y][:, None] - s[~y][None, :]
    return (difference > 0) + 0.5 * (difference == 0)


def variance_over_pairs(y, *scores):
    """DeLong's covariance matrix straight from the structural components, in O(n^2)."""
    kernels = [kernel(y, s) for s in scores]
    v10 = np.array([k.mean(axis=1) for k in kernels])
    v01 = np.array([k.mean(axis=0) for k in kernels])
    return np.atleast_2d(np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1])


@given(ordinal_scores)
def test_equals_the_definition_over_all_pairs_with_ties(rows):
    y = np.array([row[0] for row in rows])
    s = np.array([row[1] for row in rows], dtype=float)
    assert roc_auc(y, s) == pytest.approx(kernel(y, s).mean(), abs=1e-14)
    assert delong_variance(y, s) == pytest.approx(variance_over_pairs(y, s)[0, 0], abs=1e-14)


def test_paired_test_equals_the_definition():
    rng = np.random.default_rng(3)
    y = rng.random(120) < 0.3
    a = y + rng.normal(size=120)
    b = np.round(a + rng.normal(size=120), 1)
    covariance = variance_over_pairs(y, a, b)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    z = (kernel(y, a).mean() - kernel(y, b).mean()) / error
    assert delong_test(y, a, b) == pytest.approx((z, 2 * norm.sf(abs(z))))
    assert delong_test(y, b, a)[0] == pytest.approx(-z)


def test_paired_test_of_equal_rankings_and_of_opposites():
    y = [0, 0, 1, 1, 0, 1]
    s = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0])
    assert delong_test(y, s, np.exp(s)) == (0.0, 1.0)
    z, p = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1])  # no variance: Hoeffding's bound
    assert p == pytest.approx(2 * np.exp(-1))
    assert z == pytest.approx(-norm.ppf(p / 2))


def test_rank_invariance_and_symmetry():
    rng = np.random.default_rng(0)
    y, s = rng.random(300) < 0.2, rng.normal(size=300)
    assert delong_variance(y, s) == delong_variance(y, np.exp(s))
    assert delong_variance(y, s) == pytest.approx(delong_variance(~y, s))
    auc, low, high = delong_interval(y, s)
    assert delong_interval(y, -s) == pytest.approx((1 - auc, 1 - high, 1 - low))


def test_float64_keeps_scores_apart_that_float32_would_merge():
    y, s = [0, 0, 1, 1], 1.0 + np.array([0.0, 1.0, 2.0, 3.0]) * 1e-12
    assert roc_auc(y, s) == 1.0


def test_interval_scales():
    rng = np.random.default_rng(1)
    y = np.arange(200) % 4 == 0
    s = y + rng.normal(size=200)
    auc, error = roc_auc(y, s), delong_variance(y, s) ** 0.5
    assert delong_interval(y, s, 0.9, "linear") == pytest.approx(
        (auc, auc - 1.6448536 * error, auc + 1.6448536 * error)
    )
    _, low, high = delong_interval(y, s, scale="logit")
    odds = auc / (1 - auc)
    assert low / (1 - low) * high / (1 - high) == pytest.approx(odds**2)  # symmetric on the logit scale


@pytest.mark.parametrize("auc", [0.75, 0.95])
def test_coverage_on_binormal_scores(auc):
    rng = np.random.default_rng(7)
    y = np.arange(300) < 60
    hits = 0
    for _ in range(400):
        s = rng.normal(size=300) + y * norm.ppf(auc) * 2**0.5
        _, low, high = delong_interval(y, s)
        hits += low <= auc <= high
    assert (
        binomtest(hits, 400).proportion_ci(0.999).high
        >= 0.95
        >= binomtest(hits, 400).proportion_ci(0.999).low
    )


@pytest.mark.parametrize("scale", ["logit", "linear"])
def test_perfect_ranking_gets_the_clopper_pearson_bound_of_disjoint_pairs(scale):
    y, s = [0] * 40 + [1] * 12, list(range(52))
    exact = binomtest(12, 12).proportion_ci(method="exact").low
    assert delong_variance(y, s) == 0.0
    assert delong_interval(y, s, scale=scale) == pytest.approx((1.0, exact, 1.0))
    assert delong_interval(y, [-x for x in s], scale=scale) == pytest.approx((0.0, 0.0, 1 - exact))


def test_constant_scores_do_not_claim_certainty():
    auc, low, high = delong_interval([0, 1] * 20, [3.0] * 40)
    assert auc == 0.5
    assert low < 0.3
    assert high > 0.7


@given(st.floats(0, 1), st.integers(1, 300))
def test_hoeffding_interval_holds_the_auc_and_solves_its_equation(auc, pairs):
    low, high = hoeffding_interval(auc, pairs)
    assert 0.0 <= low <= auc <= high <= 1.0
    slack = np.log(2 / 0.05) / pairs
    for bound in (low, high):
        if 1e-9 < bound < 1 - 1e-9 and 1e-9 < auc < 1 - 1e-9:
            divergence = auc * np.log(auc / bound) + (1 - auc) * np.log((1 - auc) / (1 - bound))
            assert divergence == pytest.approx(slack, rel=1e-5)


def test_hoeffding_interval_at_one_half_has_a_closed_form():
    low, high = hoeffding_interval(0.5, 20)
    expected = 0.5 - 0.5 * np.sqrt(1 - np.exp(-2 * np.log(40) / 20))
    assert (low, high) == pytest.approx((expected, 1 - expected))


def test_one_positive_gets_the_bound():
    assert delong_interval([0, 0, 0, 1], [1, 2, 4, 3])[1:] == hoeffding_interval(2 / 3, 1)
    with pytest.raises(ValueError, match="two samples of each class"):
        delong_variance([0, 0, 0, 1], [1, 2, 4, 3])


def test_macro_of_one_label_is_the_plain_interval():
    rng = np.random.default_rng(5)
    y, s = rng.integers(0, 2, 80), rng.normal(size=80)
    assert macro_auc_interval(y[:, None], s[:, None]) == delong_interval(y, s)


def test_macro_of_a_label_twice_is_not_narrower():
    rng = np.random.default_rng(5)
    y, s = rng.integers(0, 2, 80), rng.normal(size=80)
    twice = macro_auc_interval(np.column_stack((y, y)), np.column_stack((s, s)))
    assert twice == pytest.approx(delong_interval(y, s, scale="logit"))


def test_macro_leaves_unknown_targets_out():
    rng = np.random.default_rng(6)
    y, s = rng.integers(0, 2, (90, 2)), rng.normal(size=(90, 2))
    y[:30, 0] = -1
    auc, _, _ = macro_auc_interval(y, s)
    assert auc == pytest.approx((roc_auc(y[30:, 0], s[30:, 0]) + roc_auc(y[:, 1], s[:, 1])) / 2)


def test_macro_covers_with_correlated_labels():
    rng = np.random.default_rng(8)
    truth, hits = norm.cdf(1 / 2**0.5), 0
    for _ in range(300):
        shared = rng.normal(size=200)
        y = (0.7 * shared[:, None] + rng.normal(size=(200, 3)) > 0.8).astype(int)
        noise = 0.8 * rng.normal(size=200)[:, None] + 0.6 * rng.normal(size=(200, 3))
        _, low, high = macro_auc_interval(y, y + noise)
        hits += low <= truth <= high
    assert 0.91 <= hits / 300 <= 0.985


def test_influences_add_up_to_nothing_within_a_class():
    rng = np.random.default_rng(2)
    y, s = rng.random(70) < 0.4, rng.normal(size=70)
    influence = delong_influence(y, s)
    assert influence[y].sum() == pytest.approx(0, abs=1e-12)
    assert influence[~y].sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1, 1], [1.0, 2.0]), "one shape"),
        (([0, 1, 2], [1.0, 2.0, 3.0]), "0 or 1, found 2"),
        (([0, 1, 1], [1.0, np.nan, 3.0]), "1 of 3 scores are not finite"),
        (([1, 1, 1], [1.0, 2.0, 3.0]), "none of the 3 targets is negative"),
        (([], []), "none of the 0 targets"),
        (([0, 1], [1.0, 2.0], 1.5), "level must lie between 0 and 1"),
        (([0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0], 0.95, "probit"), "'logit' or 'linear'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        delong_interval(*arguments)
