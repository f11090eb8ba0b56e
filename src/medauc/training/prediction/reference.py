"""What the images that a run was trained on look like, stored with the run, and what new images are held against."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from medauc.data import Dataset
from medauc.data.acquired import Range
from medauc.data.mapped import MappedImages
from medauc.errors import InputError
from medauc.files import write_bytes_atomically
from medauc.training.module import Classifier
from medauc.training.prediction.distance import Cloud
from medauc.training.prediction.features import features_of
from medauc.training.prediction.intensity import describe_intensities
from medauc.training.prediction.originals import range_of

FloatArray = NDArray[np.float64]

FLAGGED = 0.01  # share of ordinary images that exceed a limit
MOST = 2000  # images of a split that are looked at; more change the figures little
_KINDS = ("intensity", "features")


@dataclass(frozen=True, eq=False)
class Reference:
    """Stored in a run folder as ``reference.npz``.

    Attributes:
        acquired: sizes, spacings and modalities of the files; None where they could not be read again.
        intensity: of training images, as :func:`~medauc.training.prediction.intensity.describe_intensities` does.
        features: of training images, as :func:`~medauc.training.prediction.features.features_of` finds them.
        training: distance from each cloud that one training image in a hundred exceeds, (intensity, features).
        limits: distances that one validation image in two hundred exceeds, each; None without validation.
    """

    acquired: Range | None
    intensity: Cloud
    features: Cloud
    training: tuple[float, float]
    limits: tuple[float, float] | None

    @classmethod
    def of(cls, module: Classifier, dataset: Dataset) -> Self:
        """Look at training and validation images with the trained network.

        Distances of training images themselves would be too small a limit, since the network knows them.

        Args:
            module: with the weights that are kept, in evaluation mode, on the device that computes.
            dataset: what it was trained on.
        """
        training, validation = (_vectors(module, dataset, split) for split in ("train", "val"))
        intensity, features = clouds = [Cloud.of(vectors) for vectors in training]
        own = np.array([cloud.distance(vectors) for cloud, vectors in zip(clouds, training, strict=True)])
        limits = None
        if len(dataset.val):
            unseen = [cloud.distance(vectors) for cloud, vectors in zip(clouds, validation, strict=True)]
            limits = _two(limits_of(np.array(unseen)))
        seen = _two(np.quantile(own, 1 - FLAGGED, axis=1))
        return cls(range_of(dataset, module.recipe.data), intensity, features, seen, limits)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; equal references give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {
            f"{kind}_{name}": array
            for kind, cloud in zip(_KINDS, (self.intensity, self.features), strict=True)
            for name, array in cloud.to_arrays().items()
        }
        arrays |= _range_to_arrays(self.acquired)
        arrays |= {"training": np.array(self.training), "limits": np.array(self.limits or ())}
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_bytes_atomically(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read it back; None where there is none, as in runs of older versions.

        Raises:
            InputError: the file is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls._from({name: stored[name] for name in stored.files})
        except FileNotFoundError:
            return None
        except Exception as error:  # zipfile, zlib and NumPy raise many kinds on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: damaged ({reason}); restore it, or delete it to predict without warnings"
            ) from None

    @classmethod
    def _from(cls, stored: dict[str, NDArray[Any]]) -> Self:
        intensity, features = (
            Cloud.from_arrays(
                {
                    name.removeprefix(f"{kind}_"): array.astype(np.float64)
                    for name, array in stored.items()
                    if name.startswith(f"{kind}_")
                }
            )
            for kind in _KINDS
        )
        limits = stored["limits"]
        return cls(
            _range_from(stored),
            intensity,
            features,
            _two(stored["training"]),
            _two(limits) if limits.size else None,
        )


def _two(values: Iterable[float]) -> tuple[float, float]:
    first, second = (float(value) for value in values)
    return first, second


def _range_to_arrays(acquired: Range | None) -> dict[str, NDArray[Any]]:
    if acquired is None:
        return {"sizes": np.empty(0)}
    return {
        "sizes": np.array(acquired.sizes),
        "spacings": np.array(acquired.spacings or ()),
        "modalities": np.array(acquired.modalities, dtype=np.str_),
        "colour": np.array(acquired.colour),
    }


def _range_from(stored: dict[str, NDArray[Any]]) -> Range | None:
    if not stored["sizes"].size:
        return None
    low, high = stored["sizes"].tolist()
    spacings = [tuple(side) for side in stored["spacings"].tolist()]
    return Range(
        (tuple(low), tuple(high)),
        (spacings[0], spacings[1]) if spacings else None,
        tuple(stored["modalities"].tolist()),
        bool(stored["colour"]),
    )


def limits_of(distances: FloatArray, share: float = FLAGGED) -> tuple[float, ...]:
    """Limits of several distances, such that a ``share`` of ordinary images exceeds one of them or more.

    Each of K distances has ``share`` / K to itself. The limit is the distance of the rank that makes a new image of the
    same kind exceed it with at most that probability, or with 1 / (N + 1) where N is too small for it.

    Args:
        distances: of K kinds of N validation images, shape (K, N), N at least 1.
        share: of ordinary images.

    Source:
        The rank: conformal anomaly detection, Laxhammar & Falkman, Ann. Math. Artif. Intell. 74 (2015) 67-94.

    >>> limits_of(np.arange(1.0, 200.0)[None])
    (198.0,)
    """
    kinds, count = distances.shape
    rank = min(int(np.ceil((count + 1) * (1 - share / kinds))), count)
    return tuple(np.sort(distances, axis=1)[:, rank - 1].tolist())


def _vectors(module: Classifier, dataset: Dataset, name: str) -> tuple[FloatArray, ...]:
    """Intensity figures and features of a split's images, spread evenly over the split where there are very many."""
    images = dataset.splits[name].images
    if not len(images):
        return ()
    rows = np.linspace(0, len(images) - 1, min(MOST, len(images))).astype(np.int64)
    if isinstance(images, MappedImages):
        chosen = images.with_rows(images.rows[rows])
    else:
        chosen = MappedImages(
            cast(NDArray[np.uint8], images), rows
        )  # rows of an array in memory are not copied
    return describe_intensities(chosen, dataset.channels), features_of(module, chosen)
