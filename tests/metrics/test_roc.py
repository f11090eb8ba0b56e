"""ROC curve, AUC and partial AUC against scikit-learn and geometry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics as sklearn_metrics

from medauc.metrics import partial_auc, roc_auc, roc_band, roc_curve

labelled_scores = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.integers(-2, 2), st.floats(-1e6, 1e6))), min_size=2, max_size=60
).filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))


@given(labelled_scores)
def test_equals_scikit_learn(rows):
    y, s = (list(column) for column in zip(*rows, strict=True))
    assert roc_auc(y, s) == pytest.approx(sklearn_metrics.roc_auc_score(y, s), abs=1e-12)
    fpr, tpr, threshold = sklearn_metrics.roc_curve(y, s, drop_intermediate=False)
    for ours, theirs in zip(roc_curve(y, s), (fpr, tpr, threshold), strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_returns_plain_floats():
    assert type(roc_auc(np.array([0, 1]), np.array([0.0, 1.0], dtype=np.float32))) is float
    assert type(partial_auc([0, 1], [0, 1], max_fpr=0.5)) is float


def test_one_class_is_an_error():
    with pytest.raises(ValueError, match="both classes"):
        roc_auc([1, 1], [0.1, 0.2])


@given(labelled_scores, st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.9, 1.0]))
def test_partial_auc_by_specificity_equals_scikit_learn(rows, max_fpr):
    y, s = (list(column) for column in zip(*rows, strict=True))
    expected = sklearn_metrics.roc_auc_score(y, s, max_fpr=max_fpr)
    assert partial_auc(y, s, max_fpr=max_fpr) == pytest.approx(expected, abs=1e-12)


def area_on_a_fine_grid(y, s, max_fpr, min_tpr):
    fpr, tpr, _ = roc_curve(y, s)
    grid = np.linspace(0, max_fpr, 200_001)
    return np.trapezoid(np.maximum(np.interp(grid, fpr, tpr) - min_tpr, 0), grid)


@given(labelled_scores, st.sampled_from([0.2, 0.5, 1.0]), st.sampled_from([0.0, 0.3, 0.8]))
@settings(max_examples=40)
def test_two_way_partial_auc_equals_integration(rows, max_fpr, min_tpr):
    y, s = (list(column) for column in zip(*rows, strict=True))
    area = partial_auc(y, s, max_fpr, min_tpr, standardized=False)
    assert area == pytest.approx(area_on_a_fine_grid(y, s, max_fpr, min_tpr), abs=1e-4)


@given(labelled_scores, st.sampled_from([0.1, 0.5, 0.9]))
def test_partial_auc_by_sensitivity_mirrors_that_by_specificity(rows, share):
    """Exchanging the classes and the sign exchanges sensitivity and specificity."""
    y, s = (np.array(column) for column in zip(*rows, strict=True))
    mirrored = partial_auc(1 - y, -s, max_fpr=1 - share)
    assert partial_auc(y, s, min_tpr=share) == pytest.approx(mirrored, abs=1e-9)


@pytest.mark.parametrize(("max_fpr", "min_tpr"), [(None, None), (0.1, None), (None, 0.9), (0.3, 0.6)])
def test_standardised_partial_auc_is_one_for_perfect_and_half_for_chance(max_fpr, min_tpr):
    assert partial_auc([0, 0, 1, 1], [1, 2, 3, 4], max_fpr, min_tpr) == pytest.approx(1.0)
    assert partial_auc([0, 1], [1, 1], max_fpr, min_tpr) == pytest.approx(0.5)


def test_partial_auc_bounds_are_checked():
    for bounds in ({"max_fpr": 0.0}, {"max_fpr": 1.1}, {"min_tpr": 1.0}, {"min_tpr": -0.1}):
        with pytest.raises(ValueError, match="must lie in"):
            partial_auc([0, 1], [0, 1], **bounds)


@given(labelled_scores)
def test_band_holds_the_curve_and_rises(rows):
    y, s = (list(column) for column in zip(*rows, strict=True))
    grid, low, high = roc_band(y, s, points=51)
    fpr, tpr, _ = roc_curve(y, s)
    just = 1e-9  # either end of a vertical step will do
    assert (low <= np.interp(grid + just, fpr, tpr) + 1e-6).all()
    assert (high >= np.interp(grid - just, fpr, tpr) - 1e-6).all()
    assert (np.diff(low) >= -1e-12).all()
    assert (np.diff(high) >= -1e-12).all()
    assert low.min() >= 0
    assert high.max() <= 1


def test_band_covers_the_true_curve_pointwise():
    rng = np.random.default_rng(11)
    y = np.arange(200) < 50
    inside = []
    for _ in range(200):
        grid, low, high = roc_band(y, rng.normal(size=200) + 1.2 * y, points=21)
        truth = norm.cdf(norm.ppf(np.clip(grid, 1e-12, 1 - 1e-12)) + 1.2)
        inside.append((low <= truth + 1e-9) & (truth <= high + 1e-9))
    assert np.mean(inside, axis=0).min() >= 0.95


def test_band_of_a_perfect_ranking_is_not_a_line():
    _, low, high = roc_band([0] * 30 + [1] * 30, list(range(60)))
    assert (high - low)[10] > 0.1
