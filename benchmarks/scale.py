"""Data sets that grow: what the cache costs a file in time, memory and disk, and training from more than memory holds.

Files are written into a temporary folder (8-bit PNGs of 64 pixels a side, packed 16-bit NIfTI volumes of 96 voxels a
side), built into a cache by one worker process and read once in class-balanced training batches with a step of a small
network; each in a process of its own. A straight line through the points tells what a million images and ten thousand
volumes would take; how far the points lie from it is told too. Times are processor seconds of one core, workers
included. "limit" reads random batches from an array three times as large as the memory that the process may use (a
control group of Linux, versions 1 and 2, as root; ``ulimit -v`` would count what is mapped, not what is in memory).
Run: python benchmarks/scale.py [--only growth|limit|rows] [--small]
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "scale.json"
KINDS: dict[str, dict[str, Any]] = {
    "64x64 PNG": {"counts": (2000, 4000, 8000, 16000), "planned": 1_000_000, "shape": (64, 64), "batch": 64},
    "96^3 NIfTI": {"counts": (25, 50, 100, 200), "planned": 10_000, "shape": (96, 96, 96), "batch": 4},
}
# MiB beside what the process has taken before (Python and torch, about 220), and batches that read more than that.
LIMITS = {"64x64 PNG": (64, 400), "96^3 NIfTI": (256, 75)}
TIMES_THE_LIMIT = 3
FEW = (
    5  # batches without reading ahead, each of which reads gigabytes where the disk's read-ahead is megabytes
)
ROWS = (100_000, 1_000_000)


def write_files(folder: Path, kind: str, count: int) -> None:
    """Smooth random images with noise, which compress about as far as real ones; few fields serve all."""
    rng = np.random.default_rng(0)
    if kind == "64x64 PNG":
        from PIL import Image

        fields = [128 + smooth(rng, (64, 64), 40) for _ in range(32)]
        for number in range(count):
            field = np.roll(fields[number % 32], number // 32, axis=(0, 1)) + rng.normal(0, 2, (64, 64))
            Image.fromarray(field.clip(0, 255).astype(np.uint8)).save(folder / f"{number:07}.png")
        return
    import nibabel

    field = smooth(rng, (96, 96, 96), 300)
    noise = rng.normal(0, 8, field.shape)
    for number in range(count):
        values = (np.roll(field, number, axis=0) + np.roll(noise, 7 * number, axis=1)).astype(np.int16)
        volume = nibabel.Nifti1Image(values, np.diag([-0.8, -0.8, 1.25, 1]))
        nibabel.save(volume, folder / f"{number:07}.nii.gz")


def smooth(rng: np.random.Generator, shape: tuple[int, ...], height: float) -> np.ndarray:
    """A random field of standard deviation ``height``."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.normal(size=shape), 3)
    return field / field.std() * height


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

    from medauc.data import mapped

    if not ahead:
        mapped.read_ahead = lambda base, rows: None
    torch.set_num_threads(1)
    step, size = stepper(kind), KINDS[kind]["batch"]
    base = np.load(path, mmap_mode="r")
    images = mapped.MappedImages(base, np.arange(len(base)))
    step(images[:2])
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(base), size) for _ in range(LIMITS[kind][1] if ahead else FEW)]
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


@contextmanager
def group_of(limit_mib: int) -> Iterator[str]:
    """A control group below this process's own that may use so much memory; "" for no limit."""
    if not limit_mib:
        yield ""
        return
    own = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
    root, bound = (
        (Path("/sys/fs/cgroup/memory" + own["memory"]), "memory.limit_in_bytes")
        if "memory" in own
        else (Path("/sys/fs/cgroup" + own[""]), "memory.max")
    )
    group = root / f"medauc_scale_{os.getpid()}"
    group.mkdir()
    try:
        (group / bound).write_text(str(limit_mib << 20))
        yield str(group)
    finally:
        group.rmdir()


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


def write_manifest(path: Path, count: int) -> None:
    """Paths, targets, patients of three images each, two further columns."""
    with path.open("w", encoding="utf-8") as file:
        file.write("path,target,group,sex,site\n")
        for i in range(count):
            row = f"images/{i // 1000:04}/image_{i:07}.png,{int(i % 10 == 0)},patient_{i // 3:06},{'fm'[i % 2]},{i % 7}"
            file.write(row + "\n")


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


