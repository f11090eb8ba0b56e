import inspect
from typing import get_args

import numpy as np
import pytest

from medauc.data import augment
from medauc.errors import InputError
from medauc.models import build
from medauc.training import resolve
from medauc.training.plan import resolve_recipe
from medauc.training.sections import augment as augment_section
from medauc.training.sections import model as model_section
from medauc.training.sections.augment import AugmentSection


@pytest.mark.parametrize("name", ["ModelName", "Stem", "Conversion", "Norm", "Pooling", "BagPooling"])
def test_recipe_offers_the_networks_there_are(name: str) -> None:
    assert get_args(getattr(model_section, name)) == get_args(getattr(build, name))


def test_recipe_offers_the_padding_there_is() -> None:
    assert get_args(augment_section.Padding) == get_args(augment.Padding)
    assert get_args(augment_section.Partners) == get_args(augment.Partners)


def test_keys_of_augment_are_the_constructors_arguments_and_all_off():
    arguments = list(inspect.signature(augment.Augment).parameters.values())[1:]
    assert AugmentSection().options() == {argument.name: argument.default for argument in arguments}
    mixup = inspect.signature(augment.Mixup).parameters
    assert (AugmentSection().mixup, AugmentSection().mixup_partners) == (
        mixup["alpha"].default,
        mixup["partners"].default,
    )


def test_size_in_the_name_wins_over_the_recipe() -> None:
    few = [f"data.phantom.n_{split}=10" for split in ("train", "val", "test")]
    assert resolve("phantom2d_12", overrides=few).dataset.image_shape == (12, 12)
    plan = resolve("phantom3d", overrides=[*few, "data.size=10"])
    assert plan.dataset.image_shape == (10, 10, 10)
    assert plan.recipe.data.size == 10


def test_positive_class_of_an_own_file(tmp_path) -> None:
    content = {}
    for split in ("train", "val", "test"):
        content[f"{split}_images"] = np.random.default_rng(0).integers(0, 255, (6, 9, 9)).astype(np.uint8)
        content[f"{split}_labels"] = np.array([0, 0, 0, 0, 0, 1])
    np.savez(tmp_path / "own.npz", **content)
    assert resolve(str(tmp_path / "own.npz")).dataset.train.targets.sum() == 1
    flipped = resolve(str(tmp_path / "own.npz"), overrides=["data.positive_class=0"])
    assert flipped.dataset.train.targets.sum() == 5


def test_unknown_recipe_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'default'"):
        resolve("phantom2d", recipe="defualt")


def test_what_is_wrong_is_told_of_the_file_or_of_the_override(tmp_path) -> None:
    sound, wrong = tmp_path / "sound.yaml", tmp_path / "wrong.yaml"
    sound.write_text("optim: {lr: 0.1}\n")
    wrong.write_text("training: {epochs: 2}\n")
    with pytest.raises(InputError, match=r"^--set: unknown key training\.epochs"):
        resolve_recipe("phantom2d", recipe=str(sound), overrides=["training.epochs=2"])
    with pytest.raises(InputError, match=r"wrong\.yaml: unknown key training\.epochs"):
        resolve_recipe("phantom2d", recipe=str(wrong), overrides=["optim.lr=0"])
    lower = resolve_recipe("phantom2d", recipe=str(sound), overrides=["optim.lr=0.01"])
    assert lower.recipe.optim.lr == 0.01


def test_a_shipped_recipe_can_be_named_for_another_set() -> None:
    few = [f"data.phantom.n_{split}=10" for split in ("train", "val", "test")]
    plan = resolve("phantom3d", recipe="seed/vesselmnist3d", overrides=[*few, "data.size=10"])
    assert plan.recipe_name == "vesselmnist3d"
    assert plan.recipe.optim.momentum == 0.7


def test_a_recipe_says_which_column_names_the_bags_before_the_data_are_loaded() -> None:
    settings = [
        "data.phantom.n_train=4",
        "data.phantom.n_val=2",
        "data.phantom.n_test=2",
        "data.phantom.bag_images=3",
    ]
    plan = resolve("phantom2d", overrides=settings)
    assert plan.recipe == resolve_recipe("phantom2d", overrides=settings).recipe
    assert plan.recipe.data.bags.by == "bag"
    assert "4 / 2 / 2 train/val/test bags of 3 images" in plan.describe()
    assert resolve("phantom2d", overrides=settings[:3]).recipe.data.bags.by == "auto"
    apart = resolve("phantom2d", overrides=[*settings, "data.bags.by=none"])
    assert "12 / 6 / 6 train/val/test, positive" in apart.describe()


def test_slices_take_the_general_recipe_of_images() -> None:
    found = resolve_recipe("vesselmnist3d", overrides=["data.bags.slices=0"])
    assert found.source == "default/2d.yaml"
    assert (
        resolve_recipe("vesselmnist3d", overrides=["data.bags.slices=null"]).source
        == "default/vesselmnist3d.yaml"
    )
    named = resolve_recipe("vesselmnist3d", recipe="default/vesselmnist3d", overrides=["data.bags.slices=0"])
    assert named.source == "default/vesselmnist3d.yaml"
