"""Differences between methods over seeds: identities with what is known, and how often the interval holds the truth."""

import numpy as np
import pytest
from scipy import stats

from medauc.metrics import delong_tests, seed_difference


def draw(rng, seeds=4, cases=60, shift=1.0):
    target = np.repeat([0, 1], [cases * 2 // 3, cases // 3])
    return target, rng.normal(size=(seeds, cases)) + shift * target


def test_equal_seeds_give_delongs_variance_and_normal_quantiles():
    """Where seeds do not differ at all, only the cases vary, and their paired covariance is DeLong's."""
    rng = np.random.default_rng(0)
    target, one = draw(rng, seeds=1)
    other = one + rng.normal(size=one.shape)
    found = seed_difference(target, np.repeat(one, 3, axis=0), np.repeat(other, 3, axis=0))
    expected = delong_tests(target, np.concatenate((one, other)))
    assert found.difference.value == pytest.approx(expected.difference[0])
    assert (found.difference.low, found.difference.high) == pytest.approx((expected.low[0], expected.high[0]))
    assert found.p == pytest.approx(expected.p[0])
    assert np.isinf(found.degrees)


def test_many_cases_leave_the_paired_t_test_of_the_seeds():
    rng = np.random.default_rng(1)
    target = np.repeat([0, 1], 20_000)
    quality = rng.normal(1.0, 0.5, size=(2, 5, 1))
    one, other = rng.normal(size=(2, 5, target.size)) + quality * target
    found = seed_difference(target, one, other)
    expected = stats.ttest_1samp(found.differences, 0.0)
    assert found.p == pytest.approx(expected.pvalue, rel=0.02)
    assert found.difference.low == pytest.approx(expected.confidence_interval().low, abs=2e-3)


def test_swapping_the_methods_turns_the_sign():
    rng = np.random.default_rng(2)
    target, one = draw(rng)
    _, other = draw(rng)
    there, back = seed_difference(target, one, other), seed_difference(target, other, one)
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert back.difference.low == pytest.approx(-there.difference.high)
    assert back.p == pytest.approx(there.p)


def test_a_label_beside_itself_changes_nothing():
    rng = np.random.default_rng(3)
    target, one = draw(rng)
    _, other = draw(rng)
    single = seed_difference(target, one, other)
    double = seed_difference(
        np.column_stack((target, target)), np.stack((one, one), axis=-1), np.stack((other, other), axis=-1)
    )
    assert tuple(double.difference) == pytest.approx(tuple(single.difference))


def test_the_interval_holds_the_truth():
    """Seeds of different quality, cases shared by all: 95% in 400 draws, give or take."""
    rng = np.random.default_rng(4)
    held = []
    for _ in range(400):
        target = np.repeat([0, 1], [80, 40])
        cases = rng.normal(size=target.size)  # how easy each case is, for every network
        quality = rng.normal(1.2, 0.15, size=(2, 5, 1))
        scores = cases + rng.normal(size=(2, 5, target.size)) + quality * target
        found = seed_difference(target, *scores)
        held.append(found.difference.low <= 0.0 <= found.difference.high)
    assert 0.92 <= np.mean(held) <= 0.99


def test_nothing_varies():
    target, scores = [0, 0, 1, 1], [[1.0, 2, 3, 4]] * 2
    same = seed_difference(target, scores, scores)
    assert tuple(same.difference) == (0.0, 0.0, 0.0)
    assert same.p == 1.0
    reverse = seed_difference(target, scores, [[4.0, 3, 2, 1]] * 2)
    assert reverse.difference.value == 1.0
    assert 0 < reverse.p <= 1.0


@pytest.mark.parametrize("shapes", [((1, 4), (1, 4)), ((2, 4), (3, 4)), ((2, 5), (2, 5)), ((4,), (4,))])
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match="both methods need scores"):
        seed_difference([0, 0, 1, 1], *map(np.zeros, shapes))
