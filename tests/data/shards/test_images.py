"""Images in shards as an array, and an index that cannot be trusted."""

import json
import shutil

import numpy as np
import pytest

from medauc.data import load_dataset
from medauc.data.mapped import join_images
from medauc.data.normalize import compute_statistics
from medauc.data.shards import ShardedImages, load_shards
from medauc.errors import InputError


@pytest.mark.parametrize(
    "key",
    [3, -1, slice(5, 40, 3), np.array([7, 7, 0, 150]), np.arange(160) % 3 == 0, np.array([], np.int64)],
    ids=["row", "last", "slice", "rows", "mask", "none"],
)
def test_indexing_is_that_of_an_array(source, shards, key):
    images = load_shards(shards).train.images
    assert np.array_equal(images[key], source.train.images[key])
    assert images[key].dtype == np.uint8
    assert images[key].shape == source.train.images[key].shape


def test_chosen_and_joined_images_stay_in_their_shards(source, shards):
    found = load_shards(shards)
    joined = found.train.take(np.array([9, 4])).concatenate(found.val)
    assert isinstance(joined.images, ShardedImages)
    expected = np.concatenate([source.train.images[[9, 4]], source.val.images])
    assert np.array_equal(np.asarray(joined.images), expected)
    assert isinstance(join_images([found.train.images, found.test.images]), ShardedImages)


def test_statistics_come_from_the_index_and_are_exact(source, shards, monkeypatch):
    found = load_shards(shards)
    part = np.arange(0, 160, 7)
    assert compute_statistics(found.train.take(part).images, 2) == compute_statistics(
        source.train.images[part], 2
    )
    both = found.train.concatenate(found.val).images
    monkeypatch.setattr(type(found.train.images.base), "read", None)  # whole splits need no pixel
    assert compute_statistics(found.train.images, 2) == compute_statistics(source.train.images, 2)
    assert compute_statistics(both, 2) == compute_statistics(
        np.concatenate([source.train.images, source.val.images]), 2
    )


def test_positive_class_can_be_chosen(source, shards):
    flipped = load_dataset(shards, positive_class="signal absent")
    assert np.array_equal(flipped.train.targets, 1 - source.train.targets)
    assert flipped.positive_class == "signal absent"


COLUMNS = ("shard", "offset", "crc32", "targets", "ids", "groups")


@pytest.fixture
def copy(shards, tmp_path):
    """A set that may be damaged."""
    return shutil.copytree(shards, tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("shard.npy", lambda found: found + 1000),
        ("offset.npy", lambda found: found + 10**6),
        ("offset.npy", lambda found: -found),
        ("targets.npy", lambda found: found + 5),
        ("targets.npy", lambda found: found[:, None]),
        ("pixel-counts.npy", lambda found: found[:-1]),
        ("crc32.npy", lambda found: found.astype(np.float64)),
        ("ids.npy", lambda found: found[:-1]),
        ("groups.npy", lambda found: np.array([object()] * len(found))),
        ("offset.npy", lambda found: np.where(np.arange(len(found)), found, 2**63 - 1)),
        ("offset.npy", lambda found: (found % 100).astype(np.int8)),
        ("pixel-counts.npy", lambda found: -found),
        ("pixel-counts.npy", lambda found: found + 1),
        ("pixel-counts.npy", lambda found: np.full_like(found, 2**62)),
        ("ids.npy", lambda found: (found.view(np.uint32) + 0x7FFF0000).view(found.dtype)),
        *((f"{name}.npy", lambda found: np.array(found.flat[0])) for name in COLUMNS),
        *((f"{name}.npy", lambda found: np.stack([found, found], 1)) for name in COLUMNS),
    ],
)
def test_an_index_that_does_not_fit_is_refused(copy, name, change):
    np.save(copy / name, change(np.load(copy / name)), allow_pickle=True)
    described = json.loads((copy / "shards.json").read_text())
    for file in described["index"]:
        file["bytes"] = (copy / file["name"]).stat().st_size
    (copy / "shards.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=name):
        load_shards(copy)


@pytest.mark.parametrize("name", ["train-negative-000001.tar", "ids.npy"])
@pytest.mark.parametrize("how", ["gone", "short"])
def test_a_file_that_is_missing_or_short_is_named(copy, name, how):
    if how == "gone":
        (copy / name).unlink()
    else:
        (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{name} is missing or not"):
        load_shards(copy)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda told: told["shards"][0].update(name="../outside.tar"), "shards.0.name"),
        (lambda told: told["shards"][0].update(name="/etc/passwd"), "shards.0.name"),
        (lambda told: told["index"][0].update(name="a/b.npy"), "index.0.name"),
        (lambda told: told.update(name="../run"), "name"),
        (lambda told: told.update(image_shape=[2**32, 2**32]), "image_shape"),
        (lambda told: told.update(format="medauc shards 2"), "format"),
        (lambda told: told["counts"].pop("val"), "a split is missing"),
        (lambda told: told["index"].pop(0), "the index lacks"),
        (lambda told: told["counts"].update(train=161), "rows"),
        (lambda told: told.update(counts={"train": 0, "val": 0, "test": 0}), "no samples"),
        (lambda told: told["shards"].append(told["shards"][0]), "named twice"),
    ],
)
def test_a_description_that_cannot_be_trusted_is_refused(copy, change, told):
    described = json.loads((copy / "shards.json").read_text())
    change(described)
    (copy / "shards.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=told) as caught:
        load_shards(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b'{"name": "\xff"}', b"\xff\xfe"])
def test_no_json_is_refused(copy, content: bytes):
    (copy / "shards.json").write_bytes(content)
    with pytest.raises(InputError, match=r"no description of shards"):
        load_shards(copy)
