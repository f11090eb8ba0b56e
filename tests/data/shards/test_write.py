"""What is written: tar files that WebDataset reads, one class each, and an index that finds every pixel."""

import json
import tarfile

import numpy as np
import pytest
import webdataset

from medauc.data import BagSpec, load_dataset, make_bags
from medauc.data.normalize import compute_statistics
from medauc.data.shards import load_shards, write_shards
from medauc.errors import InputError


def test_what_is_read_is_what_was_written(source, shards):
    found = load_shards(shards)
    for name, split in found.splits.items():
        own = source.splits[name]
        assert np.array_equal(np.asarray(split.images), own.images)
        assert np.array_equal(split.targets, own.targets)
        assert split.ids.tolist() == own.ids.tolist()
        assert split.groups.tolist() == own.groups.tolist()
    assert (found.name, found.class_names, found.label_names) == (
        source.name,
        source.class_names,
        source.label_names,
    )
    assert load_dataset(shards / "shards.json").md5 == found.md5


def test_labels_colour_and_columns_too(colour_set, tmp_path):
    write_shards(colour_set, tmp_path / "set", shard_bytes=8_000)
    found = load_shards(tmp_path / "set")
    for name, split in found.splits.items():
        own = colour_set.splits[name]
        assert np.array_equal(np.asarray(split.images), own.images)
        assert np.array_equal(split.targets, own.targets)
        assert split.groups.tolist() == own.groups.tolist()
        assert split.metadata["scanner"].tolist() == own.metadata["scanner"].tolist()
    assert found.multi_label
    assert found.channels == 3
    assert compute_statistics(found.train.images, 2) == compute_statistics(colour_set.train.images, 2)


def test_webdataset_reads_the_tar_files_without_the_index(source, shards):
    paths = sorted(map(str, shards.glob("train-*.tar")))
    samples = webdataset.WebDataset(paths, shardshuffle=False).decode()
    rows = {name: row for row, name in enumerate(source.train.ids.tolist())}
    seen = []
    for sample in samples:
        row = rows[sample["json"]["id"]]
        assert np.array_equal(sample["npy"], source.train.images[row])
        assert sample["json"]["target"] == source.train.targets[row]
        assert sample["json"]["group"] == source.train.groups[row]
        seen.append(row)
    assert sorted(seen) == list(range(160))


def test_webdataset_reads_labels_and_columns(colour_set, tmp_path):
    write_shards(colour_set, tmp_path / "set")
    (sample, *_) = webdataset.WebDataset(
        str(tmp_path / "set" / "val-000000.tar"), shardshuffle=False
    ).decode()
    assert sample["npy"].shape == (6, 5, 3)
    assert sample["json"] == {
        "id": "val-00000",
        "group": "pätient 0/val",
        "scanner": colour_set.val.metadata["scanner"][0],
        "target": colour_set.val.targets[0].tolist(),
    }


def test_training_shards_hold_one_class_and_no_neighbours(source, shards):
    found = load_shards(shards)
    train = found.train.images
    for shard in np.unique(train.shards):
        rows = np.flatnonzero(train.shards == shard)
        assert len(set(source.train.targets[rows])) == 1
        assert np.diff(rows).max() > 3  # neighbours in the source lie in several shards
    for split in (found.val, found.test):  # in their order
        places = split.images.shards.astype(np.int64) << 32 | split.images.base.offset[split.images.rows]
        assert (np.diff(places) > 0).all()


def test_shards_have_about_the_size_that_was_asked_for(shards):
    sizes = [path.stat().st_size for path in shards.glob("*.tar")]
    assert max(sizes) < 2 * 25_000
    assert len(sizes) >= 160 * 2_560 // 25_000


def test_equal_sets_give_equal_bytes(source, shards, tmp_path):
    write_shards(source, tmp_path / "again", shard_bytes=25_000)
    names = sorted(path.name for path in shards.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (shards / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_sizes_and_digests_in_the_description_are_true(shards):
    import hashlib

    described = json.loads((shards / "shards.json").read_text())
    files = [*described["index"], *described["shards"]]
    assert {file["name"] for file in files} == {path.name for path in shards.iterdir()} - {"shards.json"}
    for file in files:
        content = (shards / file["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])


def test_members_carry_no_owner_and_no_time(shards):
    with tarfile.open(shards / "val-000000.tar") as tar:
        assert {(member.uid, member.uname, member.mtime) for member in tar} == {(0, "", 0)}


def test_a_folder_that_holds_something_is_refused(source, tmp_path):
    (tmp_path / "there").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_shards(source, tmp_path)


def test_bags_are_refused(tmp_path):
    from medauc.data import PhantomSpec

    volumes = load_dataset("phantom3d", 12, phantom=PhantomSpec(n_train=4, n_val=2, n_test=2, signal_width=1))
    with pytest.raises(InputError, match="bags"):
        write_shards(make_bags(volumes, BagSpec(slices=0)), tmp_path / "set")
    write_shards(volumes, tmp_path / "volumes")
    with pytest.raises(InputError, match="cannot be put into bags"):
        make_bags(load_shards(tmp_path / "volumes"), BagSpec(slices=0))


def test_an_interrupted_writing_leaves_no_set(source, tmp_path):
    calls = []

    def stop(stage, done, total):
        calls.append(done)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(source, tmp_path / "set", shard_bytes=25_000, progress=stop)
    assert not (tmp_path / "set" / "shards.json").exists()
    with pytest.raises(InputError, match=r"shards.json cannot be read"):
        load_shards(tmp_path / "set")
