"""Own files into training: medauc's cache against MONAI's PersistentDataset and CacheDataset.

How its cost grows is measured by ``scale.py``.

Generated files: 8-bit PNGs of 64 pixels a side, and 16-bit ``.nii.gz`` volumes of 96 voxels a side, the latter kept
on their grid and resampled to another spacing. Every contender works in a process of its own with one thread; ours
builds in one (its one worker's start and memory count) and reads in another. Rates are samples per second of processor
time. Peak memory holds pages of files; what a process has of its own (no file backs it) and its share of what is
shared (proportional set size) are told beside it. Whoever reads batches needs torch, so memory of reading is told
beside a process that has imported torch and done nothing, too. MONAI's side is the lean one: uint8 without metadata.
"read" is two passes in random batches. Contenders take turns; figures are means over rounds.
Run: python benchmarks/cache.py [--only training|CASE]
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).parent / "results" / "cache.json"
ROUNDS = 2
PASSES = 2
CASES: dict[str, dict[str, Any]] = {
    "64x64 PNG": {"kind": "png", "count": 4000, "batch": 64},
    "96^3 NIfTI": {"kind": "volume", "count": 200, "batch": 4},
    "96^3 NIfTI to 1.5 mm, 64^3": {"kind": "spacing", "count": 200, "batch": 4},
}
CONTENDERS = ("medauc", "PersistentDataset", "CacheDataset")
ALONE = "torch alone"
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
    """Prepare into the cache; batches are rows of the array on disk, chosen as for a split of own files."""
    from medauc.data.cache import open_cache
    from medauc.data.mapped import take_images
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
        split = take_images(images, order)
        for start in range(0, len(order), case["batch"]):
            yield torch.from_numpy(split[start : start + case["batch"]])

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


def work(name: str, case: dict[str, Any], paths: list[Path], cache: Path, phases: str) -> dict[str, float]:
    """One contender in this process: "build", "read" what is built, or both where it cannot be taken apart."""
    side: Callable[[list[Path]], Batches]
    if name == "medauc":
        side = lambda files: medauc_side(files, case, cache)  # noqa: E731
    else:
        import monai.data
        import monai.transforms  # noqa: F401
        import torch

        torch.set_num_threads(1)
        side = lambda files: monai_side(name, files, case, cache)  # noqa: E731
    found = {}
    if "build" in phases:
        side(paths[:2])  # what is imported when first needed counts for nobody
        began = processor_seconds()
        batches = side(paths)
        found["build_samples_per_second"] = len(paths) / (processor_seconds() - began)
        found |= {f"build_{key}": value for key, value in memory().items()}
    if "read" in phases:
        import torch

        torch.set_num_threads(1)
        batches = batches if "build" in phases else side(paths)
        next(batches())
        began = processor_seconds()
        pixels = sum(batch[0].numel() for _ in range(PASSES) for batch in batches())
        assert pixels
        found["read_samples_per_second"] = PASSES * len(paths) / (processor_seconds() - began)
        found |= {f"read_{key}": value for key, value in memory().items()}
    return found


def processor_seconds() -> float:
    """Of this process and of the workers that it ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def memory() -> dict[str, float]:
    """MiB: the peak of this process and of a worker together; of this process now, its own and its share of files."""
    status, rollup = (
        dict(
            line.split(":", 1) for line in Path(f"/proc/self/{file}").read_text().splitlines() if ":" in line
        )
        for file in ("status", "smaps_rollup")
    )
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "peak_mib": (int(status["VmHWM"].split()[0]) + worker) / 1024,
        "own_mib": int(status["RssAnon"].split()[0]) / 1024,
        "share_mib": int(rollup["Pss"].split()[0]) / 1024,
    }


def alone() -> dict[str, float]:
    """Memory of a process with torch, and with as many threads as the others."""
    import torch

    torch.set_num_threads(1)
    return {f"read_{key}": value for key, value in memory().items()}


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
            began = processor_seconds()
            count = sum(1 for _ in batches)
            rates[name].append(count / (processor_seconds() - began))
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
    if what == "alone":
        return alone()
    folder, pattern, count, *rest = arguments
    paths = sorted(Path(folder).glob(pattern))[:count]
    with tempfile.TemporaryDirectory() as cache:
        if what == "work":
            return work(rest[0], rest[1], paths, Path(rest[2]), rest[3])
        return training(paths, Path(cache))


def compare(folder: Path, cases: Sequence[str]) -> dict[str, Any]:
    """All contenders on some cases."""
    found: dict[str, Any] = {}
    for title in cases:
        case = CASES[title]
        pattern = "*.png" if case["kind"] == "png" else "*.nii.gz"
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in (*CONTENDERS, ALONE)}
        for _ in range(ROUNDS):
            rounds[ALONE].append(in_process("alone"))
            for name in CONTENDERS:
                phases = ("build", "read") if name == "medauc" else ("build read",)
                with tempfile.TemporaryDirectory() as cache:
                    arguments = (str(folder), pattern, case["count"], name, case, cache)
                    parts = [in_process("work", *arguments, phase) for phase in phases]
                rounds[name].append({key: value for part in parts for key, value in part.items()})
        means = {
            name: {key: round(statistics.mean(one[key] for one in runs), 1) for key in runs[0]}
            for name, runs in rounds.items()
        }
        ours, base = means["medauc"], means[ALONE]
        ratios = {
            f"{key} against {name}": round(ours[key] / means[name][key], 3)
            for name in CONTENDERS[1:]
            for key in (
                *("build_samples_per_second", "read_samples_per_second"),
                *("build_peak_mib", "read_peak_mib", "read_own_mib", "read_share_mib"),
            )
        } | {
            f"{key} beside torch against {name}": round(
                (ours[key] - base[key]) / (means[name][key] - base[key]), 3
            )
            for name in CONTENDERS[1:]
            for key in ("read_peak_mib", "read_own_mib", "read_share_mib")
        }
        found[title] = {"samples": case["count"], "rounds": ROUNDS, **means, "ratios": ratios}
    return found


def main(only: str | None) -> None:
    """Measure everything, or one part of it anew, and write each part when it is there."""
    known = [*CASES, "training"]
    if only is not None and only not in known:
        sys.exit(f"--only {only}: no case; known: {'; '.join(known)}")
    cases = [title for title in CASES if only in (None, title)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, count in {(CASES[title]["kind"] == "png", CASES[title]["count"]) for title in cases}:
            make_files(folder, "png" if kind else "volume", count)
        for title in cases:
            write({"against MONAI": compare(folder, [title])})
        if only in (None, "training"):
            make_files(folder, "png", 4096)
            write({"training": in_process("training", str(folder), "*.png", 4096)})


def write(part: dict[str, Any]) -> None:
    """Put a part in the place of the former one."""
    from medauc.files import write_text_atomically

    result = json.loads(RESULT.read_text())
    for name, found in part.items():
        result[name] = result.get(name, {}) | found
    result["machine"] = f"{platform.machine()}, one thread"
    result["versions"] = {
        name: version(name) for name in ("medauc", "monai", "torch", "numpy", "nibabel", "isal")
    }
    write_text_atomically(RESULT, json.dumps(result, indent=2) + "\n")
    print(json.dumps(part, indent=1), flush=True)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] != "--only":
        print(json.dumps(child(arguments[0], json.loads(arguments[1]))))
    else:
        main(arguments[-1] if arguments else None)
