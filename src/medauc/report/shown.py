"""Which image stands for a test sample in the gallery; of a bag the one that decided its score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medauc.data import BagSplit, Dataset
from medauc.report.gallery import ConfidentError
from medauc.training import RunFolder
from medauc.training.instances import decisive_images


@dataclass(frozen=True)
class Shown:
    """Images of samples by id, and a line on each where an image is not all of its sample."""

    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)


def shown_images(run: RunFolder, dataset: Dataset, errors: Sequence[ConfidentError]) -> Shown:
    """Pick the images of the test samples in ``errors``; without ``instances.csv`` those of bags are left out."""
    test = dataset.test
    if isinstance(test, BagSplit):
        return _decisive(run, test, errors, run.salt_left(dataset.salt))
    place = {str(name): row for row, name in enumerate(test.ids)}
    return Shown({error.id: test.images[place[error.id]] for error in errors if error.id in place})


def _decisive(run: RunFolder, test: BagSplit, errors: Sequence[ConfidentError], salt: str | None) -> Shown:
    own = [run.instances] if run.instances.exists() else sorted(run.path.glob("members/*/instances.csv"))
    if not own or not errors:
        return Shown()
    table = decisive_images(own, "test", salt)
    decisive = {
        (str(row["id"]), str(row["label"])): (str(row["image"]), float(row["weight"]))
        for row in table.to_dict("records")
    }
    rows = {str(name): row for row, name in enumerate(test.names)}
    count = dict(zip(map(str, test.ids), test.lengths.tolist(), strict=True))
    images, captions = dict[str, NDArray[np.uint8]](), dict[str, str]()
    for error in errors:
        name, weight = decisive.get((error.id, error.label or ""), ("", 0.0))
        if error.id in images or name not in rows:
            continue
        images[error.id] = test.images[rows[name]]
        captions[error.id] = f"{name}: of {count[error.id]} images the one that decided, weight {weight:.2f}"
    return Shown(images, captions)
