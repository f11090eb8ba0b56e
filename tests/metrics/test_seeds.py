"""Seeds as readers: the method of Obuchowski and Rockette written out, limits, coverage."""

import numpy as np
import pytest
from scipy.stats import norm

from medauc.metrics import (
    clustered_covariance,
    delong_covariance,
    delong_interval,
    hoeffding_interval,
    seed_interval,
)


def runs(rng, y, count, distance, wobble, shared=0.8):
    distances = distance + wobble * rng.normal(size=(count, 1))
    common = np.sqrt(shared) * rng.normal(size=y.size)
    return common + np.sqrt(1 - shared) * rng.normal(size=(count, y.size)) + distances * y


def test_parts_are_those_of_obuchowski_and_rockette():
    rng = np.random.default_rng(0)
    y = np.arange(300) < 100
    s = runs(rng, y, 5, 1.2, 0.3)
    result = seed_interval(y, s)
    aucs, covariance = delong_covariance(y, s)
    between = aucs.var(ddof=1)  # mean square of readers over cases' share
    shared = (covariance.sum() - np.trace(covariance)) / 20  # Cov2: mean covariance of two readers
    variance = between / 5 + shared
    assert result.aucs == pytest.approx(aucs)
    assert (result.auc.value, result.spread) == pytest.approx((aucs.mean(), between**0.5))
    assert result.seed_sd**2 / 5 + result.case_sd**2 == pytest.approx(variance)
    assert result.case_sd**2 == pytest.approx(covariance.mean())
    hillis = (between + 5 * shared) ** 2 / (between**2 / 4)
    assert result.degrees == pytest.approx(hillis)


def test_equal_runs_leave_the_interval_of_one():
    rng = np.random.default_rng(1)
    y = np.arange(120) < 50
    s = y + rng.normal(size=120)
    result = seed_interval(y, [s, np.exp(s), 2 * s])
    assert (result.spread, result.seed_sd) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert result.auc == pytest.approx(tuple(delong_interval(y, s)), abs=0.003)  # but for degrees of freedom


def test_never_narrower_than_the_cases_alone():
    rng = np.random.default_rng(2)
    y = np.arange(100) < 40
    s = runs(rng, y, 4, 1.0, 0.0, shared=0.0)
    result = seed_interval(y, s)
    _, covariance = delong_covariance(y, s)
    assert result.case_sd**2 == pytest.approx(covariance.mean())
    assert result.seed_sd >= 0.0


def test_groups_are_heeded():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 4)
    y = (np.arange(60) < 25)[groups]
    s = runs(rng, y, 3, 1.2, 0.1) + 1.5 * rng.normal(size=60)[groups]
    plain, grouped = seed_interval(y, s), seed_interval(y, s, groups=groups)
    assert grouped.auc.value == plain.auc.value
    assert grouped.case_sd**2 == pytest.approx(clustered_covariance(y, s, groups)[1].mean())
    assert grouped.auc.high - grouped.auc.low > plain.auc.high - plain.auc.low


def test_perfect_runs_claim_no_certainty():
    y = [0] * 15 + [1] * 12
    result = seed_interval(y, [np.arange(27), np.arange(27) ** 2])
    assert result.auc == (1.0, *hoeffding_interval(1.0, 12))


@pytest.mark.parametrize(("count", "wobble"), [(3, 0.0), (3, 0.15), (5, 0.4)])
def test_covers_the_mean_over_new_seeds_and_cases(count, wobble):
    rng = np.random.default_rng(4)
    y, distance = np.arange(250) < 80, 1.3
    truth = norm.cdf(distance / np.sqrt(2 + wobble**2))
    hits = one = 0
    for _ in range(250):
        s = runs(rng, y, count, distance, wobble)
        auc = seed_interval(y, s).auc
        hits += auc.low <= truth <= auc.high
        _, low, high = delong_interval(y, s[0])
        one += low <= truth <= high
    assert 0.91 <= hits / 250 <= 0.985
    if wobble == 0.4:
        assert one / 250 < 0.8


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="S of 2 or more"):
        seed_interval([0, 0, 1, 1], [[1, 2, 3, 4]])
    with pytest.raises(ValueError, match="level must lie"):
        seed_interval([0, 0, 1, 1], [[1, 3, 2, 4], [1, 2, 3, 4]], level=2)
