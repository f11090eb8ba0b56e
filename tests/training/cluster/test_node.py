"""What a node does with an order, whether it sees the driver's files or not; in this process."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medauc.data import Dataset, load_dataset
from medauc.training.cluster.freight import Answer, Order, marker, pack, portable_data, unpack, versions
from medauc.training.cluster.node import train_on_node
from medauc.training.run_folder import RunFolder
from medauc.training.unit import Unit, run_unit


@pytest.fixture(autouse=True)
def own_process_state(monkeypatch, tmp_path):
    """The node changes threads, folder and visible GPUs of its process."""
    import torch

    before = torch.get_num_threads()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.chdir(Path.cwd())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "node"))
    (tmp_path / "node").mkdir()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def order(tmp_path, tiny_recipe) -> Order:
    """An order from a driver whose files this node does not see: there is no marker."""
    unit = Unit(tmp_path / "out" / "run", "phantom2d", tiny_recipe, 3)
    return Order(unit, Path.cwd(), "token", 1, False, False, None, versions())


def _complain(dataset: Dataset) -> Dataset:
    os.write(1, b"a library complains")
    raise ValueError("no such fold")


def outcome_of(answer: Answer) -> str | None:
    assert answer.outcome is not None
    return answer.outcome.error


def test_a_node_that_sees_the_drivers_files_trains_there(order):
    folder = order.unit.folder
    folder.parent.mkdir()
    marker(folder).write_text("token")
    answer = train_on_node(order, None)
    assert (outcome_of(answer), answer.files) == (None, None)
    assert RunFolder(folder).evaluation.exists()


def test_a_node_that_does_not_sends_back_what_a_local_training_leaves(order, tmp_path):
    assert train_on_node(order, None).lacks == {"files"}
    answer = train_on_node(replace(order, files={}), None)
    assert outcome_of(answer) is None
    assert not order.unit.folder.parent.exists()
    assert list((tmp_path / "node").iterdir()) == [], "nothing is left on the node"
    assert answer.files is not None
    unpack(answer.files, tmp_path / "arrived")
    local = replace(order.unit, folder=tmp_path / "local")
    assert run_unit(local).error is None
    for name in ("predictions.csv", "checkpoints/best.safetensors"):
        assert (tmp_path / "arrived" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_an_unfinished_run_goes_on_where_it_was(order, tmp_path):
    begun = replace(order.unit, folder=tmp_path / "begun", watch=lambda epochs, auc: epochs < 1)
    assert run_unit(begun).given_up
    answer = train_on_node(replace(order, files=pack(tmp_path / "begun")), None)
    assert answer.outcome is not None
    assert answer.files is not None
    assert (answer.outcome.error, answer.outcome.resumed) == (None, True)
    first = (tmp_path / "begun" / "metrics.csv").read_bytes()
    assert answer.files["metrics.csv"].startswith(first), "the first epoch was not trained again"


def test_data_that_a_node_has_not_are_asked_for_and_taken_from_the_driver(order, tmp_path, tiny_recipe):
    here = load_dataset("phantom2d", 12, phantom=tiny_recipe.data.phantom)
    source = tmp_path / "hospital.npz"
    np.savez(
        source,
        **{f"{name}_images": split.images for name, split in here.splits.items()},
        **{f"{name}_labels": split.targets for name, split in here.splits.items()},
    )
    unit = replace(order.unit, dataset=str(source))
    data = portable_data(unit)
    assert train_on_node(replace(order, unit=unit, files={}), None).lacks == {"data"}
    answer = train_on_node(replace(order, unit=unit, files={}), data)
    assert outcome_of(answer) is None
    assert answer.files is not None
    assert data.md5 in answer.files["recipe.yaml"].decode()


def test_an_error_names_the_drivers_folder_and_brings_the_log(order):
    broken = replace(order.unit, part=_complain)
    answer = train_on_node(replace(order, unit=broken, files={}), None)
    assert outcome_of(answer) == "no such fold"
    assert answer.log == b"a library complains"
    other = replace(order.unit, seed=9)
    finished = train_on_node(replace(order, files={}), None).files
    refused = outcome_of(train_on_node(replace(order, unit=other, files=finished), None)) or ""
    assert refused.startswith(f"{order.unit.folder}: cannot resume")


@pytest.mark.parametrize("name", ["medauc", "torch", "Python"])
def test_a_node_with_other_versions_refuses(order, name):
    other = replace(order, versions={**versions(), name: "0.0.1"})
    error = outcome_of(train_on_node(other, None)) or ""
    assert f"{name} {versions()[name]} (the driver: 0.0.1); install the same versions" in error
