"""Errors of a recipe in the user's words."""

import pytest

from medauc.errors import InputError
from medauc.training.overrides import apply_overrides
from medauc.training.recipe import parse_recipe

CASES = {
    "optim.lr=fast": "optim.lr is 'fast': a number is needed (allowed: > 0, <= 100)",
    "optim.lr=.nan": "optim.lr is nan: a finite number is needed (allowed: > 0, <= 100)",
    "optim.lr=-1": "optim.lr is -1 (allowed: > 0, <= 100)",
    "optim.lr=null": "optim.lr is null: a number is needed (allowed: > 0, <= 100)",
    "model.width=8.5": "model.width is 8.5: a whole number is needed (allowed: >= 4, <= 512)",
    "training.patience=long": "training.patience is 'long': a whole number is needed (allowed: >= 1 or null)",
    "training.weight_averaging=mean": "training.weight_averaging is 'mean' (allowed: none | ema | swa)",
    "augment.quarter_turns=maybe": "augment.quarter_turns is 'maybe': true or false is needed",
    "augment.flip=2": "augment.flip is 2 (allowed: >= 0, <= 1)",
    "augment.scale=[1, 2, 3]": "augment.scale is [1, 2, 3]: a list of 2 values is needed",
    "augment=5": "augment is 5: a section with keys of its own or null is needed",
    "optim.schedule=cosine": "optim.schedule is 'cosine': a section with keys of its own is needed",
    "model.weights=3": "model.weights is 3: text or null is needed",
    "data.preparation.shape=large": "data.preparation.shape is 'large': a whole number or a list is needed",
    "data.preparation.shape=[1, large]": "data.preparation.shape.1 is 'large': a whole number is needed",
    "data.subset.samples=-3": "data.subset: samples is -3, it must be 2 or more",
    "loss.name=nothing": "loss.name is 'nothing' (allowed: aucm | ",
    "loss.name=aucmm": "loss.name is 'aucmm': did you mean 'aucm'? (allowed: aucm | ",
    "sampling.size=3": "unknown key sampling.size (known here: name, batch_size, ",
}


@pytest.mark.parametrize("assignment", CASES)
def test_a_wrong_value_is_told_without_the_words_of_a_library(assignment):
    key, _, value = assignment.partition("=")
    values: dict[str, object] = {}
    apply_overrides(values, [f"{key}={value}"])
    with pytest.raises(InputError) as caught:
        parse_recipe(values, "my.yaml")
    said = str(caught.value)
    assert said.startswith(f"my.yaml: {CASES[assignment]}")
    assert "Input" not in said
    assert said.count(key) <= 1


def test_two_wrong_values_are_told_together():
    with pytest.raises(InputError, match=r"model\.width is 2 \(.*\); optim\.lr is -1 \("):
        parse_recipe({"optim": {"lr": -1}, "model": {"width": 2}}, "my.yaml")
