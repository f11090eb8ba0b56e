"""Images per second of augmentation: medauc and kornia on the batch, SciPy on one image at a time.

All sides flip, rotate, scale and shift with linear interpolation, on batches of 64 grey images of 28 pixels
a side; medauc's further options are measured on top of these. One thread and its processor time, so that other
work on the machine hardly matters; every round runs each side once, the figures are medians over the rounds.
kornia is no dependency of medauc: install it into the environment first. Run: python benchmarks/augment_throughput.py
"""

import importlib.metadata
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import torch
from torch import Tensor

from medauc.data.augment import Augment, Mixup
from medauc.files import write_text_atomically

BATCH, SIZE, ROUNDS = 64, 28, 21
ROTATION, SCALE, SHIFT, FLIP = 20.0, (0.9, 1.1), 0.1, 0.5
MORE: dict[str, dict[str, Any]] = {
    "elastic deformation": {"elastic": 0.05},
    "half of the images warped": {"warp_share": 0.5},
    "blur": {"blur": 1.0},
    "speckle": {"speckle": 0.1},
    "erasing": {"erase": 0.2},
}
RESULT = Path(__file__).parent / "results" / "augment_throughput.json"

Transform = Callable[[Tensor], Tensor]


def kornia_side(spatial_dims: int) -> Transform:
    """Build the same changes from kornia's modules."""
    import kornia.augmentation as ka

    if spatial_dims == 2:
        flips = [ka.RandomHorizontalFlip(p=FLIP), ka.RandomVerticalFlip(p=FLIP)]
        affine = ka.RandomAffine(ROTATION, (SHIFT, SHIFT), SCALE, p=1.0, padding_mode="border", keepdim=True)
        return ka.AugmentationSequential(*flips, affine, data_keys=["input"])
    flips = [
        ka.RandomHorizontalFlip3D(p=FLIP),
        ka.RandomVerticalFlip3D(p=FLIP),
        ka.RandomDepthicalFlip3D(p=FLIP),
    ]
    affine = ka.RandomAffine3D((ROTATION,) * 3, (SHIFT,) * 3, SCALE, p=1.0)
    return torch.nn.Sequential(*flips, affine)


def scipy_side(spatial_dims: int) -> Transform:
    """Transform one image after the other, as the ``__getitem__`` of a data set does."""
    random = np.random.default_rng(0)

    def augment_one(image: np.ndarray) -> np.ndarray:
        matrix = np.diag(np.where(random.random(spatial_dims) < FLIP, -1.0, 1.0))
        for first in range(spatial_dims - 1):
            for second in range(first + 1, spatial_dims):
                angle = np.deg2rad(random.uniform(-ROTATION, ROTATION))
                turn = np.eye(spatial_dims)
                turn[[first, second], [first, second]] = np.cos(angle)
                turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
                matrix = matrix @ turn
        matrix /= random.uniform(*SCALE)
        centre = (np.array(image.shape) - 1) / 2
        offset = centre - matrix @ (centre + random.uniform(-SHIFT, SHIFT, spatial_dims) * SIZE)
        return scipy.ndimage.affine_transform(image, matrix, offset, order=1, mode="nearest")

    return lambda images: torch.from_numpy(np.stack([[augment_one(image[0])] for image in images.numpy()]))


def measure(sides: dict[str, Transform], images: Tensor) -> dict[str, float]:
    """Return each side's images per second of processor time: the median over alternating rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_number in range(ROUNDS + 2):
        for name, transform in sides.items():
            start = time.thread_time()
            assert transform(images).shape == images.shape
            if round_number >= 2:
                seconds[name].append(time.thread_time() - start)
    return {name: round(len(images) / statistics.median(times), 1) for name, times in seconds.items()}


def main() -> None:
    """Measure both dimensions, print and write the figures."""
    torch.set_num_threads(1)
    rows = []
    for spatial_dims in (2, 3):
        images = torch.rand(BATCH, 1, *[SIZE] * spatial_dims, generator=torch.Generator().manual_seed(0))
        affine = {"flip": FLIP, "rotation": ROTATION, "scale": SCALE, "shift": SHIFT}
        own = {"medauc": Augment(spatial_dims, **affine)}
        own |= {f"medauc with {name}": Augment(spatial_dims, **affine, **more) for name, more in MORE.items()}
        peers = {"kornia": kornia_side(spatial_dims), "scipy, one by one": scipy_side(spatial_dims)}
        mixup = Mixup(0.4)
        targets = torch.arange(BATCH) % 2
        others = {
            "medauc, flips and crop only": Augment(spatial_dims, flip=FLIP, crop=3),
            "medauc's mixup alone": lambda images, mixup=mixup, targets=targets: mixup(images, targets)[0],
        }
        figures = measure(own | others | peers, images)
        ratios = {f"medauc / {name}": round(figures["medauc"] / figures[name], 2) for name in peers}
        seconds = {name: round(figures["medauc"] / figures[name], 2) for name in list(own)[1:]}
        rows.append(
            {
                "spatial_dims": spatial_dims,
                "images_per_core_second": figures,
                "ratios": ratios,
                "time over medauc's affine map alone": seconds,
            }
        )
        print(json.dumps(rows[-1]))
    versions = {name: importlib.metadata.version(name) for name in ("torch", "kornia", "scipy", "numpy")}
    result = {
        "what": f"augmentation of batches of {BATCH} grey images of {SIZE} pixels a side, one CPU thread",
        "python": platform.python_version(),
        "versions": versions,
        "rounds": ROUNDS,
        "rows": rows,
    }
    RESULT.parent.mkdir(exist_ok=True)
    write_text_atomically(RESULT, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
