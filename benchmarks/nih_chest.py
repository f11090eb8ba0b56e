"""A folder of chest radiographs with fourteen labels becomes one file that ``medauc train`` takes.

    python benchmarks/nih_chest.py FOLDER chest.npz [--seed 0]
    medauc train chest.npz

FOLDER holds ``manifest.csv`` (columns path, id, group and one 0/1 column a label) and the images it names. Patients
never cross splits: the folds are those of ``medauc train --folds 10`` (stratified by sets of labels), seven for
training, one for validation, two for test, chosen so that training lacks no label and the others as few as can be.
Which image went where is written to ``chest.split.csv`` beside the file.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from medauc.data import Dataset, Split
from medauc.data.folds import assign_folds
from medauc.files import atomic_path

# The order of ChestMNIST, which this set is not: other images, other resolution.
LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
FOLDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="decides the split")
    options = parser.parse_args()
    samples = read_folder(options.folder)
    splits = assign_splits(samples, options.seed)
    write(samples, splits, options.out)
    for name in ("train", "val", "test"):
        of_split = samples.targets[splits == name]
        empty = [label for label, count in zip(LABELS, of_split.sum(axis=0), strict=True) if not count]
        print(f"{name}: {len(of_split)} images; no positive of: {', '.join(empty) or 'none'}")


def read_folder(folder: Path) -> Split:
    """All images in grey, (N, H, W) uint8, with targets (N, 14), ids and patients."""
    table = pd.read_csv(folder / "manifest.csv", dtype={"id": str, "group": str})
    images = np.stack([read_grey(folder / path) for path in table["path"]])
    targets = table[list(LABELS)].to_numpy(np.int64)
    return Split(images, targets, table["id"].to_numpy(np.str_), table["group"].to_numpy(np.str_))


def read_grey(path: Path) -> np.ndarray:
    """One image in grey; a few of the files carry colour channels of equal content, or an alpha channel."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def assign_splits(samples: Split, seed: int) -> np.ndarray:
    """The split of each sample, (N,) strings; all samples of a patient get the same."""
    nothing = Split(*(getattr(samples, name)[:0] for name in ("images", "targets", "ids", "groups")))
    whole = Dataset("chest", samples, nothing, nothing, ("absent", "present"), LABELS, None, "")
    folds = assign_folds(whole, FOLDS, seed)
    carried = np.stack([samples.targets[folds == fold].any(axis=0) for fold in range(FOLDS)])

    def missing(held_out: tuple[int, int, int]) -> tuple[int, int]:
        """Labels without a positive in training, then in validation and test together."""
        val, *test = held_out
        train = np.delete(carried, held_out, axis=0)
        elsewhere = np.stack([carried[val], carried[test].any(axis=0)])
        return int((~train.any(axis=0)).sum()), int((~elsewhere).sum())

    choices = [
        (val, *test)
        for val in range(FOLDS)
        for test in combinations([fold for fold in range(FOLDS) if fold != val], 2)
    ]
    val, *test = min(choices, key=missing)
    splits: np.ndarray = np.where(folds == val, "val", np.where(np.isin(folds, test), "test", "train"))
    return splits


def write(samples: Split, splits: np.ndarray, out: Path) -> None:
    """Write MedMNIST's keys with ids and groups, and the split as a table."""
    arrays = {}
    for name in ("train", "val", "test"):
        chosen = splits == name
        arrays |= {
            f"{name}_images": samples.images[chosen],
            f"{name}_labels": samples.targets[chosen],
            f"{name}_ids": samples.ids[chosen],
            f"{name}_groups": samples.groups[chosen],
        }
    with atomic_path(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    table = pd.DataFrame({"id": samples.ids, "group": samples.groups, "split": splits})
    with atomic_path(out.with_suffix(".split.csv")) as temporary:
        table.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
