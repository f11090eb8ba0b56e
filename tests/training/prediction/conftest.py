"""A run of a second on a phantom, and its images as files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medauc.data import Dataset, PhantomSpec, load_dataset
from medauc.training import parse_recipe, train

SMALL = {
    "augment": {"flip": 0.5},
    "model": {"width": 4, "stem": "imagenet"},
    "training": {"max_epochs": 1, "patience": None},
    "sampling": {"batch_size": 16},
    "evaluation": {"test_time_augmentation": "flips"},
}


@pytest.fixture(scope="session")
def phantom() -> Dataset:
    return load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=40, n_val=20, n_test=20, prevalence=0.4))


@pytest.fixture(scope="session")
def trained(phantom, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prediction") / "run"
    train(phantom, parse_recipe(SMALL, "x"), folder, device="cpu")
    return folder


@pytest.fixture
def pictures(phantom, tmp_path) -> Path:
    """The first eight test images as PNG, named by their ids."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, pixels in zip(phantom.test.ids[:8], phantom.test.images[:8], strict=False):
        Image.fromarray(np.asarray(pixels)).save(folder / f"{name}.png")
    return folder
