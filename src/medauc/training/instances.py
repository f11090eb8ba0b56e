"""Which image of a bag decided: the score and the weight of each, as the table ``instances.csv`` of a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medauc.data import BagSplit
from medauc.data.bags import SLICE, bag_numbers
from medauc.data.readers import hash_ids
from medauc.errors import InputError
from medauc.files import write_text_atomically

if TYPE_CHECKING:
    from medauc.models import BagScores  # its module imports torch

_NAMES = ("split", "id", "image")


def instance_table(
    name: str, split: BagSplit, labels: Sequence[str], scored: "Iterable[BagScores]"
) -> pd.DataFrame:
    """Tell score and weight of each image of a split.

    Args:
        name: of the split.
        split: the bags.
        labels: one name a score.
        scored: batches that hold all of its bags, in their order.

    Returns:
        One row an image: ``split``, ``id`` of the bag, ``image``, ``score`` of the image by itself, ``weight`` in the
        score of its bag; ``score_<label>`` and ``weight_<label>`` where targets have a label axis. The sum of
        ``weight * score`` over a bag is its score in ``predictions.csv``; with test-time copies all three are
        means over them.
    """
    batches = list(scored)
    columns = {"split": name, "id": split.ids[bag_numbers(split.lengths)], "image": split.names}
    found = pd.DataFrame(columns)
    suffixes = [f"_{label}" for label in labels] if split.targets.ndim == 2 else [""]
    for field in ("images", "weights"):
        values = np.concatenate([getattr(batch, field).double().cpu().numpy() for batch in batches])
        for place, suffix in enumerate(suffixes):
            found[("score" if field == "images" else "weight") + suffix] = values[:, place]
    return found


def write_instances(table: pd.DataFrame, path: Path) -> None:
    """Write the table atomically, numbers to the last bit."""
    write_text_atomically(path, table.to_csv(index=False, lineterminator="\n"))


def decisive_images(paths: Sequence[Path], split: str, salt: str | None = None) -> pd.DataFrame:
    """Find the image that weighs most in each bag; of equal weights the one that scores highest.

    Args:
        paths: ``instances.csv`` of a run, or those of the networks of an ensemble, whose figures are averaged.
        split: "val" or "test".
        salt: with which ids in the answer are hashed; a slice keeps its number.

    Returns:
        One row a bag and label: ``id``, ``label`` (empty where there is one), ``image``, ``score``, ``weight``.

    Raises:
        InputError: a file is not such a table.
    """
    tables = [_read(path) for path in paths]
    every = pd.concat(table[table["split"] == split] for table in tables)
    mean = every.groupby(["id", "image"], sort=False).mean(numeric_only=True).reset_index()
    found = []
    for label in [
        name.removeprefix("weight") for name in map(str, mean.columns) if name.startswith("weight")
    ]:
        one = mean[["id", "image", f"score{label}", f"weight{label}"]]
        one.columns = pd.Index(["id", "image", "score", "weight"])
        first = one.sort_values(["weight", "score"], ascending=False, kind="stable").drop_duplicates("id")
        found.append(first.assign(label=label.removeprefix("_")))
    table = pd.concat(found, ignore_index=True)[["id", "label", "image", "score", "weight"]]
    return table if salt is None else _hashed(table, salt)


def _hashed(table: pd.DataFrame, salt: str) -> pd.DataFrame:
    names = table["image"].str.partition(SLICE)
    images = hash_ids(names[0].to_numpy(dtype=np.str_), salt)
    ids = hash_ids(table["id"].to_numpy(dtype=np.str_), salt)
    return table.assign(id=ids, image=images + names[1] + names[2])


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str), keep_default_na=False)
        numbers = [column for column in table if column not in _NAMES]
        table = table.astype(dict.fromkeys(numbers, float))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read the table of images: {error}") from None
    if not {*_NAMES} < set(table):
        raise InputError(f"{path} is not the table of images that the training wrote; restore or remove it")
    return table
