"""What shards cost: batches a second from a folder and from an address against memory, and memory of the index.

    .venv/bin/python benchmarks/shards.py

One process, one thread, contenders in turn; processor seconds of this process, which an address's server (a process of
its own on this machine, so no network) does not count to. Compare the ratios. Writes results/shards.json.
"""

import ctypes
import http.server
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medauc.data import Dataset, Split
from medauc.data.datamodule import ImageDataModule
from medauc.data.shards import load_shards, write_shards
from medauc.files import write_text_atomically
from medauc.sampling import ClassBalancedBatchSampler, Shards

RESULT = Path(__file__).parent / "results" / "shards.json"
CASES: dict[str, tuple[tuple[int, ...], int, int]] = {  # shape, training images, bytes of a shard
    "28^2": ((28, 28), 12_000, 2**21),
    "96^3": ((96, 96, 96), 120, 2**24),
}
BATCH, ROUNDS, MILLION = 32, 5, 10**6


def made(shape: tuple[int, ...], count: int) -> Dataset:
    """Random images, one in ten positive."""
    rng = np.random.default_rng(0)
    splits = []
    for name, n in (("train", count), ("val", 20), ("test", 20)):
        ids = np.array([f"{name}-{row:06d}" for row in range(n)])
        targets = (np.arange(n) % 10 == 0).astype(np.int64)
        splits.append(Split(rng.integers(0, 256, (n, *shape), dtype=np.uint8), targets, ids, ids))
    return Dataset("made", *splits, ("no", "yes"), ("yes",), None, "0" * 32)


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Sends whole files; single images are not read here."""

    def log_message(self, format: str, *values: object) -> None:
        pass


def serve(folder: str, ready: Any) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Ranges, directory=folder))
    ready.send(server.server_port)
    server.serve_forever()


def epoch(data: ImageDataModule) -> tuple[float, int]:
    """Processor seconds and batches of an epoch."""
    loader = data.train_dataloader()
    start, count = time.process_time(), 0
    for _ in loader:
        count += 1
    return time.process_time() - start, count


def throughput(shape: tuple[int, ...], count: int, shard_bytes: int, folder: Path) -> dict[str, Any]:
    dataset = made(shape, count)
    start = time.process_time()
    write_shards(dataset, folder / "set", shard_bytes=shard_bytes)
    writing = (time.process_time() - start) / count
    receive, send = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(str(folder), send), daemon=True)
    server.start()
    address = f"http://127.0.0.1:{receive.recv()}/set"
    streamed = load_shards(folder / "set")
    mapped = np.lib.format.open_memmap(folder / "mapped.npy", "w+", np.uint8, dataset.train.images.shape)
    mapped[:] = dataset.train.images
    sides = {
        "memory": dataset,
        "mapped array": replace(
            dataset, train=replace(dataset.train, images=np.load(folder / "mapped.npy", mmap_mode="r"))
        ),
        "folder": streamed,
        "address, first epoch": load_shards(address),
    }
    modules = {name: ImageDataModule(side, BATCH, 0.5, seed=0, window=4) for name, side in sides.items()}
    first = epoch(modules["address, first epoch"])
    rates: dict[str, list[float]] = {name: [] for name in modules}
    rates["address, first epoch"].append(first[1] / first[0])
    modules["address, kept"] = modules.pop("address, first epoch")
    rates["address, kept"] = []
    for turn in range(ROUNDS + 1):
        for name, module in modules.items():
            taken, batches = epoch(module)
            if turn:
                rates[name].append(batches / taken)
    server.kill()
    found = {name: statistics.median(values) for name, values in rates.items()}
    tars = [path.stat().st_size for path in (folder / "set").glob("*.tar")]
    return {
        "shards": len(tars),
        "bytes_an_image_on_disk": round(sum(tars) / (count + 40)),
        "pixels": int(np.prod(shape)),
        "writing_microseconds_an_image": round(writing * 1e6),
        "batches_per_second": {name: round(value, 1) for name, value in found.items()},
        "images_per_second": {name: round(value * BATCH) for name, value in found.items()},
        "against memory": {name: round(value / found["memory"], 3) for name, value in found.items()},
    }


def held() -> int:
    """Bytes of this process that are its own, files that it maps aside (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def index_memory(count: int, in_shards: bool) -> int:
    """Bytes that the sampler of a set of ``count`` images takes, its targets aside."""
    targets = (torch.arange(count) % 100 == 0).long()
    of_sample = torch.arange(count, dtype=torch.int32) // 10_000
    before = held()
    sampler = ClassBalancedBatchSampler(targets, 64, shards=Shards(of_sample, 16) if in_shards else None)
    next(iter(sampler))
    return held() - before


def memory() -> dict[str, float]:
    """Bytes a sample, from two sizes, each in a process of its own."""
    found = {}
    for name, in_shards in (("whole shuffle", False), ("windows of shards", True)):
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            small, large = (pool.apply(index_memory, (n * MILLION, in_shards)) for n in (1, 3))
        found[name] = round((large - small) / (2 * MILLION), 1)
    return found


def main() -> None:
    torch.set_num_threads(1)
    os.environ["NO_PROXY"] = "127.0.0.1"
    result: dict[str, Any] = {
        "machine": f"one thread, torch {torch.__version__}, Python {platform.python_version()}"
    }
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MEDAUC_CACHE"] = str(Path(folder) / "cache")
            result[name] = throughput(*case, Path(folder))
    result["sampler, bytes a sample"] = memory()
    write_text_atomically(RESULT, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
