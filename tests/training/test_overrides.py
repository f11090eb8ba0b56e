import pytest

from medauc.errors import InputError
from medauc.training import parse_recipe
from medauc.training.overrides import apply_overrides
from medauc.training.plan import read_shipped
from medauc.training.recipe import Recipe


def recipe_after(family: str, name: str, *settings: str) -> Recipe:
    values = read_shipped(family, name)
    apply_overrides(values, settings)
    return parse_recipe(values, "test")


def test_another_loss_starts_its_section_anew() -> None:
    recipe = recipe_after("default", "2d", "loss.name=pairwise")
    assert recipe.loss.options() == parse_recipe({"loss": {"name": "pairwise"}}, "x").loss.options()
    assert (recipe.optim.name, recipe.optim.lr) == ("adamw", 0.003), "AdamW trains it too: left as it was"


def test_an_optimizer_that_does_not_fit_is_replaced_but_not_its_schedule() -> None:
    recipe = recipe_after("seed", "breastmnist", "loss.name=pairwise")
    assert (recipe.optim.name, recipe.optim.lr, recipe.optim.weight_decay) == ("adamw", 1e-3, 0.01)
    assert recipe.optim.schedule.epochs == (50, 75)
    assert recipe_after("default", "2d", "loss.name=compositional").optim.name == "pdsca"


def test_the_same_name_changes_nothing() -> None:
    before = recipe_after("seed", "breastmnist")
    assert recipe_after("seed", "breastmnist", "loss.name=aucm", "optim.name=pesg") == before


@pytest.mark.parametrize(
    "settings",
    [
        ["loss.name=focal", "loss.gamma=1.5", "optim.name=sgd", "optim.lr=0.02"],
        ["optim.lr=0.02", "loss.gamma=1.5", "optim.name=sgd", "loss.name=focal"],
    ],
    ids=["names first", "names last"],
)
def test_keys_hold_wherever_the_names_stand(settings: list[str]) -> None:
    recipe = recipe_after("seed", "breastmnist", *settings)
    assert recipe.loss.options() == {"gamma": 1.5, "alpha": None}
    assert (recipe.optim.name, recipe.optim.lr) == ("sgd", 0.02)


def test_a_named_optimizer_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'pesg' cannot train loss\.name 'focal'; use 'adamw' or 'sgd'"):
        recipe_after("default", "2d", "loss.name=focal", "optim.name=pesg")


def test_whole_sections_can_be_given() -> None:
    recipe = recipe_after("default", "2d", "loss={name: ldam, scale: 30}", "optim={lr: 0.01}")
    assert (recipe.loss.name, recipe.optim.name, recipe.optim.lr) == ("ldam", "adamw", 0.01)


@pytest.mark.parametrize("name", [5, "null", "[a]", "{a: 1}"])
def test_a_name_that_is_none_is_refused_in_one_line(name: object) -> None:
    with pytest.raises(ValueError, match=r"loss\.name") as error:
        recipe_after("default", "2d", f"loss.name={name}")
    assert "\n" not in str(error.value)


def test_one_value_for_a_whole_section_is_answered_with_a_key() -> None:
    with pytest.raises(InputError, match=r"loss is a section of the recipe; .* --set loss.name=pairwise"):
        recipe_after("default", "2d", "loss=pairwise")
    assert recipe_after("default", "2d", "augment=none").augment is None


def test_what_is_left_out_follows_the_loss() -> None:
    assert parse_recipe({}, "x").sampling.positive_share == 0.5
    assert parse_recipe({"loss": {"name": "focal"}}, "x").sampling.positive_share is None
    assert parse_recipe({"loss": {"name": "pairwise"}}, "x").sampling.positive_share == 0.5
    given = {"loss": {"name": "focal"}, "sampling": {"positive_share": 0.25, "batch_size": 8}}
    assert parse_recipe(given, "x").sampling.positive_share == 0.25
    named = {"loss": {"name": "focal"}, "sampling": {"name": "class_balanced"}}
    assert parse_recipe(named, "x").sampling.name == "class_balanced"


def test_the_description_of_another_objective_goes() -> None:
    assert recipe_after("default", "breastmnist", "loss.name=pairwise").description == ""
    assert recipe_after("default", "breastmnist", "optim.lr=0.01").description != ""


def test_the_first_stage_switches_like_the_recipe_itself() -> None:
    values = {
        "loss": {"name": "aucm", "margin": 0.5},
        "first_stage": {
            "loss": {"name": "cross_entropy", "positive_weight": 2.0},
            "optim": {"name": "adamw", "lr": 0.01, "schedule": {"name": "cosine"}},
        },
    }
    apply_overrides(
        values, ["first_stage.loss.gamma=1.0", "first_stage.loss.name=focal", "first_stage.optim.name=sgd"]
    )
    assert values["first_stage"] == {
        "loss": {"name": "focal", "gamma": 1.0},
        "optim": {"name": "sgd", "schedule": {"name": "cosine"}},
    }
    assert values["loss"] == {"name": "aucm", "margin": 0.5}


def test_naming_the_loss_of_a_first_stage_makes_one() -> None:
    values: dict[str, object] = {}
    apply_overrides(values, ["first_stage.loss.name=cross_entropy", "first_stage.max_epochs=3"])
    assert values == {"first_stage": {"loss": {"name": "cross_entropy"}, "max_epochs": 3}}
