"""The best of many: against a plain implementation, and on simulations whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from medauc.metrics import best_of_many, roc_auc
from medauc.metrics.selection import _draws

Scores = list[np.ndarray]


def models_of(rng: np.random.Generator, target: np.ndarray, gains: list[float]) -> Scores:
    return [gain * target + rng.normal(size=len(target)) for gain in gains]


def test_it_equals_a_plain_implementation_with_the_same_draws():
    rng = np.random.default_rng(1)
    target = rng.integers(0, 2, 60)
    models = models_of(rng, target, [0.5, 0.6, 0.7, 0.2])
    judged, own = [], []
    for counts in np.concatenate(list(_draws(target[:, None], None, 50, seed=3))):
        drawn = np.repeat(np.arange(60), counts.astype(int))
        inside = [roc_auc_score(target[drawn], scores[drawn]) for scores in models]
        left = counts == 0
        judged.append(roc_auc_score(target[left], models[int(np.argmax(inside))][left]))
        own.append(inside)
    found = best_of_many(target, models, replicates=50, seed=3)
    values = [roc_auc_score(target, scores) for scores in models]
    assert found.winner == int(np.argmax(values))
    assert found.found.value == pytest.approx(max(values))
    assert found.found[1:] == pytest.approx(np.quantile(np.array(own)[:, found.winner], (0.025, 0.975)))
    assert found.corrected.value == pytest.approx(np.mean(judged))
    assert found.corrected[1:] == pytest.approx(np.quantile(judged, (0.025, 0.975)))


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_among_equally_good_models_the_correction_removes_the_bias_on_average(gain):
    from scipy.stats import norm

    truth, rng = float(norm.cdf(gain / np.sqrt(2))), np.random.default_rng(0)
    naive, corrected = [], []
    for draw in range(80):
        target = np.repeat([0, 1], [60, 40])
        found = best_of_many(target, models_of(rng, target, [gain] * 12), replicates=40, seed=draw)
        naive.append(found.found.value)
        corrected.append(found.corrected.value)
    error = np.std(corrected) / np.sqrt(len(corrected))
    assert np.mean(naive) - truth > 0.05, "the winner of 12 equal models looks better than it is"
    assert abs(np.mean(corrected) - truth) < 4 * error < 0.03
    assert found.optimism == found.found.value - found.corrected.value


def test_a_single_model_needs_no_correction():
    rng = np.random.default_rng(2)
    target = rng.integers(0, 2, 300)
    found = best_of_many(target, models_of(rng, target, [1.0]))
    assert found.winner == 0
    assert abs(found.optimism) < 0.01
    low, high = found.found[1:]
    assert low < found.found.value < high
    assert found.corrected.low < low < high < found.corrected.high, "fewer samples, wider"


def test_seeds_folds_and_labels_are_averaged():
    rng = np.random.default_rng(3)
    target = rng.integers(0, 2, (90, 2))
    target[::7, 1] = -1
    folds = np.arange(90) % 3
    scores = [target + rng.normal(size=(2, 90, 2)) for _ in range(2)]
    found = best_of_many(target, scores, folds=folds, replicates=20)
    means = []
    for model in scores:
        aucs = []
        for training in model:
            for fold in range(3):
                for label in range(2):
                    rows = (folds == fold) & (target[:, label] >= 0)
                    aucs.append(roc_auc(target[rows, label], training[rows, label]))
        means.append(np.mean(aucs))
    assert found.found.value == pytest.approx(max(means))


def test_groups_are_drawn_whole():
    target = np.repeat([0, 1, 0, 1, 0, 1], 5)
    groups = np.repeat(list("abcdef"), 5)
    for counts in _draws(target[:, None], groups, 40, seed=0):
        assert (counts.reshape(40, 6, 5) == counts[:, ::5, None]).all()


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 50))
@settings(max_examples=15)
def test_only_ranks_matter(seed, scale):
    rng = np.random.default_rng(seed)
    target = np.arange(40) % 2
    models = models_of(rng, target, [0.3, 0.5])
    plain = best_of_many(target, models, replicates=20)
    assert best_of_many(target, [np.exp(scores / 10) * scale for scores in models], replicates=20) == plain


@pytest.mark.parametrize(
    ("target", "scores", "what"),
    [
        ([0, 1, 0, 1], [], "needs a model"),
        ([0, 1, 0, 1], [[1.0, 2.0]], "scores need the shape"),
        ([0, 1, 0, 1], [[1.0, 2.0, np.nan, 0.0]], "scores need the shape"),
        ([0, 0, 0, 0], [[1.0, 2.0, 3.0, 0.0]], "no label has positives and negatives"),
        ([0, 0, 0, 1], [[1.0, 2.0, 3.0, 0.0]], "each class in two samples"),
    ],
)
def test_what_cannot_be_judged_is_refused(target, scores, what):
    with pytest.raises(ValueError, match=what):
        best_of_many(target, scores)
