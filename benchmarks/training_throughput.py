"""Images per second of training: medauc against LibAUC with per-image transforms, the same network.

Both flip, rotate, scale and shift grey images of 28 pixels a side, standardise them, and step an AUC-margin
loss by PESG on class-balanced batches. medauc augments the batch; the peers transform one image after the
other in the data set that a torch DataLoader reads, with 0 or 2 worker processes.

Counted are the seconds of processor time of all threads and worker processes together: on a machine whose
cores are all busy, that is what bounds the throughput, and other work hardly changes it. The wall clock is
recorded too; it means something on a quiet machine only. Run: benchmarks/.venv-peers/bin/python
benchmarks/training_throughput.py [--threads N] (see README.md here).
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import monai.transforms
import numpy as np
import scipy.ndimage
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils import convert_conv3d_weight_memory_format
from torch.utils.data import DataLoader, Dataset

from medauc.data.augment import Augment
from medauc.data.normalize import Normalize, compute_statistics
from medauc.losses import AUCMLoss
from medauc.models import build_model
from medauc.optim import PESG
from medauc.sampling import ClassBalancedBatchSampler

# LibAUC imports torchvision, whose CUDA wheels look for these operators and stop on a CPU build without them.
_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from libauc.losses import AUCMLoss as PeerLoss  # noqa: E402
from libauc.optimizers import PESG as PeerPESG  # noqa: E402, N811
from libauc.sampler import DualSampler  # noqa: E402

RESULT = Path(__file__).parent / "results" / "training_throughput.json"
SIZE, ROTATION, SCALE, SHIFT, FLIP = 28, 20.0, (0.9, 1.1), 0.1, 0.5
BATCHES, ROUNDS = 4, 3
SETTINGS = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4, "epoch_decay": 2e-3}
CONFIGURATIONS = {
    "2D, ResNet18 as published, batch 128": {
        "spatial_dims": 2,
        "width": 64,
        "stem": "imagenet",
        "batch": 128,
    },
    "2D, ResNet18 of width 32 at full resolution, batch 128": {
        "spatial_dims": 2,
        "width": 32,
        "stem": "full",
        "batch": 128,
    },
    "3D, ResNet18 of width 16, stem half, batch 32": {
        "spatial_dims": 3,
        "width": 16,
        "stem": "half",
        "batch": 32,
    },
    "3D, ResNet18 of width 16 at full resolution, batch 32": {
        "spatial_dims": 3,
        "width": 16,
        "stem": "full",
        "batch": 32,
    },
}

Images = np.ndarray
Steps = Iterator[None]


def pil_transform(image: Images) -> Images:
    """Flip and warp a 2D image by Pillow, as torchvision's transforms do."""
    random = np.random.default_rng()
    matrix, offset = random_map(random, 2)
    coefficients = (*matrix[1, ::-1], offset[1], *matrix[0, ::-1], offset[0])
    picture = Image.fromarray(image).transform(
        image.shape[::-1], Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return np.asarray(picture, dtype=np.float32)


def scipy_transform(image: Images) -> Images:
    """Flip and warp an image of any dimension by SciPy."""
    matrix, offset = random_map(np.random.default_rng(), image.ndim)
    return scipy.ndimage.affine_transform(image.astype(np.float32), matrix, offset, order=1, mode="nearest")


def random_map(random: np.random.Generator, spatial_dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the matrix and offset that flip, rotate, scale and shift one image."""
    matrix = np.diag(np.where(random.random(spatial_dims) < FLIP, -1.0, 1.0))
    for first in range(spatial_dims - 1):
        for second in range(first + 1, spatial_dims):
            angle = np.deg2rad(random.uniform(-ROTATION, ROTATION))
            turn = np.eye(spatial_dims)
            turn[[first, second], [first, second]] = np.cos(angle)
            turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
            matrix = matrix @ turn
    matrix /= random.uniform(*SCALE)
    centre = np.full(spatial_dims, (SIZE - 1) / 2)
    return matrix, centre - matrix @ (centre + random.uniform(-SHIFT, SHIFT, spatial_dims) * SIZE)


def monai_transform(spatial_dims: int) -> Callable[[Images], Tensor]:
    """Compose MONAI's transforms of one image."""
    flips = [monai.transforms.RandFlip(FLIP, axis) for axis in range(spatial_dims)]
    affine = monai.transforms.RandAffine(
        prob=1.0,
        rotate_range=[float(np.deg2rad(ROTATION))] * (1 if spatial_dims == 2 else 3),
        scale_range=[SCALE[1] - 1] * spatial_dims,
        translate_range=[SHIFT * SIZE] * spatial_dims,
        padding_mode="border",
    )
    composed = monai.transforms.Compose([*flips, affine])
    return lambda image: composed(image[None].astype(np.float32))[0]


class PeerData(Dataset[tuple[Tensor, Tensor]]):
    """One transformed, standardised image an item."""

    def __init__(
        self, images: Images, targets: np.ndarray, transform: Callable[[Images], Images | Tensor]
    ) -> None:
        self.images, self.targets, self.transform = images, targets, transform
        self.mean, self.std = float(images.mean()), float(images.std())

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.as_tensor(self.transform(self.images[index]))
        return (image[None] - self.mean) / self.std, torch.tensor([float(self.targets[index])])


def peer_steps(network: nn.Module, data: PeerData, batch: int, workers: int) -> Steps:
    """Train by LibAUC's loss, optimizer and sampler; yield after each step."""
    loss = PeerLoss()
    optimizer = PeerPESG(list(network.parameters()), loss, verbose=False, **SETTINGS)
    sampler = DualSampler(data, batch, labels=data.targets, sampling_rate=0.5)
    loader = DataLoader(data, batch, sampler=sampler, num_workers=workers)
    for images, targets in loader:
        optimizer.zero_grad()
        loss(network(images).sigmoid(), targets).backward()
        optimizer.step()
        yield


def medauc_steps(network: nn.Module, images: Images, targets: np.ndarray, batch: int) -> Steps:
    """Train by medauc's parts on whole batches; yield after each step."""
    spatial_dims = images.ndim - 1
    normalize = Normalize(spatial_dims, "train", compute_statistics(images, spatial_dims))
    augment = Augment(spatial_dims, flip=FLIP, rotation=ROTATION, scale=SCALE, shift=SHIFT)
    loss = AUCMLoss()
    optimizer = PESG(network.parameters(), loss, **SETTINGS)
    for index in ClassBalancedBatchSampler(targets, batch):
        optimizer.zero_grad()
        inputs = augment(normalize(torch.from_numpy(images[index])))
        loss(network(inputs)[:, 0], torch.from_numpy(targets[index])).backward()
        optimizer.step()
        yield


def sides(configuration: dict[str, object]) -> dict[str, Callable[[], Steps]]:
    """Build each contender: a function that starts its training."""
    spatial_dims, batch = int(str(configuration["spatial_dims"])), int(str(configuration["batch"]))
    count = batch * BATCHES
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *[SIZE] * spatial_dims), dtype=np.uint8)
    targets = (np.arange(count) % 10 == 0).astype(np.int64)

    def network(layout: torch.memory_format = torch.contiguous_format) -> nn.Module:
        torch.manual_seed(0)
        shape = {key: configuration[key] for key in ("spatial_dims", "width", "stem")}
        built = build_model("resnet18", in_channels=1, num_outputs=1, **shape)
        return convert_conv3d_weight_memory_format(built, layout)  # leaves 2D kernels as they are

    transforms = {"monai": monai_transform(spatial_dims)}
    transforms |= {"pillow": pil_transform} if spatial_dims == 2 else {"scipy": scipy_transform}
    best_layout = torch.channels_last_3d if spatial_dims == 3 else torch.contiguous_format
    contenders = {"medauc": lambda: medauc_steps(network(best_layout), images, targets, batch)}
    if spatial_dims == 3:
        contenders["medauc, MONAI's layout of kernels"] = lambda: medauc_steps(
            network(), images, targets, batch
        )
    for name, transform in transforms.items():
        for workers in (0, 2):
            data = PeerData(images, targets, transform)
            contenders[f"libauc, {name}, {workers} workers"] = lambda data=data, workers=workers: peer_steps(
                network(), data, batch, workers
            )
    return contenders


