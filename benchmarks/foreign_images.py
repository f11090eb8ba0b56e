"""How often predict warns about ordinary test images, and how often about foreign ones, on the official sets.

Small networks (width 8, a few epochs: one to three minutes each on one core) are trained once into --runs. Limits come
from validation alone; test images are the ordinary ones.

    python benchmarks/foreign_images.py --data /path/to/medmnist --runs /tmp/foreign-runs
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from medauc.data import Dataset, load_dataset
from medauc.files import write_text_atomically
from medauc.metrics import roc_auc
from medauc.training import Predictor, resolve, train
from medauc.training.prediction.features import features_of
from medauc.training.prediction.intensity import describe_intensities
from medauc.training.prediction.quality import Quality
from medauc.training.prediction.reference import Reference

RESULTS = Path(__file__).parent / "results" / "foreign_images.json"
SETS = {  # other set of the same dimensions, epochs, stem
    "breastmnist": ("pneumoniamnist", 12, "full"),
    "pneumoniamnist": ("breastmnist", 3, "half"),
    "adrenalmnist3d": ("vesselmnist3d", 4, "half"),
    "vesselmnist3d": ("adrenalmnist3d", 5, "half"),
}
MOST = 200  # foreign images of a kind


def foreign(images: np.ndarray) -> dict[str, np.ndarray]:
    """The same images made foreign."""
    rng = np.random.default_rng(0)
    whole = images.astype(np.float64)
    shuffled = rng.permuted(images.reshape(len(images), -1), axis=1).reshape(images.shape)
    middle = (slice(None), *[slice(side // 4, side // 4 + side // 2) for side in images.shape[1:]])
    enlarged = images[middle]
    for axis in range(1, images.ndim):
        enlarged = enlarged.repeat(2, axis=axis)
    return {
        "noise": rng.integers(0, 256, images.shape, dtype=np.uint8),
        "inverted": 255 - images,
        "half the contrast": (whole / 2 + 64).astype(np.uint8),
        "brighter by 60": np.clip(whole + 60, 0, 255).astype(np.uint8),
        "noise of 40 added": np.clip(whole + rng.normal(0, 40, images.shape), 0, 255).astype(np.uint8),
        "blurred": np.stack([gaussian_filter(image, 2) for image in images]),
        "middle enlarged": enlarged,
        "upside down": images[:, ::-1],
        "blank": np.zeros_like(images),
        "pixels shuffled": shuffled,
    }


def some(images: np.ndarray) -> np.ndarray:
    return np.asarray(images[np.linspace(0, len(images) - 1, min(MOST, len(images))).astype(np.int64)])


def predictor_of(name: str, runs: Path, data: Path) -> tuple[Predictor, Dataset]:
    _, epochs, stem = SETS[name]
    settings = [f"training.max_epochs={epochs}", f"model.stem={stem}", "model.width=8"]
    plan = resolve(name, overrides=[*settings, "evaluation.test_time_augmentation=none"], data_dir=data)
    if not (runs / name / "evaluation.json").exists():
        train(plan.dataset, plan.recipe, runs / name, device="cpu")
    return Predictor.load(runs / name, "cpu"), plan.dataset


def measure(name: str, runs: Path, data: Path) -> dict[str, object]:
    predictor, dataset = predictor_of(name, runs, data)
    ((key, module),) = predictor.modules.items()
    quality = Quality({key: Reference.of(module, dataset)})

    def excess(images: np.ndarray) -> np.ndarray:
        return quality.excess(describe_intensities(images, 1), {key: features_of(module, images)})

    other = SETS[name][0]
    ordinary = excess(dataset.test.images)
    kinds = {
        other: some(load_dataset(other, data_dir=data).test.images),
        **foreign(some(dataset.test.images)),
    }
    found: dict[str, object] = {}
    for kind, images in kinds.items():
        far = excess(images)
        truth = np.repeat([0, 1], [len(ordinary), len(far)])
        both = np.concatenate([ordinary, far])
        found[kind] = {
            "warned": round(float((far > 1).any(axis=1).mean()), 3),
            "auc": round(roc_auc(truth, both.max(axis=1)), 3),
            "auc_intensities": round(roc_auc(truth, both[:, 0]), 3),
            "auc_appearance": round(roc_auc(truth, both[:, 1]), 3),
        }
    warned = (ordinary > 1).any(axis=1)
    return {
        "validation_images": len(dataset.val),
        "test_images": len(dataset.test),
        "ordinary_warned": int(warned.sum()),
        "ordinary_rate": round(float(warned.mean()), 4),
        "foreign": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    options = parser.parse_args()
    results = {name: measure(name, options.runs, options.data) for name in SETS}
    write_text_atomically(RESULTS, json.dumps(results, indent=2) + "\n")
    for name, result in results.items():
        print(name, json.dumps(result))


if __name__ == "__main__":
    main()
