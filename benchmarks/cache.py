"""Own files into training: medauc's cache against MONAI's PersistentDataset and CacheDataset, and how its cost grows.

Generated files: 8-bit PNGs of 64 pixels a side, and 16-bit ``.nii.gz`` volumes of 96 voxels a side, the latter kept
on their grid and resampled to another spacing. Every contender works in a process of its own with one thread and no
helpers; rates are samples per second of processor time, memory is the process's own peak. MONAI's side is the lean
one: uint8 without metadata. "read" is two passes in random batches. Rounds alternate; figures are means.
Run: python benchmarks/cache.py [--only monai|growth|training]
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "cache.json"
ROUNDS = 2
PASSES = 2
CASES: dict[str, dict[str, Any]] = {
    "64x64 PNG": {"kind": "png", "count": 1500, "batch": 64},
    "96^3 NIfTI": {"kind": "volume", "count": 32, "batch": 4},
    "96^3 NIfTI to 1.5 mm, 64^3": {"kind": "spacing", "count": 32, "batch": 4},
}
CONTENDERS = ("medauc", "PersistentDataset", "CacheDataset")
GROWTH = {"64x64 PNG": (1000, 4000, 12000), "96^3 NIfTI": (8, 16, 32, 64)}
PROMISED = {"64x64 PNG": 1_000_000, "96^3 NIfTI": 10_000}
Batches = Callable[[], Iterator[Any]]


def make_files(folder: Path, kind: str, count: int) -> list[Path]:
    """Write smooth random images that compress about as far as real ones."""
    rng = np.random.default_rng(0)
    if kind == "png":
        paths = [folder / f"{number:06}.png" for number in range(count)]
        for path in paths:
            _write_png(path, rng)
        return paths
    paths = [folder / f"{number:06}.nii.gz" for number in range(count)]
    smooth = _smooth(rng, (96, 96, 96), 300)
    for number, path in enumerate(paths):
        _write_volume(path, np.roll(smooth, number, axis=0), rng)
    return paths


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], height: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.normal(size=shape), 3)
    return field / field.std() * height


def _write_png(path: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    pixels = 128 + _smooth(rng, (64, 64), 40) + rng.normal(0, 2, (64, 64))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def _write_volume(path: Path, smooth: np.ndarray, rng: np.random.Generator) -> None:
    import nibabel

    values = (smooth + rng.normal(0, 8, smooth.shape)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-0.8, -0.8, 1.25, 1])), path)


def medauc_side(paths: list[Path], case: dict[str, Any], cache: Path) -> Batches:
    """Prepare into the cache; batches are rows of the memory-mapped array."""
    from medauc.data.cache import open_cache
    from medauc.data.preparation import PreparationSpec

    size, dims, spec = {
        "png": (64, 2, PreparationSpec()),
        "volume": (96, 3, PreparationSpec(intensity=(-1000, 1000))),
        "spacing": (
            64,
            3,
            PreparationSpec(spacing=1.5, orientation="SAR", fit="crop_pad", intensity=(-1000, 1000)),
        ),
    }[case["kind"]]
    images = open_cache(paths, spec, size, dims, folder=cache, jobs=1).images

    def batches() -> Iterator[Any]:
        import torch

        order = np.random.default_rng(0).permutation(len(images))
        for start in range(0, len(order), case["batch"]):
            yield torch.from_numpy(images[order[start : start + case["batch"]]])

    return batches


def monai_side(name: str, paths: list[Path], case: dict[str, Any], cache: Path) -> Batches:
    """MONAI's own classes and transforms, with its DataLoader."""
    import torch
    from monai.data import CacheDataset, DataLoader, PersistentDataset
    from monai.transforms import (
        Compose,
        EnsureType,
        LoadImage,
        Orientation,
        ResizeWithPadOrCrop,
        ScaleIntensityRange,
        Spacing,
    )

    lean = EnsureType(dtype=torch.uint8, track_meta=False)
    window = ScaleIntensityRange(-1000, 1000, 0, 255, clip=True)
    load = LoadImage(image_only=True, ensure_channel_first=True)
    steps = {
        "png": [LoadImage(image_only=True, ensure_channel_first=True, dtype=np.uint8), lean],
        "volume": [load, window, lean],
        "spacing": [
            load,
            Orientation("RAS"),
            Spacing(1.5, mode="bilinear"),
            ResizeWithPadOrCrop(64, constant_values=-1000),
            window,
            lean,
        ],
    }[case["kind"]]
    files = [str(path) for path in paths]
    if name == "CacheDataset":
        dataset: Any = CacheDataset(files, Compose(steps), num_workers=1, progress=False)
    else:
        dataset = PersistentDataset(files, Compose(steps), cache_dir=cache)
        for number in range(len(dataset)):
            dataset[number]
    return lambda: iter(DataLoader(dataset, batch_size=case["batch"], shuffle=True, num_workers=0))


