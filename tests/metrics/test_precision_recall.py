"""Average precision against scikit-learn; its interval against resampling; its bound against search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn import metrics as sklearn_metrics

from medauc.metrics import (
    average_precision,
    average_precision_interval,
    least_average_precision,
    precision_recall_curve,
    roc_auc,
)

labelled_scores = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
)


@given(labelled_scores)
@settings(deadline=None)
def test_equals_scikit_learn(rows):
    y, s = (list(column) for column in zip(*rows, strict=True))
    assert average_precision(y, s) == pytest.approx(sklearn_metrics.average_precision_score(y, s), abs=1e-12)
    precision, recall, threshold = sklearn_metrics.precision_recall_curve(y, s)
    ours = precision_recall_curve(y, s)
    np.testing.assert_allclose(ours[0][::-1], precision[:-1])
    np.testing.assert_allclose(ours[1][::-1], recall[:-1])
    np.testing.assert_allclose(ours[2][::-1], threshold)


def test_interval_equals_that_of_plain_stratified_resampling():
    rng = np.random.default_rng(0)
    y = np.arange(150) < 40
    s = np.round(y + rng.normal(size=150), 1)  # with ties, within and between classes
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    drawn = []
    for _ in range(1500):
        rows = np.concatenate((rng.choice(positive, 40), rng.choice(negative, 110)))
        drawn.append(sklearn_metrics.average_precision_score(y[rows], s[rows]))
    value, low, high = average_precision_interval(y, s, replicates=3000)
    assert value == pytest.approx(sklearn_metrics.average_precision_score(y, s))
    assert (low, high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.012)


def test_interval_is_seeded():
    y, s = [0, 1] * 20, np.random.default_rng(4).normal(size=40)
    assert average_precision_interval(y, s) == average_precision_interval(y, s)
    assert average_precision_interval(y, s, seed=1) != average_precision_interval(y, s, seed=2)


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
@settings(deadline=None)
def test_no_sample_beats_the_bound_by_more_than_its_own_step(rows):
    """The bound is for continuous curves; a finite sample may fall short of it by 1/positives."""
    y = np.array([row[0] for row in rows])
    s = np.array([row[1] for row in rows]) + np.linspace(0, 0.5, len(rows))
    bound = least_average_precision(roc_auc(y, s), y.mean())
    assert average_precision(y, s) >= bound - 1 / y.sum()
