"""The measurements of ``scale.py``, each in a process of its own: ``python scale_measures.py NAME '[ARGUMENTS]'``."""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scale_material import KINDS

BATCHES = {"64x64 PNG": 400, "96^3 NIfTI": 75}  # that read more than may stay in memory (``scale.LIMITS``)
FEW = (
    5  # batches without reading ahead, each of which reads gigabytes where the disk's read-ahead is megabytes
)


def opened(folder: Path, kind: str, count: int) -> np.ndarray:
    """The first files of a folder, prepared: built by one worker process, or mapped where they are built."""
    from medauc.data.cache import open_cache
    from medauc.data.preparation import PreparationSpec

    paths = sorted(folder.glob("*"))[:count]
    flat = kind == "64x64 PNG"
    spec = PreparationSpec() if flat else PreparationSpec(intensity=(-1000, 1000))
    size, dims = (64, 2) if flat else (96, 3)
    return open_cache(paths, spec, size, dims, folder=folder.with_name("cache"), jobs=1).images


def build(folder: str, kind: str, count: int) -> dict[str, float]:
    """Build in this process and its worker."""
    began, wall = processor_seconds(), time.monotonic()
    images = opened(Path(folder), kind, count)
    entry = Path(str(images.filename)).parent
    return {
        "build_seconds": processor_seconds() - began,
        "build_wall_seconds": time.monotonic() - wall,
        "parent_peak_mib": memory()["VmHWM"],
        "worker_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "disk_mb": sum(file.stat().st_blocks * 512 for file in entry.iterdir()) / 1e6,
    }


def train(folder: str, kind: str, count: int) -> dict[str, float]:
    """One epoch of batches from the cache, each with a step of a small network."""
    import torch

    from medauc.data.mapped import take_images

    torch.set_num_threads(1)
    began = processor_seconds()
    images = take_images(opened(Path(folder), kind, count), np.arange(count))
    again = processor_seconds() - began
    step = stepper(kind)
    step(images[:2])
    before, began = memory(), processor_seconds()
    for rows in batches(count, KINDS[kind]["batch"]):
        step(images[rows])
    after = memory()
    return {
        "open_again_seconds": again,
        "train_seconds": processor_seconds() - began,
        "train_own_mib_more": after["RssAnon"] - before["RssAnon"],
        "train_mapped_mib": after["RssFile"] - before["RssFile"],
    }


def batches(count: int, size: int) -> Iterator[np.ndarray]:
    """An epoch of class-balanced batches, a tenth of the samples positive."""
    from medauc.sampling import ClassBalancedBatchSampler

    targets = (np.arange(count) % 10 == 0).astype(np.int64)
    for rows in ClassBalancedBatchSampler(targets, size, seed=0):
        yield np.asarray(rows)


def stepper(kind: str) -> Any:
    """A training step of a network so small that reading is not hidden behind it."""
    import torch
    from torch import nn

    flat = kind == "64x64 PNG"
    conv, pool = (nn.Conv2d, nn.AdaptiveAvgPool2d) if flat else (nn.Conv3d, nn.AdaptiveAvgPool3d)
    net = nn.Sequential(conv(1, 4, 3, stride=4), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def step(pixels: np.ndarray) -> None:
        loss = net(torch.from_numpy(pixels)[:, None].float() / 255).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def limited(path: str, kind: str, group: str, ahead: bool) -> dict[str, float]:
    """Random training batches of an array on disk, in a process that enters a control group once it has started."""
    import torch

    from medauc.data.mapped import MappedImages

    torch.set_num_threads(1)
    step, size = stepper(kind), KINDS[kind]["batch"]
    base = np.load(path, mmap_mode="r")
    images = MappedImages(base, np.arange(len(base))) if ahead else base
    step(images[:2])
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(base), size) for _ in range(BATCHES[kind] if ahead else FEW)]
    if group:
        (Path(group) / "cgroup.procs").write_text(str(os.getpid()))
    read, began, wall = bytes_read(), processor_seconds(), time.monotonic()
    for rows in draws:
        step(images[rows])
    return {
        "samples_per_processor_second": size * len(draws) / (processor_seconds() - began),
        "samples_per_second": size * len(draws) / (time.monotonic() - wall),
        "read_from_disk_per_pixel": (bytes_read() - read) / (size * len(draws) * base[0].nbytes),
    }


def rows_of(path: str) -> dict[str, float]:
    """What a manifest costs before any image is looked at: read, split, joined with its images."""
    from dataclasses import replace

    from medauc.data.files import dataset_of
    from medauc.data.manifest import read_manifest, require_trainable, split_manifest
    from medauc.data.mapped import take_images

    marks = [("start", time.process_time())]
    manifest = read_manifest(Path(path))
    manifest = replace(manifest, there=np.ones(len(manifest), dtype=bool))  # as if the files were there
    marks.append(("read_seconds", time.process_time()))
    manifest, how = split_manifest(manifest, None)
    require_trainable(manifest)
    marks.append(("split_seconds", time.process_time()))
    pixels = np.zeros((len(manifest), 1, 1), np.uint8)
    dataset = dataset_of(manifest, take_images(pixels, np.arange(len(manifest))), "", how, ())
    marks.append(("join_seconds", time.process_time()))
    sum(len(rows) for rows in batches(len(dataset.train), 64))
    marks.append(("epoch_of_batches_seconds", time.process_time()))
    spent = {name: now - marks[i][1] for i, (name, now) in enumerate(marks[1:])}
    return {"files": len(manifest), **spent, "peak_mib": memory()["VmHWM"]}


def processor_seconds() -> float:
    """Of this process and of those that it ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def memory() -> dict[str, float]:
    """MiB of this process: its peak, its own part, and pages of files, which the system may take back."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) / 1024 for name in ("VmHWM", "RssAnon", "RssFile")}


def bytes_read() -> int:
    """From the disk, by this process."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["read_bytes"])


if __name__ == "__main__":
    measures = {"build": build, "train": train, "limited": limited, "rows": rows_of}
    print(json.dumps(measures[sys.argv[1]](*json.loads(sys.argv[2]))))
