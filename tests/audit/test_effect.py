"""What duplicates do to an AUC: against simulation, and against the metrics' own paired test."""

import numpy as np
import pytest

from medauc.audit.effect import refit_effect, removal_effect
from medauc.audit.simple_models import MOST_FITTED, fitted_rows, logistic_regression, nearest_neighbour
from medauc.metrics import delong_test, roc_auc


def scored(
    seed: int, size: int = 300, gain: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Targets, scores (better by ``gain`` where there is a twin), groups and twins."""
    rng = np.random.default_rng(seed)
    target, twin = rng.integers(0, 2, size), rng.random(size) < 0.3
    score = rng.normal(size=size) + target * (1.0 + gain * twin)
    return target, score, np.arange(size).astype(str), twin


def test_difference_is_that_of_the_two_aucs() -> None:
    target, score, groups, twin = scored(0, gain=2.0)
    found = removal_effect("m", None, target, score, groups, twin)
    assert found.every.value == pytest.approx(roc_auc(target, score))
    assert found.clean.value == pytest.approx(roc_auc(target[~twin], score[~twin]))
    assert found.difference.value == pytest.approx(found.every.value - found.clean.value)
    assert (found.n_removed, found.n_removed_positive) == (twin.sum(), target[twin].sum())


def test_interval_of_the_difference_holds_its_level() -> None:
    """Without any gain the two AUCs estimate the same; 95% of 400 intervals should hold 0 (binomial SE 1.1%)."""
    found = [removal_effect("m", None, *scored(seed)) for seed in range(400)]
    held = np.mean([one.difference.low <= 0 <= one.difference.high for one in found])
    assert 0.91 <= held <= 0.985
    assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(1 - held, abs=0.01)


def test_standard_error_is_that_of_repeated_draws() -> None:
    found = [removal_effect("m", None, *scored(seed, gain=1.5)) for seed in range(300)]
    spread = np.std([one.difference.value for one in found])
    told = np.mean([(one.difference.high - one.difference.low) / 2 / 1.96 for one in found])
    assert told == pytest.approx(spread, rel=0.15)


def test_copied_patients_widen_the_interval() -> None:
    target, score, groups, twin = scored(3, gain=1.0)
    alone = removal_effect("m", None, target, score, groups, twin)
    fourfold = [np.repeat(part, 4) for part in (target, score, groups, twin)]
    copied = removal_effect("m", None, *fourfold)
    naive = removal_effect("m", None, *fourfold[:2], np.arange(len(fourfold[0])).astype(str), fourfold[3])
    assert copied.difference.value == pytest.approx(alone.difference.value)
    width = [one.difference.high - one.difference.low for one in (alone, copied, naive)]
    assert width[1] == pytest.approx(width[0], rel=0.02)
    assert width[2] == pytest.approx(width[0] / 2, rel=0.02)


def test_nothing_is_said_of_too_few_cases() -> None:
    target, score, groups, twin = scored(0, size=40)
    assert removal_effect("m", None, target, score, groups, target == 1) is None
    assert removal_effect("m", None, np.ones_like(target), score, groups, twin) is None


def test_removing_nothing_changes_nothing() -> None:
    target, score, groups, _ = scored(0)
    found = removal_effect("m", None, target, score, groups, np.zeros(len(target), bool))
    assert tuple(found.difference) == (0.0, 0.0, 0.0)
    assert found.p == 1.0


def test_refit_is_the_paired_delong_test() -> None:
    target, score, groups, _ = scored(1)
    other = score + np.random.default_rng(2).normal(0, 1, len(score))
    found = refit_effect("m", None, target, (score, other), groups, np.array([1, 0, 1]))
    assert found.p == pytest.approx(delong_test(target, score, other)[1])
    assert found.difference.value == pytest.approx(roc_auc(target, score) - roc_auc(target, other))
    assert (found.n_removed, found.n_removed_positive) == (3, 2)


def test_simple_models_rank_separable_classes() -> None:
    rng = np.random.default_rng(0)
    target = np.arange(200) % 2
    vectors = rng.normal(size=(200, 8)).astype(np.float32) + 2.0 * target[:, None]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for model in (nearest_neighbour, logistic_regression):
        assert roc_auc(target[100:], model(vectors[:100], target[:100], vectors[100:])) > 0.9


def test_large_training_sets_are_thinned_and_keep_their_duplicates() -> None:
    rows = np.arange(0, 3 * MOST_FITTED, 2)
    twins = rows % 1000 == 0
    chosen = fitted_rows(rows, twins)
    assert len(chosen) == MOST_FITTED
    assert set(rows[twins]) <= set(chosen)
    assert len(set(chosen.tolist())) == len(chosen)
    assert (fitted_rows(rows, twins) == chosen).all()
