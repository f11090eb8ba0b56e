"""Trainings on shards: to the bit those of an array, resumed in mid-epoch, shared by processes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medauc.data import load_dataset
from medauc.data.datamodule import ImageDataModule
from medauc.data.mapped import MappedImages
from medauc.data.shards import ShardedImages, load_shards
from medauc.errors import InputError
from medauc.sampling import ClassBalancedBatchSampler, ShardShuffledBatchSampler, ShuffledBatchSampler
from medauc.training import train
from medauc.training.recipe import Recipe

TINY = {
    "model": {"width": 4},
    "training": {"max_epochs": 1, "patience": None},
    "sampling": {"batch_size": 16},
}


def _recipe(**changes):
    return Recipe.model_validate({**TINY, **changes})


def _in_memory(dataset):
    """The same places in shards, so the same order, but every pixel from an array in memory."""
    base = dataset.train.images.base
    pixels = base.read(np.arange(len(base.shard)), whole=True)

    class Held(ShardedImages):
        def __getitem__(self, key):
            return pixels[self.rows[key]]

        def streamed(self, ahead):
            return self

    splits = [replace(split, images=Held(base, split.images.rows)) for split in dataset]
    return replace(dataset, train=splits[0], val=splits[1], test=splits[2])


@pytest.mark.parametrize("share", [0.5, None], ids=["balanced", "shuffled"])
def test_a_training_is_that_of_an_array_in_memory_to_the_bit(shards, tmp_path, share):
    """In windows of two shards."""
    sampling = {"batch_size": 16, "window": 2, "positive_share": share}
    recipe = _recipe(sampling=sampling)
    found = load_shards(shards)
    train(found, recipe, tmp_path / "folder")
    train(_in_memory(found), recipe, tmp_path / "memory")
    for name in ("predictions.csv", "checkpoints/best.safetensors"):
        assert (tmp_path / "folder" / name).read_bytes() == (tmp_path / "memory" / name).read_bytes()


def test_with_all_shards_in_one_window_it_is_the_training_on_the_source(source, shards, tmp_path):
    """Then the order is that of any data set: shards change nothing but where pixels are read from."""
    train(source, _recipe(), tmp_path / "source")
    recipe = _recipe(sampling={"batch_size": 16, "window": 100})
    train(load_shards(shards), recipe, tmp_path / "shards")
    for name in ("predictions.csv", "checkpoints/best.safetensors", "reference.npz"):
        assert (tmp_path / "source" / name).read_bytes() == (tmp_path / "shards" / name).read_bytes()


@pytest.mark.parametrize("share", [0.5, None], ids=["balanced", "shuffled"])
@pytest.mark.parametrize("stop", [1, 6, 11])
def test_a_stream_resumed_in_mid_epoch_goes_on_as_if_undisturbed(shards, serve, share, stop):
    address, _ = serve(shards)

    def opened():
        return ImageDataModule(load_shards(address), 16, share, seed=4, window=2)

    def batches(data):
        while True:
            for batch in data.train_dataloader():
                yield batch.indices.tolist(), batch.images.numpy().copy()

    undisturbed = batches(opened())
    for _ in range(stop):
        next(undisturbed)
    interrupted = opened()
    before = batches(interrupted)
    for _ in range(stop):
        next(before)
    resumed = opened()
    resumed.load_state_dict(json.loads(json.dumps(interrupted.state_dict())))
    for _, (indices, images), (again, pixels) in zip(range(14), undisturbed, batches(resumed), strict=False):
        assert indices == again
        assert np.array_equal(images, pixels)


@pytest.mark.parametrize("share", [0.25, None], ids=["balanced", "shuffled"])
def test_processes_share_the_batches_of_one(shards, share):
    found = load_shards(shards)
    whole = ImageDataModule(found, 16, share, seed=0, window=2)
    parts = [ImageDataModule(found, 16, share, seed=0, window=2) for _ in range(2)]
    for rank, part in enumerate(parts):
        part.sampler = part._make_sampler(2, rank)
    loaders = [part.train_dataloader() for part in parts]
    for batch, *own in zip(whole.train_dataloader(), *loaders, strict=True):
        indices = [part.indices.tolist() for part in own]
        assert sorted(indices[0] + indices[1]) == sorted(batch.indices.tolist())
        assert abs(len(indices[0]) - len(indices[1])) <= 2  # one of either class
        for part in own:
            assert np.array_equal(part.images.numpy(), found.train.images[part.indices.numpy()])


def test_which_sampler_draws(source, shards):
    found = load_shards(shards)
    held = {None: ShardShuffledBatchSampler, 0.5: ClassBalancedBatchSampler}
    for share, kind in held.items():
        data = ImageDataModule(found, 16, share, seed=0, window=2)
        assert type(data.sampler) is kind
        assert data.sampler.shards_ahead()
        assert data.prevalence == share
    assert type(ImageDataModule(found, 16, None, seed=0, window=100).sampler) is ShuffledBatchSampler
    assert type(ImageDataModule(source, 16, None, seed=0).sampler) is ShuffledBatchSampler


def test_several_labels_are_shuffled_and_their_unknown_targets_stay(colour_set, tmp_path):
    from medauc.data.shards import write_shards

    write_shards(colour_set, tmp_path / "set", shard_bytes=8_000)
    found = load_shards(tmp_path / "set")
    data = ImageDataModule(found, 8, 0.5, seed=0, window=2)
    assert type(data.sampler) is ShardShuffledBatchSampler
    targets = np.concatenate([batch.targets.numpy() for batch in data.train_dataloader()])
    assert sorted(map(tuple, targets)) == sorted(map(tuple, colour_set.train.targets))
    with pytest.raises(InputError, match=r"label-balanced .* sampling.window=\d+, or sampling.name=shuffled"):
        ImageDataModule(found, 8, 0.5, seed=0, sampler="label_balanced", window=2)
    ImageDataModule(found, 8, 0.5, seed=0, sampler="label_balanced", window=100)


def test_patients_that_stay_together_need_all_shards(shards):
    found = load_shards(shards)
    with pytest.raises(InputError, match="whole groups are drawn from all"):
        ImageDataModule(found, 16, 0.5, seed=0, keep_groups=True, window=2)
    ImageDataModule(found, 16, 0.5, seed=0, keep_groups=True, window=100)


def test_a_training_whose_line_dies_is_resumed_to_the_same_result(shards, serve, tmp_path, monkeypatch):
    """The line dies in the second epoch; what was kept was too little to go on."""
    largest = max(path.stat().st_size for path in shards.glob("*.tar"))
    monkeypatch.setenv("MEDAUC_STREAM_LIMIT", str(12 * largest / 1e9))
    recipe = _recipe(training={"max_epochs": 3, "patience": None}, sampling={"batch_size": 16, "window": 2})
    train(load_shards(shards), recipe, tmp_path / "undisturbed")
    address, faults = serve(shards)
    found = load_shards(address)
    faults.lost_after = 32  # of 17 training shards and 5 of validation an epoch
    with pytest.raises(InputError, match=r"no connection; 8 attempts.*--resume") as caught:
        train(found, recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)
    epochs = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]
    assert len(epochs) == 1
    faults.lost_after = None
    train(load_shards(address), recipe, tmp_path / "run", resume=True)
    for name in ("predictions.csv", "checkpoints/best.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_short_epochs_go_through_the_whole_set(source, tmp_path):
    """Scored and saved after 4 batches each; together the batches of the long epoch."""
    for share in (0.5, None):
        whole = ImageDataModule(source, 16, share, seed=0, epoch_batches=12)
        short = ImageDataModule(source, 16, share, seed=0, epoch_batches=4)
        first = [batch.indices.tolist() for batch in whole.train_dataloader()]
        parts = [batch.indices.tolist() for _ in range(3) for batch in short.train_dataloader()]
        assert first == parts
    run = train(source, _recipe(sampling={"batch_size": 16, "epoch_batches": 3}), tmp_path / "run")
    assert len(run.folder.metrics.read_text().splitlines()) == 2  # a header and one short epoch


def test_folds_and_subsets_of_shards(source, shards):
    from medauc.data import SubsetSpec, take_subset

    spec = SubsetSpec(samples=60)
    small, expected = take_subset(load_shards(shards), spec), take_subset(source, spec)
    assert isinstance(small.train.images, MappedImages)
    assert np.array_equal(np.asarray(small.train.images), expected.train.images)
    assert small.train.ids.tolist() == expected.train.ids.tolist()


def test_from_the_command_line(command, tmp_path):
    """Written, trained on and reported by the name of the folder."""
    phantom = ["--set", "model.width=4", "--set", "training.max_epochs=1", "--set", "sampling.window=2"]
    load_dataset_npz(tmp_path / "own.npz")
    written = command("export", "own.npz", "set", "--format", "shards", "--shard-size", "1")
    assert written.returncode == 0, written.stderr
    assert "train on it with: medauc train set" in written.stdout
    trained = command("train", "set/", *phantom, "--out", "run")
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "run" / "report.html").exists()
    assert "data_path: " + str(tmp_path / "set") in (tmp_path / "run" / "recipe.yaml").read_text()


def load_dataset_npz(path: Path) -> None:
    """An own file with both classes in each split."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, count in (("train", 40), ("val", 20), ("test", 20)):
        arrays[f"{name}_images"] = rng.integers(0, 256, (count, 12, 12), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.arange(count) % 2
    np.savez(path, **arrays)
    assert load_dataset(path).train.images.shape == (40, 12, 12)
