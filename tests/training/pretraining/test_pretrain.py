"""Pretraining on tiny phantoms: what it reads, what it writes, what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from medauc.data import BagSpec, Dataset, PhantomSpec, load_dataset, make_bags
from medauc.errors import InputError
from medauc.training import Recipe, parse_recipe
from medauc.training.build import build_classifier
from medauc.training.origin import read_origin, require_unseen
from medauc.training.pretraining import pretrain
from medauc.training.pretraining.batches import InterleavedBatches, interleaved
from medauc.training.pretraining.run import _build

COUNTS = {"n_val": 8, "n_test": 8, "prevalence": 0.5}
SMALL = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=24, **COUNTS))
OTHER = load_dataset("phantom2d", 16, phantom=PhantomSpec(n_train=40, seed=5, **COUNTS))
VOLUMES = load_dataset("phantom3d", 12, phantom=PhantomSpec(n_train=16, **COUNTS))
METHODS = ["joint", "self-supervised"]


def recipe_of(**sections: object) -> Recipe:
    values = {
        "model": {"width": 4, "stem": "imagenet"},
        "augment": {"flip": 0.5, "noise": 0.2},
        "loss": {"name": "cross_entropy"},
        "sampling": {"batch_size": 8},
        "training": {"max_epochs": 2, "weight_averaging": "ema"},
    }
    return parse_recipe({**values, **sections}, "x")


def of_labels(dataset: Dataset) -> Dataset:
    """The same images with two labels, some of them unknown."""
    splits = {}
    for name, split in dataset.splits.items():
        second = np.where(np.arange(len(split)) % 3 == 0, -1, 1 - split.targets)
        splits[name] = replace(split, targets=np.stack([split.targets, second], axis=1))
    return replace(dataset, **splits, label_names=("one", "other"), name="two-labels")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("datasets", [[SMALL, of_labels(OTHER)], [VOLUMES]], ids=["2D", "3D"])
def test_a_training_starts_from_the_trunk_to_the_bit(method, datasets, tmp_path: Path) -> None:
    recipe, out = recipe_of(), tmp_path / "new" / "weights.safetensors"
    found = pretrain(datasets, recipe, out, method=method, seed=3, device="cpu")
    stored = load_file(out)
    start = recipe_of(model={"width": 4, "stem": "imagenet", "weights": str(out)})
    network = build_classifier(datasets[0], start, seed=0).network.state_dict()
    assert set(network) - set(stored) == {"fc.weight", "fc.bias"}
    for name, value in stored.items():
        assert torch.equal(network[name], value), name
    untrained = build_classifier(datasets[0], recipe, seed=3).network.state_dict()
    assert not torch.equal(stored["conv1.weight"], untrained["conv1.weight"])
    assert len(found.losses) == 2
    assert found.origin == read_origin(out)
    assert [source.dataset for source in found.origin.sources] == [dataset.name for dataset in datasets]
    assert (found.origin.method, found.origin.seed) == (method, 3)
    assert parse_recipe(found.origin.recipe, "metadata") == recipe


@pytest.mark.parametrize("method", METHODS)
def test_validation_and_test_images_are_never_read(method, tmp_path: Path) -> None:
    """Equal seeds give equal bytes, whatever the other splits hold."""
    absent = {name: replace(SMALL.splits[name], images=None, targets=None) for name in ("val", "test")}
    bytes_of = []
    for number, dataset in enumerate([SMALL, replace(SMALL, **absent)]):
        out = tmp_path / f"{number}.safetensors"
        pretrain([dataset], recipe_of(), out, method=method, device="cpu")
        bytes_of.append(out.read_bytes())
    assert bytes_of[0] == bytes_of[1]


def test_labels_of_one_set_do_not_touch_the_rows_of_another() -> None:
    module = _build([SMALL, of_labels(OTHER)], recipe_of(), "joint", 0)
    assert module.network.fc.out_features == 3
    for source, rows in ((0, [0]), (1, [1, 2])):
        module.zero_grad()
        dataset = [SMALL, of_labels(OTHER)][source].train
        inputs = module.normalize[source](torch.from_numpy(dataset.images[:8]))
        module.objective(source, inputs, torch.from_numpy(dataset.targets[:8])).backward()
        touched = module.network.fc.weight.grad.abs().sum(1).nonzero().flatten().tolist()
        assert touched == rows


def test_without_labels_targets_do_not_matter(tmp_path: Path) -> None:
    flipped = replace(SMALL, train=replace(SMALL.train, targets=1 - SMALL.train.targets))
    states = []
    for name, dataset in (("a", SMALL), ("b", flipped)):
        pretrain(
            [dataset], recipe_of(), tmp_path / f"{name}.safetensors", method="self-supervised", device="cpu"
        )
        states.append(load_file(tmp_path / f"{name}.safetensors"))
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_every_set_has_its_turns_spread_over_the_epoch(counts: list[int]) -> None:
    turns = interleaved(counts)
    assert [turns.count(source) for source in range(len(counts))] == counts
    for end in range(1, len(turns) + 1):
        for source, count in enumerate(counts):
            assert abs(turns[:end].count(source) - count * end / len(turns)) <= len(counts)


def test_batches_hold_each_sample_of_one_set_once() -> None:
    batches = InterleavedBatches([SMALL, OTHER], 8, seed=0)
    for _ in range(2):
        seen: dict[int, list[int]] = {0: [], 1: []}
        for source, batch in batches:
            assert batch.images.shape[1:] == (12, 12) if source == 0 else (16, 16)
            seen[source] += batch.indices.tolist()
        assert (sorted(seen[0]), sorted(seen[1])) == (list(range(24)), list(range(40)))


@pytest.mark.parametrize(
    ("datasets", "sections", "method", "out", "message"),
    [
        ([], {}, "joint", "w.safetensors", "name a data set"),
        ([SMALL], {}, "joint", "w.pt", r"\.safetensors; name such a file"),
        ([SMALL, VOLUMES], {}, "joint", "w.safetensors", "pretrain on data sets of one kind"),
        ([SMALL], {"loss": {"name": "aucm"}}, "joint", "w.safetensors", "'pesg' needs an AUC loss"),
        ([SMALL], {"augment": None}, "self-supervised", "w.safetensors", "the recipe's augment is none"),
        ([SMALL], {"augment": {"mixup": 0.4}}, "joint", "w.safetensors", r"set augment\.mixup=0"),
    ],
)
def test_refused_in_one_line(datasets, sections, method, out, message, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        pretrain(datasets, recipe_of(**sections), tmp_path / out, method=method, device="cpu")
    assert not list(tmp_path.iterdir())


def test_weights_that_saw_a_data_set_do_not_start_its_folds(tmp_path: Path) -> None:
    out = tmp_path / "weights.safetensors"
    pretrain([SMALL], recipe_of(training={"max_epochs": 1}), out, device="cpu")
    require_unseen(out, OTHER.name, OTHER.md5)
    with pytest.raises(InputError, match="which folds hold out in turn"):
        require_unseen(out, SMALL.name, SMALL.md5)


def test_weights_from_elsewhere_say_nothing(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "other.pt")
    assert read_origin(tmp_path / "other.pt") is None
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot read weights"):
        read_origin(tmp_path / "broken.safetensors")


@pytest.mark.parametrize("method", METHODS)
def test_images_of_bags_are_learned_from_one_by_one(method, tmp_path: Path) -> None:
    spec = PhantomSpec(n_train=8, n_val=4, n_test=4, prevalence=0.5, bag_images=3)
    images = load_dataset("phantom2d", 12, phantom=spec)
    bags = make_bags(images, BagSpec())
    for name, data in {"images": images, "bags": bags}.items():
        pretrain([data], recipe_of(), tmp_path / f"{name}.safetensors", method=method, device="cpu")
    stored = {name: load_file(tmp_path / f"{name}.safetensors") for name in ("images", "bags")}
    for name, value in stored["images"].items():
        assert torch.equal(stored["bags"][name], value), name
    start = recipe_of(model={"width": 4, "stem": "imagenet", "weights": str(tmp_path / "bags.safetensors")})
    network = build_classifier(bags, start, seed=0).network.state_dict()
    assert all(torch.equal(network[f"encoder.{name}"], value) for name, value in stored["bags"].items())
