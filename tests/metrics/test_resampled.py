"""The mean over overlapping splits: against the paper's formula, and on trainings whose truth is known."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from medauc.metrics import resampled_mean


def test_it_is_the_t_interval_whose_variance_counts_the_overlap():
    values = np.random.default_rng(0).normal(0.8, 0.03, 12)
    naive = student.interval(0.9, 11, values.mean(), values.std(ddof=1) / math.sqrt(12))
    found = resampled_mean(values, test_ratio=1e-12, level=0.9)
    assert found == pytest.approx((values.mean(), *naive))
    wider = resampled_mean(values, test_ratio=0.25, level=0.9)
    assert (wider.high - wider.low) / (found.high - found.low) == pytest.approx(math.sqrt(1 + 12 * 0.25))


def test_it_holds_the_truth_where_the_usual_interval_does_not():
    """A mean is learned from a random 9/10 of 50 numbers, and judged by its squared error on the rest."""
    rng = np.random.default_rng(1)
    truth, held, naive = 1 + 1 / 45, 0, 0
    for _ in range(300):
        data, losses = rng.normal(size=50), []
        for _ in range(10):
            order = rng.permutation(50)
            losses.append(float(np.mean((data[order[:5]] - data[order[5:]].mean()) ** 2)))
        low, high = resampled_mean(losses, 5 / 45)[1:]
        held += low <= truth <= high
        low, high = resampled_mean(losses, 1e-12)[1:]
        naive += low <= truth <= high
    assert held / 300 > 0.9
    assert naive / 300 < 0.88


def test_one_split_has_no_interval_and_none_is_refused():
    mean, low, high = resampled_mean([0.7], 0.1)
    assert mean == 0.7
    assert math.isnan(low)
    assert math.isnan(high)
    for values, ratio in (([], 0.1), ([math.nan], 0.1), ([0.7], 0.0), ([[0.7]], 0.1)):
        with pytest.raises(ValueError, match="needs finite values"):
            resampled_mean(values, ratio)
