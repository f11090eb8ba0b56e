"""McNemar's exact test and Newcombe's interval, also where samples share a patient."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from medauc.metrics import clustered_proportion, paired_proportions


def calls(both, only_first, only_second, none):
    first = [1] * (both + only_first) + [0] * (only_second + none)
    second = [1] * both + [0] * only_first + [1] * only_second + [0] * none
    return np.array(first), np.array(second)


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [  # Newcombe, Stat. Med. 17 (1998) 2635-2650, table II, method 10
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
        ((18, 12, 2, 18), 0.0562, 0.3290),
    ],
)
def test_interval_as_published(cells, low, high):
    found = paired_proportions(*calls(*cells)).difference
    assert found.value == pytest.approx((cells[1] - cells[2]) / sum(cells))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


@given(*(st.integers(0, 60) for _ in range(4)))
@settings(max_examples=60)
def test_interval_is_newcombes_formula(e, f, g, h):
    """Written out as in the paper, section 2, with SciPy's Wilson intervals."""
    n = e + f + g + h
    if n == 0:
        return
    (low1, high1), (low2, high2) = (binomtest(k, n).proportion_ci(method="wilson") for k in (e + f, e + g))
    p1, p2 = (e + f) / n, (e + g) / n
    product_of_margins = (e + f) * (g + h) * (e + g) * (f + h)
    surplus = e * h - f * g
    phi = (
        (max(surplus - n / 2, 0) if surplus > 0 else surplus) / product_of_margins**0.5
        if product_of_margins
        else 0
    )
    down, up, down2, up2 = p1 - low1, high1 - p1, p2 - low2, high2 - p2
    delta = np.sqrt(max(down**2 - 2 * phi * down * up2 + up2**2, 0))
    epsilon = np.sqrt(max(up**2 - 2 * phi * up * down2 + down2**2, 0))
    found = paired_proportions(*calls(e, f, g, h)).difference
    assert (found.low, found.high) == pytest.approx((p1 - p2 - delta, p1 - p2 + epsilon), abs=1e-9)


@given(*(st.integers(0, 40) for _ in range(4)))
@settings(max_examples=60)
def test_p_is_the_binomial_test_of_discordant_samples(both, only_first, only_second, none):
    if both + only_first + only_second + none == 0:
        return
    found = paired_proportions(*calls(both, only_first, only_second, none))
    assert (found.only_first, found.only_second) == (only_first, only_second)
    discordant = only_first + only_second
    expected = binomtest(only_first, discordant).pvalue if discordant else 1.0
    assert found.p == pytest.approx(expected, rel=1e-9)


@given(st.integers(0, 2**32), st.integers(1, 12), st.booleans())
@settings(max_examples=40)
def test_swapping_the_models_flips_signs_and_order_does_not_matter(seed, groups, grouped):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 2, (2, 24))
    names = rng.integers(0, groups, 24) if grouped else None
    found, swapped = paired_proportions(first, second, names), paired_proportions(second, first, names)
    assert swapped.p == pytest.approx(found.p)
    assert (swapped.difference.value, swapped.difference.low, swapped.difference.high) == pytest.approx(
        (-found.difference.value, -found.difference.high, -found.difference.low)
    )
    order = rng.permutation(24)
    again = paired_proportions(first[order], second[order], None if names is None else names[order])
    assert again.p == pytest.approx(found.p)
    assert tuple(again.difference) == pytest.approx(tuple(found.difference))


def test_groups_test_is_the_enumeration_of_all_signs():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 9, 40)
    first, second = rng.random(40) < 0.7, rng.random(40) < 0.4
    surplus = np.bincount(groups, first.astype(int) - second.astype(int))
    sums = np.array([np.dot(signs, surplus) for signs in product((-1, 1), repeat=9)])
    expected = (np.abs(sums) >= abs(surplus.sum())).mean()
    assert paired_proportions(first, second, groups).p == pytest.approx(expected)


def test_one_sample_a_group_is_the_plain_comparison():
    first, second = calls(20, 12, 2, 16)
    assert paired_proportions(first, second, np.arange(50)) == paired_proportions(first, second)


def test_copies_of_each_sample_add_nothing():
    """A patient whose samples are all alike counts once: about the same p and interval as one sample each."""
    first, second = calls(40, 18, 6, 36)
    copies, names = (np.repeat(side, 5) for side in (first, second)), np.repeat(np.arange(100), 5)
    alone, repeated = paired_proportions(first, second), paired_proportions(*copies, names)
    assert repeated.p == pytest.approx(alone.p)
    naive = paired_proportions(*(np.repeat(side, 5) for side in (first, second)))
    assert repeated.difference.low == pytest.approx(alone.difference.low, abs=0.01)
    assert naive.p < alone.p / 10


def test_shares_are_those_of_each_model():
    rng = np.random.default_rng(0)
    first, second, groups = rng.integers(0, 2, 60), rng.integers(0, 2, 60), rng.integers(0, 20, 60)
    found = paired_proportions(first, second, groups, level=0.9)
    assert found.first == clustered_proportion(first, groups, 0.9)
    assert found.second == clustered_proportion(second, groups, 0.9)


def test_type_one_error_and_coverage_with_patients_of_several_samples():
    """True difference 0, samples of a patient alike: rejections stay at 5%, intervals hold 0 in 95%."""
    rng, rejected, held, naive = np.random.default_rng(11), 0, 0, 0
    draws, patients, each = 600, 40, 4
    groups = np.repeat(np.arange(patients), each)
    for _ in range(draws):
        ease = rng.normal(0, 1.5, (2, patients))[:, groups]  # of a patient for each model
        first, second = rng.normal(size=(2, groups.size)) + ease > 0
        found = paired_proportions(first, second, groups)
        rejected += found.p <= 0.05
        held += found.difference.low <= 0 <= found.difference.high
        naive += paired_proportions(first, second).p <= 0.05
    assert 0.02 * draws < rejected < 0.075 * draws
    assert 0.92 * draws < held < 0.985 * draws
    assert naive > 0.10 * draws


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [([1, 0], [1], 0.95), ([2, 0], [1, 0], 0.95), ([1, 0], [1, 0], 1.0), ([], [], 0.95)],
)
def test_bad_input_is_refused(first, second, level):
    with pytest.raises(ValueError, match=r"shape|0 or 1|level|at least one"):
        paired_proportions(first, second, level=level)
