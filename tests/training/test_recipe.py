import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medauc.errors import InputError
from medauc.training import Recipe, parse_recipe, shipped_recipes
from medauc.training.overrides import apply_overrides
from medauc.training.recipe import differing_keys, read_recipe

SEVEN = {
    "pneumoniamnist", "breastmnist", "chestmnist",
    "nodulemnist3d", "adrenalmnist3d", "vesselmnist3d", "synapsemnist3d",
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "key", "hint"),
    [
        ({"optim": {"lr": 0}}, "optim.lr", "> 0, <= 100"),
        ({"optim": {"momentum": 1.0}}, "optim.momentum", ">= 0, < 1"),
        ({"sampling": {"positive_share": 1.5}}, "sampling.positive_share", "> 0, < 1 or null"),
        ({"training": {"patience": 0}}, "training.patience", ">= 1 or null"),
        ({"loss": {"name": "auc"}}, "loss.name", "did you mean 'aucm'? (allowed: aucm | "),
        ({"loss": {"name": "zzz"}}, "loss.name is 'zzz'", " | cross_entropy | "),
        ({"loss": {"name": "cross_entropy", "margin": 1}}, "loss.margin", "belongs to loss.name aucm"),
        ({"loss": {"margin": -1}}, "loss.margin", "> 0, <= 100"),
        ({"loss": {"name": "focal", "alpha": 2}}, "loss.alpha is 2", "> 0, < 1 or balanced or null"),
        ({"loss": 5}, "loss is 5", ""),
        (
            {"optim": {"name": "adamw", "momentum": 0.5}},
            "optim.momentum",
            "belongs to optim.name pesg and sgd",
        ),
        ({"optim": {"name": "adam"}}, "optim.name", "did you mean 'adamw'?"),
        ({"optim": {"name": "adamw", "schedule": {"nmae": 1}}}, "optim.schedule.nmae", "did you mean 'name'"),
        ({"augment": {"flip": 2}}, "augment.flip", ">= 0, <= 1"),
        ({"augment": {"elastic": 0.5}}, "augment.elastic is 0.5", ">= 0, <= 0.4"),
        ({"augment": {"mixup_partners": "same"}}, "augment.mixup_partners", "same_class"),
        ({"evaluation": {"test_time_augmentation": "flip"}}, "test_time_augmentation", "octahedral"),
        ({"evaluation": {"test_time_copies": 1}}, "evaluation.test_time_copies", ">= 2"),
        (
            {"loss": {"name": "focal"}, "augment": {"mixup": 0.4, "mixup_partners": "any"}},
            "loss.name 'focal' does not take",
            "aucm, compositional, pairwise, cross_entropy); use 'same_class'",
        ),
        (
            {"first_stage": {"loss": {"name": "ldam"}}, "augment": {"mixup": 0.4, "mixup_partners": "any"}},
            "loss.name 'ldam' does not take",
            "use 'same_class'",
        ),
        ({"model": {"name": "resnet81"}}, "model.name", "resnet18"),
        ({"optim": {"lr": float("nan")}}, "optim.lr", "finite"),
        ({"data": {"phantom": {"prevalence": 2.0}}}, "prevalence", "between 0 and 1"),
        ({"optim": {"momentun": 0.5}}, "optim.momentun", "did you mean 'momentum'"),
        ({"optimizer": {}}, "optimizer", "did you mean 'optim'"),
        ({"data": {"phantom": {"n_trian": 5}}}, "data.phantom.n_trian", "did you mean 'n_train'"),
        ({"optim": {"schedule": {"name": "stages"}}}, "optim.schedule", "epochs"),
        ({"loss": {"name": "cross_entropy"}, "optim": {"name": "pesg"}}, "pesg", "use 'adamw' or 'sgd'"),
    ],
)
def test_a_bad_value_names_key_and_allowed_range(values: dict, key: str, hint: str) -> None:
    with pytest.raises(InputError) as error:
        parse_recipe(values, "mine.yaml")
    message = str(error.value)
    assert message.startswith("mine.yaml: ")
    assert key in message
    assert hint in message
    assert "\n" not in message


def test_augment_none_is_no_augmentation() -> None:
    assert parse_recipe({"augment": "none"}, "x").augment is None
    assert parse_recipe({"augment": {}}, "x").augment is not None


@pytest.mark.parametrize("family", ["default", "seed"])
def test_every_shipped_recipe_is_valid_and_every_set_has_one(family: str) -> None:
    from importlib import resources

    names = shipped_recipes(family)
    assert set(names) >= SEVEN
    for name in names:
        with resources.as_file(resources.files("medauc") / "recipes" / family / f"{name}.yaml") as path:
            parse_recipe(read_recipe(path), name)


def test_seed_recipes_hold_the_reported_hyperparameters() -> None:
    reported = {  # momentum, margin, epoch_decay, lr, weight_decay: field's table of the seed method
        "pneumoniamnist": (0.8, 1.0, 0.0, 0.1, 1e-3),
        "nodulemnist3d": (0.7, 1.0, 2e-3, 0.1, 1e-4),
        "adrenalmnist3d": (0.7, 1.0, 0.05, 0.1, 1e-4),
        "vesselmnist3d": (0.7, 1.0, 2e-3, 0.1, 1e-4),
        "synapsemnist3d": (0.7, 1.0, 2e-3, 0.1, 1e-4),
    }
    from medauc.training.plan import read_shipped

    for name, expected in reported.items():
        recipe = parse_recipe(read_shipped("seed", name), name)
        optim = recipe.optim
        found = (optim.momentum, recipe.loss.margin, optim.epoch_decay, optim.lr, optim.weight_decay)
        assert found == pytest.approx(expected)
        assert (recipe.training.max_epochs, recipe.training.patience) == (100, 15)
        assert (recipe.loss.name, optim.name, recipe.model.name) == ("aucm", "pesg", "resnet18")
        assert (recipe.augment is not None and recipe.augment.voxel_scaling) == name.endswith("3d")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("optim.lr=1e-4", 1e-4),
        ("optim.lr=3", 3),
        ("training.patience=null", None),
        ("augment.flip=[0, 0.5]", [0, 0.5]),
    ],
)
def test_override_reads_yaml(text: str, value: object) -> None:
    values: dict = {}
    apply_overrides(values, [text])
    section, key = text.split("=")[0].split(".")
    assert values[section][key] == value


@pytest.mark.parametrize("text", ["optim.lr", "=3", "optim.lr=[1"])
def test_override_that_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        apply_overrides({}, [text])


@given(lr=st.floats(1e-6, 100), epochs=st.integers(1, 500), share=st.none() | st.floats(0.01, 0.99))
def test_a_recipe_survives_its_own_yaml(lr: float, epochs: int, share: float | None) -> None:
    values = {"optim": {"lr": lr}, "training": {"max_epochs": epochs}, "sampling": {"positive_share": share}}
    recipe = parse_recipe(values, "x")
    again = parse_recipe(yaml.safe_load(yaml.safe_dump(recipe.model_dump(mode="json"))), "y")
    assert again == recipe
    assert differing_keys(recipe, again) == []


def test_differing_keys_name_old_and_new() -> None:
    other = parse_recipe({"optim": {"lr": 0.2}, "description": "other words"}, "x")
    assert differing_keys(Recipe(), other) == ["optim.lr (0.1 -> 0.2)"]


@pytest.mark.parametrize("content", ["- a list", "optim: [", "\xff\xfe"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path, content: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"r\.yaml"):
        read_recipe(path)
