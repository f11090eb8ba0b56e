"""What a recipe of two stages says, and how it is refused."""

import pytest

from medauc.errors import InputError
from medauc.training import Recipe, parse_recipe


def stages_of(**values: object) -> tuple[Recipe, ...]:
    return parse_recipe(values, "x").stages()


def test_one_stage_unless_the_recipe_says_otherwise() -> None:
    recipe = Recipe()
    assert recipe.stages() == (recipe,)
    assert parse_recipe({"first_stage": "none"}, "x") == recipe


def test_what_a_first_stage_leaves_out_follows_its_loss_and_the_recipe() -> None:
    first, own = stages_of(
        first_stage={"max_epochs": 7},
        sampling={"batch_size": 32, "keep_groups": True},
        training={"max_epochs": 9, "patience": 4, "weight_averaging": "ema"},
        loss={"name": "pairwise"},
    )
    assert (first.loss.name, first.optim.name, first.training.max_epochs) == ("cross_entropy", "adamw", 7)
    assert (first.training.patience, own.training.patience) == (None, 4)
    assert first.training.weight_averaging == "ema"
    assert (first.sampling.batch_size, first.sampling.keep_groups) == (32, True)
    assert (first.sampling.positive_share, own.sampling.positive_share) == (None, 0.5)
    assert (own.loss.name, own.training.max_epochs, own.first_stage) == ("pairwise", 9, None)
    balanced, _ = stages_of(first_stage={"loss": {"name": "aucm"}}, sampling={"batch_size": 8})
    assert (balanced.optim.name, balanced.sampling.positive_share) == ("pesg", 0.5)


def test_a_recipe_of_two_stages_survives_being_written_down() -> None:
    recipe = parse_recipe({"first_stage": {"sampling": {"batch_size": 16}}}, "x")
    assert parse_recipe(recipe.model_dump(mode="json"), "x") == recipe


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"first_stage": {"epochs": 3}}, r"unknown key first_stage\.epochs"),
        ({"first_stage": {"max_epochs": 0}}, r"first_stage\.max_epochs is 0.*>= 1"),
        (
            {"first_stage": {"loss": {"name": "crossentropy"}}},
            r"first_stage\.loss\.name is 'crossentropy': did you mean",
        ),
        (
            {"first_stage": {"loss": {"gamma": 1.0}}},
            r"first_stage\.loss\.gamma; it belongs to first_stage\.loss\.name",
        ),
        ({"first_stage": {"optim": {"name": "pesg"}}}, r"first_stage: optim\.name 'pesg' cannot train"),
        (
            {"first_stage": {"patience": 3}, "training": {"selection": "last", "patience": None}},
            r"first_stage\.patience to null",
        ),
        ({"training": {"selection": "last"}}, r"training: 'selection' last .*'patience' to null"),
    ],
)
def test_refused_in_one_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_recipe(values, "x")
