"""Small settings that make a whole training take a second or two."""

from collections.abc import Iterator
from pathlib import Path

import pytest

TINY_NETWORK = ["--set", "model.width=4", "--set", "model.stem=imagenet", "--set", "model.name=resnet18"]


@pytest.fixture
def tiny() -> list[str]:
    """Two epochs of a very small network."""
    return [*TINY_NETWORK, "--set", "training.max_epochs=2", "--device", "cpu"]


@pytest.fixture
def tiny_phantom(tiny: list[str]) -> list[str]:
    """A phantom small enough for a test, and the options of ``tiny``."""
    counts = {"n_train": 60, "n_val": 40, "n_test": 60, "prevalence": 0.3}
    phantom = [part for key, value in counts.items() for part in ("--set", f"data.phantom.{key}={value}")]
    return [*tiny, *phantom, "--set", "data.size=16", "--set", "sampling.batch_size=16"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with as many threads as a process of its own has (``medauc_environment``): then bits are comparable."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


RUN_FILES = (
    "recipe.yaml",
    "metrics.csv",
    "checkpoints/last.ckpt",
    "checkpoints/best.safetensors",
    "reference.npz",
    "predictions.csv",
    "evaluation.json",
    "report.html",
    "model_card.md",
)


@pytest.fixture
def assert_complete():
    """Check that a run folder holds all of its files and nothing half-written."""

    def check(folder: Path) -> None:
        found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert found == set(RUN_FILES)

    return check
