"""What the likeness of ``medauc audit`` is for different images and for changed copies, on official files.

Usage: python benchmarks/duplicate_likeness.py DATA_DIR FILE.npz... (names of the catalog, or files); writes
results/duplicate_likeness.json.
"""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import zoom

from medauc.audit.collection import collection_of
from medauc.audit.duplicates import NEAR, SLACK, full_likeness, stacked_thumbnails
from medauc.audit.facts import facts_of_images
from medauc.audit.similarity import candidate_pairs, details, pair_likeness
from medauc.data import load_dataset

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0001)
COPIES = 60  # of each change
MOST_ALIKE = 60
COMPARED = 400  # most alike pairs compared at full size


def jpeg(image: np.ndarray) -> np.ndarray:
    """JPEG of quality 75, slice by slice."""
    planes = image if image.ndim == 3 else image[None]
    found = []
    for plane in planes:
        file = io.BytesIO()
        Image.fromarray(plane).save(file, "JPEG", quality=75)
        found.append(np.asarray(Image.open(file)))
    return np.stack(found).reshape(image.shape)


def resized(image: np.ndarray) -> np.ndarray:
    """Three quarters of the size and back, linearly."""
    small = zoom(image.astype(np.float32), 0.75, order=1)
    return zoom(small, [old / new for old, new in zip(image.shape, small.shape, strict=True)], order=1)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "brightness and contrast": lambda image: np.rint(image * 0.6 + 30),
    "noise of 2% of the range": lambda image: image + np.random.default_rng(0).normal(0, 5, image.shape),
    "JPEG, quality 75": jpeg,
    "shift by a pixel": lambda image: np.roll(image, 1, axis=-1),
    "3/4 of the size and back": resized,
}


def measure(name: str, folder: str) -> dict[str, object]:
    """Likeness of the most alike distinct images, and of changed copies."""
    made = collection_of(load_dataset(name, data_dir=folder))
    facts = made.images.measure()
    distinct = np.unique([fact.digest for fact in facts], return_index=True)[1]
    thumbnails = stacked_thumbnails([facts[row] for row in distinct])
    pairs = candidate_pairs(thumbnails)
    likeness = pair_likeness(details(thumbnails), pairs)
    nearest = np.zeros(len(distinct))
    for column in (0, 1):
        np.maximum.at(nearest, pairs[:, column], likeness)
    order = np.argsort(-likeness)[:COMPARED]
    full = [
        full_likeness(made.images.pixels, *(int(distinct[row]) for row in pairs[place])) for place in order
    ]
    return {
        "images": len(facts),
        "distinct": len(distinct),
        "edges": EDGES,
        "nearest as thumbnails": np.histogram(nearest, EDGES)[0].tolist(),
        "most alike pairs at full size": np.histogram(full, EDGES)[0].tolist(),
        f"highest at full size of the {MOST_ALIKE} most alike": round(max(full[:MOST_ALIKE]), 4),
        "changed copies found": {change: found(made, facts, apply) for change, apply in CHANGES.items()},
    }


def found(made, facts, change: Callable[[np.ndarray], np.ndarray]) -> float:
    """Share of changed copies that reach the threshold as thumbnails and at full size."""
    rows = np.random.default_rng(1).choice(len(facts), min(COPIES, len(facts)), replace=False)
    reached = 0
    for row in rows.tolist():
        image, _ = made.images.pixels(row)
        copy = change(image)
        both = stacked_thumbnails([facts[row], facts_of_images(copy[None])[0]])
        as_thumbnails = float(pair_likeness(details(both), np.array([[0, 1]]))[0])
        at_full = full_likeness(lambda number, two=(image, copy): (two[number], False), 0, 1)
        reached += as_thumbnails >= NEAR - SLACK and at_full >= NEAR
    return reached / len(rows)


def main() -> None:
    """Measure the sets named on the command line."""
    folder, *names = sys.argv[1:]
    results = {Path(name).stem: measure(name, folder) for name in names}
    target = Path(__file__).parent / "results" / "duplicate_likeness.json"
    target.write_text(json.dumps(results, indent=1) + "\n")
    for name, result in results.items():
        print(name, json.dumps(result))


if __name__ == "__main__":
    main()
