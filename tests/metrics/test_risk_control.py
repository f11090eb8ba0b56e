"""The finite-sample guarantee of controlled thresholds, by exact probability and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom, norm

from medauc.metrics import clopper_pearson_interval, controlled_threshold
from medauc.metrics.risk_control import ControlledThreshold


def test_fewer_than_59_positives_cannot_promise_95_with_95():
    y, s = [1] * 58 + [0] * 5, np.arange(63.0)
    refused = controlled_threshold(y, s)
    assert refused.threshold is None
    assert (refused.cases, refused.cases_needed) == (58, 59)
    assert "takes 59 positives at least, there are 58" in refused.reason
    enough = controlled_threshold([1] * 59, np.arange(59.0))
    assert enough == ControlledThreshold(0.0, 59, 59, 0, None)


@pytest.mark.parametrize(("confidence", "cases"), [(0.95, 59), (0.99, 90), (0.5, 14), (None, 19)])
def test_the_stated_number_of_cases_is_the_least_that_does(confidence, cases):
    for n in (cases - 1, cases):
        found = controlled_threshold([1] * n, np.arange(float(n)), confidence=confidence)
        assert found.cases_needed == cases
        assert (found.threshold is not None) == (n == cases)


@given(st.integers(1, 400), st.sampled_from([0.7, 0.9, 0.95]), st.sampled_from([0.8, 0.95]))
def test_it_is_the_last_order_statistic_with_the_exact_probability(n, wanted, confidence):
    """For continuous scores the sensitivity at the k-th smallest positive is Beta(n - k + 1, k)."""
    found = controlled_threshold([1] * n, np.arange(float(n)), wanted, confidence=confidence)
    holds = beta.sf(wanted, n - np.arange(1, n + 1) + 1, np.arange(1, n + 1)) >= confidence
    if found.threshold is None:
        assert not holds[0]
    else:
        assert holds[found.misses]
        assert found.misses + 1 == n or not holds[found.misses + 1]
        assert found.threshold == found.misses


@given(st.integers(59, 400))
def test_the_lower_clopper_pearson_bound_holds_and_would_not_with_one_miss_more(n):
    misses = controlled_threshold([1] * n, np.arange(float(n))).misses
    low, _ = clopper_pearson_interval([n - misses, n - misses - 1], n, 0.90)  # one-sided 95%
    assert low[0] >= 0.95 > low[1]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=1, max_size=80), st.randoms())
def test_specificity_mirrors_sensitivity(rows, random):
    y, s = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = controlled_threshold(y, s, 0.8, "specificity", 0.9)
    mirrored = controlled_threshold(1 - y, -s, 0.8, "sensitivity", 0.9)
    assert (found.cases, found.cases_needed, found.misses) == (
        mirrored.cases,
        mirrored.cases_needed,
        mirrored.misses,
    )
    if found.threshold is None:
        assert mirrored.threshold is None
    else:
        np.testing.assert_array_equal(s >= found.threshold, s > -mirrored.threshold)
    order = random.sample(range(len(rows)), len(rows))
    assert controlled_threshold(y[order], s[order], 0.8, "specificity", 0.9) == found


@pytest.mark.parametrize("rate", ["sensitivity", "specificity"])
@pytest.mark.parametrize("steps", [None, 8], ids=["continuous", "tied"])
def test_the_promise_holds_in_at_least_95_of_100_validation_sets(rate, steps):
    rng, sets, cases = np.random.default_rng(13), 2000, 100
    kept = 0
    for _ in range(sets):
        s = rng.normal(size=cases)
        s = s if steps is None else np.round(s * steps) / steps
        y = np.full(cases, int(rate == "sensitivity"))
        threshold = controlled_threshold(y, s, 0.9, rate).threshold
        kept += true_rate(threshold, rate, steps) >= 0.9
    exact = binom.sf(controlled_threshold(y, s, 0.9, rate).misses, cases, 0.1)  # for continuous scores
    assert exact >= 0.95
    low = exact - 4 * (exact * (1 - exact) / sets) ** 0.5
    assert kept / sets >= low
    assert steps is not None or kept / sets <= exact + 4 * (exact * (1 - exact) / sets) ** 0.5


def true_rate(threshold, rate, steps):
    """Rate over standard normal scores, rounded to multiples of 1/steps if given."""
    edge = threshold if steps is None else (np.ceil(threshold * steps - 1e-9) - 0.5) / steps
    return norm.sf(edge) if rate == "sensitivity" else norm.cdf(edge)


def test_on_average_the_rate_is_kept_with_fewer_cases():
    rng, cases = np.random.default_rng(14), 40
    rates = []
    for _ in range(4000):
        found = controlled_threshold(np.ones(cases), rng.normal(size=cases), 0.9, confidence=None)
        rates.append(norm.sf(found.threshold))
    assert found.misses == 3
    # The expectation is 1 - 4 / 41, and at most one part in 41 above what is wanted.
    assert np.mean(rates) == pytest.approx(1 - 4 / 41, abs=4 * np.std(rates) / 4000**0.5)
    assert 0.9 <= 1 - 4 / 41


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at_least": 1.0}, "at_least must lie between 0 and 1"),
        ({"confidence": 0.0}, "confidence must lie between 0 and 1"),
        ({"rate": "ppv"}, "'sensitivity' or 'specificity', got 'ppv'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        controlled_threshold([0, 1], [0.0, 1.0], **arguments)
