"""What travels is whole when it arrives, and a run counts as finished only then."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medauc.data import load_dataset
from medauc.data.mapped import MappedImages
from medauc.training.cluster import freight
from medauc.training.cluster.freight import data_key, pack, portable_data, unpack
from medauc.training.unit import Unit


def test_a_run_folder_arrives_as_it_was_less_half_written_files(tmp_path):
    there = tmp_path / "there"
    (there / "checkpoints").mkdir(parents=True)
    (there / "checkpoints" / "last.ckpt").write_bytes(bytes(range(256)))
    (there / "metrics.csv").write_text("epoch\n0\n")
    (there / ".predictions.csv.0a1b.tmp").write_text("half")
    unpack(pack(there), tmp_path / "here")
    here = {path.relative_to(tmp_path / "here").as_posix() for path in (tmp_path / "here").rglob("*")}
    assert here == {"checkpoints", "checkpoints/last.ckpt", "metrics.csv"}
    assert (tmp_path / "here" / "checkpoints" / "last.ckpt").read_bytes() == bytes(range(256))
    assert pack(tmp_path / "nothing") == {}


def test_a_run_that_arrives_in_part_is_not_finished(tmp_path, monkeypatch):
    def write(path: Path, content: bytes) -> None:
        if content == b"scores":
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(freight, "write_bytes_atomically", write)
    with pytest.raises(OSError, match="No space"):
        unpack({"evaluation.json": b"{}", "predictions.csv": b"scores"}, tmp_path / "run")
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_units_share_data_only_where_they_read_the_same(tmp_path, tiny_recipe):
    unit = Unit(tmp_path / "a", "phantom2d", tiny_recipe, 0)
    margin = tiny_recipe.model_copy(update={"loss": tiny_recipe.loss.model_copy(update={"margin": 0.5})})
    larger = tiny_recipe.model_copy(update={"data": tiny_recipe.data.model_copy(update={"size": 16})})
    assert data_key(unit) == data_key(replace(unit, folder=tmp_path / "b", seed=1, recipe=margin))
    others = [
        replace(unit, recipe=larger), replace(unit, dataset="phantom3d"), replace(unit, hash_ids="salt"),
        replace(unit, data_dir=tmp_path),
    ]  # fmt: skip
    assert len({data_key(other) for other in [unit, *others]}) == 5


def test_images_on_disk_travel_as_pixels_outside_the_pickle(tmp_path, tiny_recipe, monkeypatch):
    unit = Unit(tmp_path / "run", "phantom2d", tiny_recipe, 0)
    whole = load_dataset("phantom2d", 12, phantom=tiny_recipe.data.phantom)
    np.save(tmp_path / "images.npy", whole.train.images)
    mapped = MappedImages(np.load(tmp_path / "images.npy", mmap_mode="r"), np.arange(40)[::-1])
    on_disk = replace(whole, train=replace(whole.train, images=mapped))
    monkeypatch.setattr(freight, "load_dataset", lambda *arguments, **options: on_disk)
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(portable_data(unit), protocol=5, buffer_callback=buffers.append)
    assert len(content) < whole.train.images.nbytes, "pixels are in buffers, which Ray maps and does not copy"
    arrived = pickle.loads(content, buffers=buffers)
    np.testing.assert_array_equal(arrived.train.images, whole.train.images[::-1])
    assert (arrived.md5, arrived.name) == (whole.md5, whole.name)
