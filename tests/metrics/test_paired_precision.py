"""Interval of a difference of average precision."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from medauc.metrics import average_precision_difference


def draw(rng, positives=60, negatives=180, better=1.2):
    y = np.r_[np.ones(positives, int), np.zeros(negatives, int)]
    shared = rng.normal(size=y.size)
    return y, *(shared + rng.normal(size=y.size) + effect * y for effect in (better, 1.2))


def test_value_is_the_difference_and_swapping_flips_it():
    y, a, b = draw(np.random.default_rng(0), better=2.0)
    found, swapped = average_precision_difference(y, a, b), average_precision_difference(y, b, a)
    assert found.value == pytest.approx(average_precision_score(y, a) - average_precision_score(y, b))
    assert tuple(swapped) == pytest.approx((-found.value, -found.high, -found.low))
    assert average_precision_difference(y, a, a)[:] == (0.0, 0.0, 0.0)


def test_interval_agrees_with_a_bootstrap_within_classes():
    rng = np.random.default_rng(1)
    y, a, b = draw(rng, 150, 450, better=1.6)
    drawn = []
    for _ in range(400):
        rows = np.r_[rng.integers(0, 150, 150), rng.integers(150, 600, 450)]
        drawn.append(average_precision_score(y[rows], a[rows]) - average_precision_score(y[rows], b[rows]))
    found = average_precision_difference(y, a, b)
    assert (found.high - found.low) / 2 / 1.976 == pytest.approx(np.std(drawn), rel=0.15)


def test_equal_models_differ_by_zero_in_about_95_percent():
    rng, draws = np.random.default_rng(2), 500
    found = [average_precision_difference(*draw(rng)) for _ in range(draws)]
    assert 0.92 * draws < sum(one.low <= 0 <= one.high for one in found) < 0.98 * draws


def test_copies_in_a_group_add_nothing():
    y, a, b = draw(np.random.default_rng(3), better=1.5)
    alone = average_precision_difference(y, a, b)
    groups = np.repeat(np.arange(y.size), 4)
    copied = average_precision_difference(*(np.repeat(side, 4) for side in (y, a, b)), groups)
    assert copied.value == pytest.approx(alone.value, abs=0.01)  # ties among copies
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_too_few_cases_are_undefined():
    y, a, b = draw(np.random.default_rng(4), positives=4)
    assert not average_precision_difference(y, a, b).is_defined
    with pytest.raises(ValueError, match="level"):
        average_precision_difference(y, a, b, level=0.0)
