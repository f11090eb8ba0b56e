"""The section ``data`` for own files: lists of YAML become what can be hashed, and come back equal."""

import pytest

from medauc.errors import InputError
from medauc.training import parse_recipe

VALUES = {
    "split": {"by": "site", "test_values": ["hospital B", 3]},
    "columns": {"target": "grade", "positive": [4, 5, "high"], "negative": [1], "keep": ["sex"]},
    "preparation": {"shape": [8, 9], "intensity": [-1000, 400]},
}


def test_what_a_run_records_reads_back_equal():
    recipe = parse_recipe({"data": VALUES}, "mine.yaml")
    again = parse_recipe(recipe.model_dump(mode="json"), "recipe.yaml")
    assert again == recipe
    # data that were loaded are kept by what was asked for
    assert hash(again.data.files) == hash(recipe.data.files)
    assert recipe.data.files.columns.positive == (4, 5, "high")
    assert recipe.data.files.split is not None
    assert recipe.data.files.split.test_values == ("hospital B", 3)


def test_splits_are_the_files_own_unless_the_recipe_makes_them():
    assert parse_recipe({}, "mine.yaml").data.files.split is None
    made = parse_recipe({"data": {"split": {}}}, "mine.yaml").data.files.split
    assert made is not None
    assert (made.val, made.test, made.seed) == (0.15, 0.15, 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"columns": {"tagret": "x"}}, "unknown key data.columns.tagret; did you mean 'target'"),
        ({"split": {"val": 1.5}}, "val is 1.5, it must be a share"),
        ({"spatial_dims": 4}, "data.spatial_dims"),
        ({"unreadable": "ignore"}, "data.unreadable.*refuse"),
    ],
)
def test_wrong_values_are_named(data: dict, words: str):
    with pytest.raises(InputError, match=words) as caught:
        parse_recipe({"data": data}, "mine.yaml")
    assert "\n" not in str(caught.value)
