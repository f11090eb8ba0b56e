"""Brier score, its parts and its skill, and log loss: scikit-learn, identities, simulated coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from medauc.metrics import (
    brier_decomposition,
    brier_interval,
    brier_score,
    brier_skill,
    log_loss_interval,
)

predictions = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))),
    min_size=1,
    max_size=50,
)


def test_brier_equals_scikit_learn():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.random(50)
    assert brier_score(y, p) == pytest.approx(brier_score_loss(y, p))
    assert brier_interval(y, p)[0] == pytest.approx(brier_score_loss(y, p))


def test_brier_interval_covers():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        p = rng.random(150)
        _, low, high = brier_interval(rng.random(150) < p, p)
        hits += low <= 1 / 6 <= high  # E[p (1 - p)] for uniform p
    assert 0.92 <= hits / 400 <= 0.98


@given(predictions, st.integers(1, 12))
def test_parts_add_up_to_the_score(rows, bins):
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    parts = brier_decomposition(y, p, bins)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bins
    assert total == pytest.approx(parts.brier, abs=1e-12)
    assert parts.brier == pytest.approx(brier_score(y, p), abs=1e-15)
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0


def test_parts_of_repeated_probabilities_are_murphys():
    p = np.repeat([0.1, 0.4, 0.8], 40)
    y = np.r_[np.arange(40) < 8, np.arange(40) < 14, np.arange(40) < 36].astype(int)
    observed, mean = np.array([0.2, 0.35, 0.9]), y.mean()
    parts = brier_decomposition(y, p, bins=3)
    assert parts.reliability == pytest.approx(np.square(observed - [0.1, 0.4, 0.8]).mean())
    assert parts.resolution == pytest.approx(np.square(observed - mean).mean())
    assert parts.uncertainty == pytest.approx(mean * (1 - mean))
    assert parts.within_bins == pytest.approx(0, abs=1e-15)


@given(predictions.filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows)))
@settings(max_examples=40)
def test_log_loss_equals_scikit_learn_and_both_ignore_which_class_is_positive(rows):
    y, p = (np.array(column) for column in zip(*rows, strict=True))
    assert log_loss_interval(y, p).value == pytest.approx(log_loss(y, p))
    # 1 - p rounds, which a probability near 0 shows.
    assert log_loss_interval(1 - y, np.round(1 - p, 6)).value == pytest.approx(
        log_loss_interval(y, 1 - np.round(1 - p, 6)).value, rel=1e-6
    )
    assert brier_skill(1 - y, 1 - p) == pytest.approx(brier_skill(y, p), abs=1e-9)


def test_skill_of_the_prevalence_is_zero_and_of_an_oracle_one():
    y = np.array([0, 0, 0, 1] * 10)
    assert brier_skill(y, [0.25] * 40).value == pytest.approx(0)
    assert brier_skill(y, y) == (1.0, 1.0, 1.0)
    assert not brier_skill([1, 1], [0.5, 0.5]).is_defined


def test_one_sample_gets_no_false_certainty():
    assert brier_interval([1], [0.9]) == (pytest.approx(0.01), 0.0, 1.0)
    assert log_loss_interval([1], [0.5])[1:] == (0.0, np.inf)


def test_skill_and_log_loss_intervals_cover():
    rng = np.random.default_rng(4)

    def draw(size):
        z = rng.normal(-1, 1.2, size)
        return rng.random(size) < expit(0.4 + 0.7 * z), expit(z)

    y, p = draw(1_000_000)
    truth = brier_skill(y, p).value, log_loss_interval(y, p).value
    hits = np.zeros(2)
    for _ in range(400):
        y, p = draw(200)
        for index, found in enumerate((brier_skill(y, p), log_loss_interval(y, p))):
            hits[index] += found.low <= truth[index] <= found.high
    assert (hits / 400 >= 0.915).all()
    assert (hits / 400 <= 0.98).all()


def test_probabilities_are_checked():
    for probability in ([0.5, 1.2], [0.5, np.nan], [-0.1, 0.5]):
        with pytest.raises(ValueError, match=r"probabilities must lie|not finite"):
            brier_score([0, 1], probability)
