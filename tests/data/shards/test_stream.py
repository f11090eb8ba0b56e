"""Streaming from an address: what is fetched, what is kept, and what happens when the line breaks."""

import gc
import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from medauc.data import load_dataset
from medauc.data.cache import cache_folder, clean_cache, list_cache
from medauc.data.datamodule import ImageDataModule
from medauc.data.shards import fetch, load_shards
from medauc.data.shards.layout import StoredFile
from medauc.data.shards.store import StreamStore, limit_of_streams
from medauc.errors import InputError


def _kept():
    return sorted(path.name for path in cache_folder().glob("*/*.tar"))


def _bytes_kept():
    return sum(path.stat().st_size for path in cache_folder().glob("*/*.tar"))


def test_opening_fetches_the_index_alone_and_once(source, shards, serve):
    address, faults = serve(shards)
    found = load_dataset(address)
    assert faults.fetched() == []
    assert found.train.ids.tolist() == source.train.ids.tolist()
    assert found.typed == address
    first = len(faults.requests)
    again = load_dataset(address + "/shards.json")
    assert len(faults.requests) == first + 1  # shards.json, to see whether it is still the same
    assert again.md5 == found.md5 == load_shards(shards).md5


def test_single_images_are_fetched_alone_and_neighbours_by_whole_shards(source, shards, serve):
    address, faults = serve(shards)
    found = load_shards(address)
    rows = np.array([3, 150, 77])
    assert np.array_equal(found.train.images[rows], source.train.images[rows])
    assert len(faults.fetched(parts=True)) == 3
    assert faults.fetched() == _kept() == []
    assert np.array_equal(found.val.images[:20], source.val.images[:20])
    assert {"val-000000.tar", "val-000001.tar"} <= set(faults.fetched())
    before = len(faults.fetched("val-000000.tar", parts=True))
    assert np.array_equal(found.val.images[1], source.val.images[1])  # from what is kept
    assert len(faults.fetched("val-000000.tar", parts=True)) == before


def test_a_training_fetches_each_shard_once_an_epoch_and_keeps_a_bounded_part(
    source, shards, serve, monkeypatch
):
    address, faults = serve(shards)
    largest = max(path.stat().st_size for path in shards.glob("*.tar"))
    monkeypatch.setenv("MEDAUC_STREAM_LIMIT", str(12 * largest / 1e9))
    found = load_shards(address)
    data = ImageDataModule(found, 16, None, seed=0, window=2)  # every sample once an epoch
    most = 0
    for batch in data.train_dataloader():
        rows = batch.indices.numpy()
        assert np.array_equal(batch.images.numpy(), source.train.images[rows])
        most = max(most, _bytes_kept())
    train = {path.name for path in shards.glob("train-*.tar")}
    assert set(faults.fetched()) >= train
    fetched = [name for name in faults.fetched() if name in train]
    assert len(fetched) <= len(train) + 4  # the next epoch's first windows are fetched ahead
    assert most <= 12 * largest < sum(path.stat().st_size for path in shards.glob("train-*.tar"))
    for batch in data.val_dataloader():
        assert np.array_equal(batch.images.numpy(), source.val.images[batch.indices.numpy()])
    assert _bytes_kept() <= 12 * largest


def test_a_window_that_cannot_be_kept_is_refused(shards, serve, monkeypatch):
    address, _ = serve(shards)
    monkeypatch.setenv("MEDAUC_STREAM_LIMIT", "0.0001")
    data = ImageDataModule(load_shards(address), 16, 0.5, seed=0, window=4)
    with pytest.raises(InputError, match=r"8 shards are mixed .* sampling.window"):
        data.train_dataloader()


def test_shards_are_fetched_ahead(shards, serve):
    address, faults = serve(shards)
    faults.seconds = 0.05
    data = ImageDataModule(load_shards(address), 8, 0.5, seed=0, window=2)
    next(iter(data.train_dataloader()))
    wanted = set(data.sampler.shards_ahead())
    deadline = time.monotonic() + 20
    while len(_kept()) < len(wanted) and time.monotonic() < deadline:
        time.sleep(0.02)
    files = data.dataset.train.images.base.store.files
    assert {files[shard].name for shard in wanted} <= set(_kept())


@pytest.mark.parametrize(
    "fault", [{"breaks": 2}, {"errors": 3}, {"damaged": 1}, {"breaks": 2, "ranges": False}], ids=str
)
def test_what_fails_for_a_while_is_tried_again(source, shards, serve, fault):
    address, faults = serve(shards)
    found = load_shards(address)
    for name, value in fault.items():
        setattr(faults, name, value)
    assert np.array_equal(np.asarray(found.test.images), source.test.images)
    assert not list(cache_folder().glob("*/.*.tmp"))


def test_a_broken_transfer_goes_on_where_it_stopped(serve, tmp_path):
    content = np.random.default_rng(0).bytes(400_000)
    (tmp_path / "large.tar").write_bytes(content)
    address, faults = serve(tmp_path)
    expected = StoredFile(name="large.tar", bytes=400_000, sha256=hashlib.sha256(content).hexdigest())
    faults.breaks = 1
    fetch.fetch_file(f"{address}/large.tar", tmp_path / "whole.tar", expected)
    held = 200_000 // fetch._CHUNK * fetch._CHUNK
    assert faults.requests == [("large.tar", None), ("large.tar", f"bytes={held}-")]
    assert (tmp_path / "whole.tar").read_bytes() == content


