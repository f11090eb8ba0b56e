"""Folds of whole groups are scikit-learn's own, which stored ensembles and searches were made with."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from medauc.data.grouped_folds import GroupedFolds


@settings(max_examples=25)
@given(
    folds=st.integers(2, 20),
    classes=st.integers(2, 6),
    samples=st.integers(20, 150),
    a_group=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_they_are_those_of_scikit_learn(folds: int, classes: int, samples: int, a_group: int, seed: int):
    rng = np.random.default_rng(seed)
    target = rng.choice(classes, samples, p=rng.dirichlet(np.ones(classes)))
    group = rng.integers(0, max(folds, samples // a_group), samples)
    assume(len(np.unique(group)) >= folds and np.bincount(target).max() >= folds)
    ours, theirs = (
        splitter(folds, shuffle=True, random_state=seed).split(target, target, group)
        for splitter in (GroupedFolds, StratifiedGroupKFold)
    )
    for (_, own), (_, expected) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own, expected)


def test_the_method_that_is_replaced_is_still_there():
    assert "_find_best_fold" in vars(StratifiedGroupKFold), "else folds are right, but slow"
