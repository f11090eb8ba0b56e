"""Average precision against scikit-learn; its interval against resampling; its bound against search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student
from sklearn import metrics as sklearn_metrics

from medauc.metrics import (
    average_precision,
    average_precision_baseline,
    average_precision_influence,
    average_precision_interval,
    least_average_precision,
    precision_recall_curve,
    roc_auc,
)

labelled_scores = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
)


@given(labelled_scores)
def test_equals_scikit_learn(rows):
    y, s = (list(column) for column in zip(*rows, strict=True))
    assert average_precision(y, s) == pytest.approx(sklearn_metrics.average_precision_score(y, s), abs=1e-12)
    precision, recall, threshold = sklearn_metrics.precision_recall_curve(y, s)
    ours = precision_recall_curve(y, s)
    np.testing.assert_allclose(ours[0][::-1], precision[:-1])
    np.testing.assert_allclose(ours[1][::-1], recall[:-1])
    np.testing.assert_allclose(ours[2][::-1], threshold)


@given(labelled_scores)
def test_influences_are_the_limit_of_leaving_a_share_of_a_sample_out(rows):
    """Against a numerical derivative: every sample counts once, one of them a little more."""
    y, s = np.array([row[0] for row in rows]) == 1, np.array([row[1] for row in rows], dtype=float)
    m, n = y.sum(), (~y).sum()
    if min(m, n) < 2:
        return

    def weighted(weights):
        """Of rates, since prevalence is given: each class is scaled back to its size."""
        w = np.where(y, weights * m / weights[y].sum(), weights * n / weights[~y].sum())
        called = s[None, :] >= s[y][:, None]
        return np.average((w * called * y).sum(axis=1) / (w * called).sum(axis=1), weights=w[y])

    step = 1e-5
    slopes = [(weighted(1 + step * e) - weighted(1 - step * e)) / (2 * step) for e in np.eye(y.size)]
    expected = np.array(slopes) * np.where(y, np.sqrt(m / (m - 1)), np.sqrt(n / (n - 1)))
    np.testing.assert_allclose(average_precision_influence(y, s), expected, atol=1e-8)


def test_standard_error_equals_that_of_stratified_resampling():
    rng = np.random.default_rng(0)
    y = np.arange(300) < 90
    s = np.round(y + rng.normal(size=300), 1)  # with ties, within and between classes
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    drawn = []
    for _ in range(800):
        rows = np.concatenate((rng.choice(positive, 90), rng.choice(negative, 210)))
        drawn.append(sklearn_metrics.average_precision_score(y[rows], s[rows]))
    error = np.linalg.norm(average_precision_influence(y, s))
    assert error == pytest.approx(np.std(drawn), rel=0.1)
    value, low, high = average_precision_interval(y, s)
    half = student.ppf(0.975, 89) * error / (value * (1 - value))
    assert (low, high) == pytest.approx(tuple(expit(logit(value) + np.array([-half, half]))))


def test_groups_of_copies_give_the_interval_of_one_copy():
    rng = np.random.default_rng(1)
    y = np.arange(60) < 20
    s = y + rng.normal(size=60)
    copied = average_precision_interval(np.tile(y, 3), np.tile(s, 3), groups=np.tile(np.arange(60), 3))
    assert copied == pytest.approx(average_precision_interval(y, s), rel=0.02)  # up to m/(m-1) factors


def test_interval_covers(binormal):
    rng = np.random.default_rng(2)
    m, n, distance = 50, 150, norm.ppf(0.85) * 2**0.5

    def precision(t):
        true, false = m * norm.sf(t), n * norm.sf(t + distance)
        return norm.pdf(t) * true / (true + false)

    truth, hits = quad(precision, -9, 9)[0], 0
    for _ in range(300):
        _, low, high = average_precision_interval(*binormal(rng, m, n, 0.85))
        hits += low <= truth <= high
    assert 0.91 <= hits / 300 <= 0.985


def test_baseline_is_what_a_useless_score_tends_to():
    y = np.arange(40_000) < 4000
    assert average_precision_baseline(y) == 0.1
    assert average_precision(y, np.random.default_rng(3).normal(size=y.size)) == pytest.approx(0.1, abs=0.01)


def test_perfect_ranking_does_not_claim_certainty():
    value, low, high = average_precision_interval([0] * 30 + [1] * 30, list(range(60)))
    assert (value, high) == (1.0, 1.0)
    assert 0.5 < low < 0.9


@pytest.mark.parametrize(("auc", "prevalence"), [(0.95, 0.3), (0.8, 0.5), (0.6, 0.05), (1.0, 0.2)])
def test_least_average_precision_is_the_minimum_over_all_curves(auc, prevalence):
    u = (np.arange(60) + 0.5) / 60

    def ap(f):
        return np.mean(prevalence * u / (prevalence * u + (1 - prevalence) * f))

    found = minimize(
        ap,
        np.full(60, 1 - auc),
        bounds=[(0, None)] * 60,
        constraints={"type": "eq", "fun": lambda f: f.mean() - (1 - auc)},
        options={"maxiter": 500},
    )
    assert found.fun == pytest.approx(least_average_precision(auc, prevalence), abs=0.01)


@given(labelled_scores)
def test_no_sample_beats_the_bound_by_more_than_its_own_step(rows):
    """The bound is for continuous curves; a finite sample may fall short of it by 1/positives."""
    y = np.array([row[0] for row in rows])
    s = np.array([row[1] for row in rows]) + np.linspace(0, 0.5, len(rows))
    bound = least_average_precision(roc_auc(y, s), y.mean())
    assert average_precision(y, s) >= bound - 1 / y.sum()