def test_no_server_fills_disk_or_memory(serve, tmp_path, monkeypatch):
    (tmp_path / "endless.tar").write_bytes(bytes(8 << 20))
    address, faults = serve(tmp_path)
    url, read = f"{address}/endless.tar", []
    chunks = fetch._chunks

    def counted(answer):
        for chunk in chunks(answer):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(fetch, "_chunks", counted)
    monkeypatch.setattr(fetch, "ATTEMPTS", 1)
    monkeypatch.setattr(fetch, "_LONGEST_TEXT", 1000)
    expected = StoredFile(name="endless.tar", bytes=10, sha256=hashlib.sha256(bytes(10)).hexdigest())
    with pytest.raises(InputError, match=r"not the file that shards\.json speaks of"):
        fetch.fetch_file(url, tmp_path / "out.tar", expected)
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        fetch.fetch_text(url)
    assert sum(read) <= 2 * fetch._CHUNK
    read.clear()
    faults.ranges = False
    with pytest.raises(InputError, match="no HTTP ranges"):
        fetch.fetch_range(url, 0, 10)
    assert not read, "the answer is not read before it is one"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"breaks": 99, "ranges": False}, "broke off"),
        ({"errors": 99}, "answers 503"),
        ({"damaged": 99}, "not the file that shards.json speaks of"),
        ({"gone": True}, "answers 404"),
    ],
    ids=str,
)
def test_what_keeps_failing_is_told_in_one_line_and_leaves_nothing(shards, serve, fault, told):
    address, faults = serve(shards)
    found = load_shards(address)
    for name, value in fault.items():
        setattr(faults, name, value)
    with pytest.raises(InputError, match=told) as caught:
        found.test.images[:]
    assert "\n" not in str(caught.value)
    assert "test-" in str(caught.value)
    assert _kept() == []


def test_images_of_another_set_at_the_same_address_are_noticed(shards, serve):
    address, faults = serve(shards)
    found = load_shards(address)
    faults.damaged = 99
    with pytest.raises(InputError, match="not that of the index"):
        found.train.images[5]


def test_a_server_without_ranges_is_told(shards, serve):
    address, faults = serve(shards)
    found = load_shards(address)
    faults.ranges = False
    with pytest.raises(InputError, match="no HTTP ranges"):
        found.train.images[5]


def test_nobody_there_is_told_in_one_line(shards, serve, monkeypatch):
    monkeypatch.setattr(fetch, "ATTEMPTS", 2)
    with pytest.raises(InputError, match=r"cannot be fetched \(no connection; 2 attempts\)"):
        load_shards("http://127.0.0.1:9/set")


def test_a_wrong_address_is_told(shards, serve):
    address, _ = serve(shards)
    with pytest.raises(InputError, match="answers 404"):
        load_shards(address + "/elsewhere")


def test_two_processes_fetch_a_shard_once(shards, serve):
    address, faults = serve(shards)
    faults.seconds = 0.1
    program = (
        "import sys; from medauc.data.shards import load_shards; "
        "print(load_shards(sys.argv[1]).test.images[:].sum())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, address], env=os.environ, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    sums = {process.communicate(timeout=120)[0] for process in running}
    assert sums == {f"{np.asarray(load_shards(shards).test.images).sum()}\n"}
    tests = [name for name in faults.fetched() if name.startswith("test-")]
    assert len(tests) == len(set(tests))


def test_the_cache_lists_a_stream_and_cleans_it_when_it_is_not_in_use(shards, serve):
    address, _ = serve(shards)
    found = load_shards(address)
    found.test.images[:]
    (entry,) = list_cache()
    assert (entry.images, entry.shape, entry.source) == (230, (12, 12), address)
    assert entry.in_use
    assert clean_cache() == []
    del found
    gc.collect()
    assert [entry.source for entry in clean_cache()] == [address]
    assert _kept() == []


def test_what_was_not_used_for_longest_makes_room(shards, serve, tmp_path):
    address, _ = serve(shards)
    files = load_shards(shards).train.images.base.store.files[:4]
    store = StreamStore(address, tmp_path, files, limit=2 * max(file.bytes for file in files))
    for shard, stamp in ((0, 100), (1, 200)):
        os.utime(store.whole(shard), (stamp, stamp))
    assert store.here(0) is not None  # used again, so it stays
    store.whole(2)
    assert [store.is_gone(shard) for shard in range(4)] == [False, True, False, True]


def test_a_shard_larger_than_the_limit_is_told(shards, serve, tmp_path):
    address, _ = serve(shards)
    files = load_shards(shards).train.images.base.store.files
    with pytest.raises(InputError, match="MEDAUC_STREAM_LIMIT"):
        StreamStore(address, tmp_path, files, limit=1000).whole(0)


@pytest.mark.parametrize("text", ["-1", "much", "nan", "inf"])
def test_a_wrong_limit_is_told(monkeypatch, text):
    monkeypatch.setenv("MEDAUC_STREAM_LIMIT", text)
    with pytest.raises(InputError, match="must be a number of GB"):
        limit_of_streams()