def time_steps(start: Callable[[], Steps]) -> tuple[float, float]:
    """Train for one epoch; return processor and wall-clock seconds a step, workers included."""
    steps = start()  # builds the network; nothing has run yet
    processor, wall = sum(os.times()[:4]), time.perf_counter()
    count = sum(1 for _ in steps)
    return (sum(os.times()[:4]) - processor) / count, (time.perf_counter() - wall) / count


def measure(configuration: dict[str, object]) -> dict[str, object]:
    """Time all contenders in turns; return medians as images per second, and the ratios."""
    contenders = sides(configuration)
    seconds: dict[str, list[tuple[float, float]]] = {side: [] for side in contenders}
    time_steps(contenders["medauc"])  # the first steps of a process are slower
    for _ in range(ROUNDS):
        for side, start in contenders.items():
            seconds[side].append(time_steps(start))
    batch = int(str(configuration["batch"]))
    medians = {
        side: [statistics.median(times) for times in zip(*pairs, strict=True)]
        for side, pairs in seconds.items()
    }
    return {
        "images_per_core_second": {side: round(batch / core, 1) for side, (core, _) in medians.items()},
        "images_per_wall_second": {side: round(batch / wall, 1) for side, (_, wall) in medians.items()},
        "medauc_over_by_core_seconds": {
            side: round(core / medians["medauc"][0], 2)
            for side, (core, _) in medians.items()
            if side != "medauc"
        },
    }


def main() -> None:
    """Measure every configuration, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    rows = []
    for name, configuration in CONFIGURATIONS.items():
        rows.append({"configuration": name} | measure(configuration))
        print(json.dumps(rows[-1]), flush=True)
    packages = ("torch", "libauc", "monai", "scipy", "pillow")
    result = {
        "what": f"training steps on grey images of {SIZE} pixels a side, CPU, medians over the rounds",
        "cpu": {"machine": platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "rounds": ROUNDS,
        "batches_of_data": BATCHES,
        "rows": rows,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
