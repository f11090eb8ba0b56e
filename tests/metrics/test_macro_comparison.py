"""Tests of mean AUCs over labels."""

import numpy as np
import pytest

from medauc.metrics import delong_tests, macro_auc_interval, macro_auc_tests


def tables(rng, samples=200, labels=3, models=2, noise=1.0):
    targets = rng.integers(0, 2, (samples, labels))
    shared = rng.normal(size=(samples, 1))  # makes labels of a sample alike
    scores = targets + noise * rng.normal(size=(models, samples, labels)) + shared
    return targets, scores


def test_one_label_is_delongs_test():
    targets, scores = tables(np.random.default_rng(0), labels=1, models=3)
    found, expected = macro_auc_tests(targets, scores), delong_tests(targets[:, 0], scores[:, :, 0])
    for name in ("aucs", "covariance", "difference", "low", "high", "z", "p", "p_holm", "chi2", "p_overall"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))


def test_a_repeated_label_changes_nothing():
    targets, scores = tables(np.random.default_rng(1), labels=1)
    twice = macro_auc_tests(np.repeat(targets, 2, axis=1), np.repeat(scores, 2, axis=2))
    assert twice.z == pytest.approx(macro_auc_tests(targets, scores).z)


def test_means_are_those_of_the_interval_and_unknown_targets_are_left_out():
    rng = np.random.default_rng(2)
    targets, scores = tables(rng)
    targets[rng.random(targets.shape) < 0.2] = -1
    found = macro_auc_tests(targets, scores)
    assert found.aucs == pytest.approx([macro_auc_interval(targets, table)[0] for table in scores])
    scores[:, targets == -1] = 1e9
    assert macro_auc_tests(targets, scores).z == pytest.approx(found.z)


def test_same_models_do_not_differ():
    targets, scores = tables(np.random.default_rng(3))
    found = macro_auc_tests(targets, np.stack((scores[0], scores[0])))
    assert (found.z[0], found.p[0], found.low[0], found.high[0]) == (0.0, 1.0, 0.0, 0.0)


def test_copies_of_samples_in_a_group_add_nothing():
    targets, scores = tables(np.random.default_rng(4))
    alone = macro_auc_tests(targets, scores)
    groups = np.repeat(np.arange(len(targets)), 3)
    copied = macro_auc_tests(np.repeat(targets, 3, axis=0), np.repeat(scores, 3, axis=1), groups)
    assert copied.aucs == pytest.approx(alone.aucs)
    assert copied.z == pytest.approx(alone.z, rel=0.02)


def test_type_one_error():
    rng, draws = np.random.default_rng(5), 500
    rejected = sum(macro_auc_tests(*tables(rng, samples=120)).p[0] <= 0.05 for _ in range(draws))
    assert 0.03 * draws < rejected < 0.075 * draws


def test_shapes_that_do_not_fit_are_refused():
    targets, scores = tables(np.random.default_rng(6))
    for bad in (scores[0], scores[:1], scores[:, :-1]):
        with pytest.raises(ValueError, match="need the shape"):
            macro_auc_tests(targets, bad)
