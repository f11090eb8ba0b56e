from collections.abc import Callable

import numpy as np
import pytest

from medauc.evaluation import Predictions

Make = Callable[..., Predictions]


@pytest.fixture
def make_split() -> Make:
    """Predictions of one split: score = target + noise, so that the true AUC is about 0.86."""

    def make(split="test", n=200, prevalence=0.3, seed=0, labels=None, **options):
        rng = np.random.default_rng([seed, len(split)])
        shape = (n, len(labels)) if labels else (n,)
        targets = (rng.random(shape) < prevalence).astype(int)
        scores = 1.5 * targets + rng.normal(size=shape)
        ids = [f"{split}-{row}" for row in range(n)]
        options = {"targets": targets, "scores": scores, "ids": ids} | options
        return Predictions.from_arrays(split=split, label_names=labels, **options)

    return make


@pytest.fixture
def both(make_split: Make) -> Predictions:
    """Validation and test of one score."""
    return Predictions.concatenate([make_split("val"), make_split("test", n=300)])
