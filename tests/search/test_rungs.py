"""A trial that ran to its end is judged by its result, not given up."""

from dataclasses import replace

import pytest

from fixtures.made_up_search import LR, MadeUp, Stage
from medauc.search import Limits


def pruned_at(stage: Stage, epochs: int, pruner: str, **changes: object) -> list[int]:
    """Epochs of the trials that were given up."""
    recipe = stage.plan.recipe
    training = recipe.training.model_copy(update={"max_epochs": epochs})
    plan = replace(stage.plan, recipe=recipe.model_copy(update={"training": training}))
    one = Stage(plan, stage.out)
    definition = one.definition(LR, sampler="random", pruner=pruner, **changes)
    found = one.search(definition, MadeUp(), Limits(trials=12, seeds=1, stop_early=False))
    return [max(dict(curve)) for _, state, _, _, curve in found if state == "pruned"]


@pytest.mark.parametrize(("epochs", "pruner"), [(1, "halving"), (4, "halving"), (4, "median")])
def test_none_is_given_up_after_its_last_epoch(stage, epochs, pruner):
    given_up = pruned_at(stage, epochs, pruner)
    assert epochs not in given_up
    assert bool(given_up) == (epochs > 1)


def test_where_folds_follow_the_last_epoch_of_the_first_saves_them(stage):
    assert 1 in pruned_at(stage, 1, "halving", objective="kfold", folds=3)
