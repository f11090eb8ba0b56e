"""What the arithmetic of size starts from, measured on one CPU thread, and how near its predictions come.

    .venv/bin/python benchmarks/arithmetic_inputs.py measure     writes results/arithmetic_inputs.json
    .venv/bin/python benchmarks/arithmetic_inputs.py check       predicts three trainings, then does them

Processor seconds, so that other work on the machine disturbs little. Memory of a sample is counted twice: bytes of
distinct tensors that autograd keeps for the backward pass, and the growth of the process's peak with the batch.
"""

import ctypes
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from medauc.data import PhantomSpec, load_dataset
from medauc.data.augment import Augment
from medauc.files import write_text_atomically
from medauc.metrics import bootstrap_interval, delong_interval, roc_auc
from medauc.models import build_model
from networks import multiply_adds

RESULTS = Path(__file__).parent / "results"
INPUTS, CHECK = RESULTS / "arithmetic_inputs.json", RESULTS / "arithmetic_check.json"
NETWORKS: dict[str, tuple[tuple[int, ...], dict[str, Any], int]] = {  # shape, options, batch that is timed
    "28^2": ((28, 28), {"name": "resnet18", "width": 32, "stem": "full"}, 32),
    "224^2": ((224, 224), {"name": "resnet18", "width": 64, "stem": "imagenet"}, 4),
    "28^3": ((28, 28, 28), {"name": "resnet18", "width": 16, "stem": "half"}, 16),
    "96^3": ((96, 96, 96), {"name": "resnet18", "width": 16, "stem": "half"}, 2),
}
CHECKED: dict[str, tuple[str, int, int, dict[str, Any]]] = {  # phantom, side, training images, network
    "2D, 28 pixels": ("phantom2d", 28, 1200, {"name": "resnet18", "width": 16, "stem": "full"}),
    "2D, 64 pixels": ("phantom2d", 64, 300, {"name": "resnet10", "width": 16, "stem": "half"}),
    "3D, 28 voxels": ("phantom3d", 28, 300, {"name": "resnet10", "width": 16, "stem": "half"}),
}
BATCH = 32
AUGMENT: dict[str, Any] = {
    "flip": 0.5,
    "rotation": 15,
    "scale": (0.85, 1.18),
    "shift": 0.08,
    "brightness": 0.2,
}


def seconds(call: Callable[[], object], rounds: int = 3) -> float:
    """Least processor time of a few rounds, after one that is not counted."""
    call()
    found = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def step(network: nn.Module, images: torch.Tensor) -> None:
    """Forward and backward pass."""
    network(images).sum().backward()
    network.zero_grad()


def kept_for_backward(network: nn.Module, images: torch.Tensor) -> int:
    """Bytes of the distinct tensors that autograd keeps, parameters and buffers aside."""
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    held: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        total = network(images).sum()
    found = sum(held.values())
    total.backward()
    network.zero_grad()
    return found


def peak_of(call: Callable[[], object]) -> int:
    """By how many bytes the process's peak exceeds what it held before (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def describe(shape: tuple[int, ...], options: dict[str, Any], batch: int) -> dict[str, Any]:
    """Work, time and memory of a network."""
    torch.manual_seed(0)
    dims = len(shape)
    network = build_model(in_channels=1, num_outputs=1, spatial_dims=dims, **options)
    images = torch.randn(batch, 1, *shape)
    one, two = (kept_for_backward(network, images[:1].repeat(n, *[1] * (dims + 1))) for n in (2, 4))
    small, large = max(1, batch // 2), 2 * batch
    peaks = [peak_of(lambda n=n: step(network, torch.randn(n, 1, *shape))) for n in (small, large)]
    timed = seconds(lambda: step(network, images), 2) / batch
    network.eval()
    with torch.no_grad():
        scored = seconds(lambda: network(images), 2) / batch
    augment = Augment(dims, **AUGMENT)
    return {
        "network": f"{options['name']}, width {options['width']}, stem {options['stem']}",
        "shape": list(shape),
        "parameters": sum(p.numel() for p in network.parameters()),
        "multiply_adds": multiply_adds(network, images[:1]),
        "training_seconds": timed,
        "scoring_seconds": scored,
        "augmentation_seconds": seconds(lambda: augment(images), 2) / batch,
        "kept_bytes": (two - one) / 2,
        "peak_bytes": (peaks[1] - peaks[0]) / (large - small),
    }


def evaluation() -> dict[str, dict[str, float]]:
    """Seconds of an AUC, of DeLong's interval and of 2,000 bootstrap replicates."""
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {"auc": {}, "delong": {}, "bootstrap_2000": {}}
    for n in (10**5, 10**6, 10**7):
        y = (rng.random(n) < 0.1).astype(np.int64)
        s = y + rng.normal(size=n)
        found["auc"][str(n)] = seconds(lambda y=y, s=s: roc_auc(y, s), 1)
        if n <= 10**6:
            found["delong"][str(n)] = seconds(lambda y=y, s=s: delong_interval(y, s), 1)
    y, s = y[: 10**4], s[: 10**4]
    found["bootstrap_2000"][str(10**4)] = 20 * seconds(
        lambda: bootstrap_interval(y, s, method="percentile", replicates=100), 1
    )
    return found


def measure() -> None:
    found = {
        "machine": f"one thread ({torch.backends.cpu.get_cpu_capability()}), torch {torch.__version__}, "
        f"Python {platform.python_version()}",
        "images": {name: describe(*options) for name, options in NETWORKS.items()},
        "evaluation_seconds": evaluation(),
    }
    write_text_atomically(INPUTS, json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def check() -> None:
    """Predict the processor seconds of whole trainings from their parts, then measure them."""
    from medauc.training import train
    from medauc.training.recipe import Recipe

    rows = {}
    for name, (phantom, side, images, options) in CHECKED.items():
        spec = PhantomSpec(n_train=images, n_val=images // 3, n_test=images // 3)
        dataset = load_dataset(phantom, side, phantom=spec)
        recipe = Recipe.model_validate(
            {
                "model": options,
                "augment": AUGMENT,
                "sampling": {"batch_size": BATCH},
                "training": {"max_epochs": 2, "patience": None},
            }
        )
        parts = describe(dataset.image_shape, options, BATCH)
        steps = 2 * -(-images // BATCH) * BATCH
        # Validation in two epochs; validation and test once; the reference looks at training and validation images.
        scored = 2 * len(dataset.val) + len(dataset.val) + len(dataset.test) + len(dataset.val) + images
        predicted = (
            steps * (parts["training_seconds"] + parts["augmentation_seconds"])
            + scored * parts["scoring_seconds"]
        )
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            train(dataset, recipe, Path(folder) / "run", device="cpu")
            measured = time.process_time() - start
        rows[name] = {
            "network": parts["network"],
            "images": images,
            "predicted_seconds": round(predicted, 2),
            "measured_seconds": round(measured, 2),
            "ratio": round(measured / predicted, 3),
        }
        print(name, rows[name], flush=True)
    write_text_atomically(CHECK, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"measure": measure, "check": check}[sys.argv[1]]()