def work(name: str, case: dict[str, Any], paths: list[Path], cache: Path) -> dict[str, float]:
    """One contender in this process: build, then read."""
    import torch

    torch.set_num_threads(1)
    side: Callable[[list[Path]], Batches]
    if name == "medauc":
        side = lambda files: medauc_side(files, case, cache)  # noqa: E731
    else:
        import monai.data
        import monai.transforms  # noqa: F401

        side = lambda files: monai_side(name, files, case, cache)  # noqa: E731
    next(side(paths[:2])())  # what is imported when first needed counts for nobody
    before = memory()
    began = time.process_time()
    batches = side(paths)
    built = time.process_time() - began
    began = time.process_time()
    pixels = 0
    for _ in range(PASSES):
        for batch in batches():
            pixels += batch[0].numel()
    read = time.process_time() - began
    after = memory()
    return {
        "build_samples_per_second": len(paths) / built,
        "read_samples_per_second": PASSES * len(paths) / read,
        "peak_mib": after["VmHWM"],
        "peak_above_start_mib": after["VmHWM"] - before["VmRSS"],
        "own_above_start_mib": after["RssAnon"] - before["RssAnon"],
    }


def memory() -> dict[str, float]:
    """MiB of this process: now, its own part without mapped files, and the peak."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")}


def grow(kind: str, paths: list[Path], cache: Path) -> dict[str, float]:
    """Build with medauc in this process, without torch: seconds of processor time, peak memory, bytes on disk."""
    from medauc.data.cache import list_cache, open_cache
    from medauc.data.preparation import PreparationSpec

    spec, size, dims = (
        (PreparationSpec(), 64, 2) if kind == "png" else (PreparationSpec(intensity=(-1000, 1000)), 96, 3)
    )
    open_cache(paths[:2], spec, size, dims, folder=cache, jobs=1)
    began = time.process_time()
    images = open_cache(paths, spec, size, dims, folder=cache, jobs=1).images
    seconds, peak = time.process_time() - began, memory()["VmHWM"]
    began = time.process_time()
    open_cache(paths, spec, size, dims, folder=cache, jobs=1)
    return {
        "files": len(images),
        "seconds": seconds,
        "seconds_to_open_again": time.process_time() - began,
        "peak_mib": peak,
        "disk_mb": list_cache(cache)[-1].bytes / 1e6,
    }


def training(paths: list[Path], cache: Path) -> dict[str, Any]:
    """Batches per second of processor time through ImageDataModule, from the cache and from arrays in memory."""
    from medauc.data.cache import open_cache
    from medauc.data.datamodule import ImageDataModule
    from medauc.data.dataset import Dataset, Split
    from medauc.data.preparation import PreparationSpec

    images = open_cache(paths, PreparationSpec(), 64, 2, folder=cache, jobs=1).images
    names = np.array([str(number) for number in range(len(images))])
    targets = np.arange(len(images)) % 2

    order = np.random.default_rng(0).permutation(len(images))

    def loader(pixels: Any) -> Any:
        split = Split(pixels, targets, names, names).take(order)  # as a split of own files is: chosen rows
        dataset = Dataset("files", split, split, split, ("a", "b"), ("b",), None, "")
        return ImageDataModule(dataset, 64, 0.5, 0).train_dataloader()

    sides = {"cache": loader(images), "memory": loader(np.array(images))}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(41):
        for name, batches in sorted(sides.items(), reverse=turn % 2 == 0):  # going first or second matters
            began = time.process_time()
            count = sum(1 for _ in batches)
            rates[name].append(count / (time.process_time() - began))
    found = {name: statistics.median(values[1:]) for name, values in rates.items()}
    ratios = [ours / theirs for ours, theirs in zip(rates["cache"][1:], rates["memory"][1:], strict=True)]
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    return {
        "batches_per_second_from_cache": round(found["cache"], 1),
        "batches_per_second_from_memory": round(found["memory"], 1),
        "ratio": round(float(middle), 3),
        "ratio_quartiles": [round(float(low), 3), round(float(high), 3)],
    }


def in_process(what: str, *arguments: object) -> dict[str, Any]:
    """Run one function of this script in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, what, json.dumps(arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # MONAI's warnings
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(what: str, arguments: list[Any]) -> dict[str, Any]:
    """What :func:`in_process` asked for."""
    folder, pattern, count, *rest = arguments
    paths = sorted(Path(folder).glob(pattern))[:count]
    with tempfile.TemporaryDirectory() as cache:
        if what == "work":
            return work(rest[0], rest[1], paths, Path(cache))
        if what == "grow":
            return grow(rest[0], paths, Path(cache))
        return training(paths, Path(cache))


def line(points: list[dict[str, float]], name: str) -> tuple[float, float]:
    """Slope a file and value at no files of a straight line, and so what a larger set would take."""
    slope, start = np.polyfit([point["files"] for point in points], [point[name] for point in points], 1)
    return float(slope), float(start)


def compare(folder: Path) -> dict[str, Any]:
    """All contenders on all cases."""
    found: dict[str, Any] = {}
    for title, case in CASES.items():
        pattern = "*.png" if case["kind"] == "png" else "*.nii.gz"
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(ROUNDS):
            for name in CONTENDERS:
                rounds[name].append(in_process("work", str(folder), pattern, case["count"], name, case))
        means = {
            name: {key: round(statistics.mean(one[key] for one in runs), 1) for key in runs[0]}
            for name, runs in rounds.items()
        }
        ours = means["medauc"]
        ratios = {
            f"{key} against {name}": round(ours[key] / means[name][key], 3)
            for name in CONTENDERS[1:]
            for key in ("build_samples_per_second", "read_samples_per_second", "peak_mib")
        }
        found[title] = {"samples": case["count"], **means, "ratios": ratios}
        print(title, json.dumps(ratios, indent=1), flush=True)
    return found


def growth(folder: Path) -> dict[str, Any]:
    """How medauc's cost grows, and what the promised sizes would take."""
    found = {}
    for title, counts in GROWTH.items():
        kind, pattern = ("png", "*.png") if "PNG" in title else ("volume", "*.nii.gz")
        points = [in_process("grow", str(folder), pattern, count, kind) for count in counts]
        promised = PROMISED[title]
        per_file = {
            name: line(points, name) for name in ("seconds", "seconds_to_open_again", "peak_mib", "disk_mb")
        }
        found[title] = {
            "points": [{name: round(value, 3) for name, value in point.items()} for point in points],
            "microseconds_a_file": [round(point["seconds"] / point["files"] * 1e6) for point in points],
            f"extrapolated to {promised:,}": {
                name: round(slope * promised + start, 1) for name, (slope, start) in per_file.items()
            },
        }
        print(title, json.dumps(found[title], indent=1), flush=True)
    return found


def main(only: str | None) -> None:
    """Measure everything, or one part of it anew, and write the result."""
    from medauc.files import write_text_atomically

    result = json.loads(RESULT.read_text()) if only else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder, "png", 4096 if only == "training" else max(GROWTH["64x64 PNG"]))
        if only != "training":
            make_files(folder, "volume", max(GROWTH["96^3 NIfTI"]))
        if only in (None, "monai"):
            result["against MONAI"] = compare(folder)
        if only in (None, "growth"):
            result["growth"] = growth(folder)
        if only in (None, "training"):
            result["training"] = in_process("training", str(folder), "*.png", 4096)
            print(json.dumps(result["training"], indent=1))
    result["machine"] = f"{platform.machine()}, one thread"
    result["versions"] = {name: version(name) for name in ("medauc", "monai", "torch", "numpy", "nibabel")}
    write_text_atomically(RESULT, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] != "--only":
        print(json.dumps(child(sys.argv[1], json.loads(sys.argv[2]))))
    else:
        main(sys.argv[2] if len(sys.argv) == 3 else None)
