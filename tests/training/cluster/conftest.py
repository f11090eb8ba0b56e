"""Recipes that train in a second."""

import pytest

from medauc.training.plan import resolve_recipe
from medauc.training.recipe import Recipe

TINY = [
    "data.phantom.n_train=40", "data.phantom.n_val=40", "data.phantom.n_test=40", "data.phantom.prevalence=0.3",
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16", "training.max_epochs=2",
]  # fmt: skip


@pytest.fixture(scope="session")
def tiny_settings() -> list[str]:
    return TINY


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    return resolve_recipe("phantom2d", overrides=TINY).recipe