def forget(path: Path) -> None:
    """Have the system drop a file's pages, so that it is read from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_process(what: str, *arguments: object) -> dict[str, float]:
    """Run one function of this script in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, what, json.dumps(arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def fitted(points: list[dict[str, float]], name: str, planned: int) -> dict[str, float]:
    """A straight line through the points: its value at the planned size, and the largest distance in percent."""
    files, values = (np.array([point[key] for point in points]) for key in ("files", name))
    slope, start = np.polyfit(files, values, 1)
    off = np.abs(slope * files + start - values).max() / max(abs(values).max(), 1e-9)
    return {
        "a_file": float(f"{slope:.4g}"),
        "planned": round(float(slope * planned + start), 1),
        "residual_percent": round(100 * float(off), 1),
    }


def growth(counts: int) -> dict[str, Any]:
    """Build and train on more and more files."""
    found = {}
    for title, kind in KINDS.items():
        points = []
        with tempfile.TemporaryDirectory() as name:
            files = Path(name) / "files"
            files.mkdir()
            write_files(files, title, kind["counts"][counts - 1])
            for count in kind["counts"][:counts]:
                arguments = (str(files), title, count)
                points.append(
                    {"files": count} | in_process("build", *arguments) | in_process("train", *arguments)
                )
                shutil.rmtree(Path(name) / "cache")
                print(title, points[-1], flush=True)
        names = [name for name in points[0] if name not in ("files", "build_wall_seconds")]
        found[title] = {
            "points": [{key: round(value, 3) for key, value in point.items()} for point in points],
            f"extrapolated to {kind['planned']:,}": {
                key: fitted(points, key, kind["planned"]) for key in names
            },
        }
    return found


def limit() -> dict[str, Any]:
    """Rates from an array that is larger than memory and from the same array without a limit."""
    found = {}
    for title, (mib, _) in LIMITS.items():
        shape = KINDS[title]["shape"]
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "images.npy"
            count = TIMES_THE_LIMIT * (mib << 20) // int(np.prod(shape))
            write_array(path, (count, *shape))
            runs = {}
            ways = (("limited", mib), ("from disk", 0), ("from memory", 0), ("limited, rows one by one", mib))
            for how, bound in ways:
                if how == "from memory":
                    path.read_bytes()
                else:
                    forget(path)
                with group_of(bound) as group:
                    one = in_process("limited", str(path), title, group, "one by one" not in how)
                runs[how] = {key: round(value, 2) for key, value in one.items()}
        found[title] = {"samples": count, "array_mib": TIMES_THE_LIMIT * mib, "limit_mib": mib, **runs}
        for rate in ("samples_per_second", "samples_per_processor_second"):
            for other in ("from disk", "from memory"):
                ratio = runs["limited"][rate] / runs[other][rate]
                found[title][f"{rate}, limited to {other}"] = round(ratio, 3)
        print(title, json.dumps(found[title], indent=1), flush=True)
    return found


def write_array(path: Path, shape: tuple[int, ...]) -> None:
    """Random pixels, as the cache lays them out."""
    from medauc.data.cache.build import _empty_array

    _empty_array(path, shape)
    images, rng = np.load(path, mmap_mode="r+"), np.random.default_rng(0)
    step = max(1, (8 << 20) // int(np.prod(shape[1:])))
    for start in range(0, len(images), step):
        part = images[start : start + step]
        part[:] = np.frombuffer(rng.bytes(part.size), dtype=np.uint8).reshape(part.shape)
    images.flush()


def manifests() -> dict[str, Any]:
    """Tables of many rows."""
    points = []
    with tempfile.TemporaryDirectory() as name:
        for count in ROWS:
            path = Path(name) / f"{count}.csv"
            write_manifest(path, count)
            points.append({key: round(value, 2) for key, value in in_process("rows", str(path)).items()})
            print(points[-1], flush=True)
    return {"points": points}


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = ["# Data sets that grow", "", f"Processor seconds of one core ({result['machine']}).", ""]
    for title, found in result.get("growth", {}).items():
        lines += [f"## {title}", "", *table(found["points"]), ""]
        planned = next(name for name in found if name.startswith("extrapolated"))
        rows = [{"figure": name} | found[planned][name] for name in found[planned]]
        lines += [f"A straight line, {planned}; residual: of the largest point.", "", *table(rows), ""]
    for title, found in result.get("limit", {}).items():
        runs = [{"run": how} | one for how, one in found.items() if isinstance(one, dict)]
        size = f"{found['array_mib']} MiB of images, {found['limit_mib']} MiB allowed"
        lines += [f"## {title}: {size}", "", *table(runs), ""]
    if "rows" in result:
        lines += ["## Manifests until the first batch", "", *table(result["rows"]["points"]), ""]
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as a table of Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", "|---" * len(names) + "|"]
    return head + [f"| {' | '.join(str(row.get(name, '')) for name in names)} |" for row in rows]


def main() -> None:
    """Measure everything, or one part of it anew, and write the result."""
    from medauc.files import write_text_atomically

    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=("growth", "limit", "rows"))
    parser.add_argument("--small", action="store_true", help="leave out the largest numbers of files")
    asked = parser.parse_args()
    result = {}
    if asked.only in (None, "growth"):
        result["growth"] = growth(3 if asked.small else 4)
    if asked.only in (None, "limit"):
        result["limit"] = limit()
    if asked.only in (None, "rows"):
        result["rows"] = manifests()
    result = (json.loads(RESULT.read_text()) if RESULT.exists() else {}) | result
    result["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one used"
    write_text_atomically(RESULT, json.dumps(result, indent=2) + "\n")
    write_text_atomically(RESULT.with_suffix(".md"), page(result))


if __name__ == "__main__":
    children = {"build": build, "train": train, "limited": limited, "rows": rows_of}
    if len(sys.argv) == 3 and sys.argv[1] in children:
        print(json.dumps(children[sys.argv[1]](*json.loads(sys.argv[2]))))
    else:
        main()
