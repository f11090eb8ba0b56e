"""Warnings about images that are unlike those a run was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from medauc.data.acquired import Acquired, Range
from medauc.training.combination import Combination
from medauc.training.ensemble_folder import EnsembleFolder
from medauc.training.prediction.reference import Reference
from medauc.training.run_folder import RunFolder

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """Holds images against the references of a run's networks.

    Attributes:
        references: by name of the network; empty where the run has none.
        lacking: why there are no warnings, or not all.
    """

    references: Mapping[str, Reference]
    lacking: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: RunFolder) -> Self:
        """Read the references of the networks that score.

        A refit has no validation images: its limits are as far beyond the distances of its own training images as
        they are in the networks of the folds.
        """
        if not isinstance(run, EnsembleFolder):
            return cls._checked({run.path.name: Reference.read(run.reference)})
        combination = Combination.read(run.combination)
        found = {
            member.name: Reference.read(run.member(member.name).reference) for member in combination.scored_by
        }
        folds = [Reference.read(run.member(member.name).reference) for member in combination.out_of_fold]
        factors = [
            np.divide(fold.limits, fold.training)
            for fold in folds
            if fold is not None and fold.limits is not None
        ]
        if factors:
            first, second = np.median(factors, axis=0).tolist()
            for name, own in found.items():
                if own is not None and own.limits is None:
                    limits = (first * own.training[0], second * own.training[1])
                    found[name] = replace(own, limits=limits)
        return cls._checked(found)

    @classmethod
    def _checked(cls, found: Mapping[str, Reference | None]) -> Self:
        known = {name: reference for name, reference in found.items() if reference is not None}
        if len(known) < len(found):
            return cls(
                {}, ("No warnings: the run was trained before runs kept a reference of their images.",)
            )
        lacking = []
        if any(reference.limits is None for reference in known.values()):
            lacking.append("No warnings about intensities and appearance: the run had no validation images.")
        if any(reference.acquired is None for reference in known.values()):
            lacking.append(
                "No warnings about sizes and spacings: the files had moved when the training ended."
            )
        if any(_names_no_modality(reference.acquired) for reference in known.values()):
            lacking.append("No warnings about modalities: the files of training named none.")
        return cls(known, tuple(lacking))

    @property
    def acquired(self) -> Range | None:
        """How the images of training and validation were acquired."""
        return next((reference.acquired for reference in self.references.values()), None)

    def about_files(self, image: Acquired) -> list[str]:
        """Say in what an image's file is unlike those of training."""
        return [] if self.acquired is None else self.acquired.complaints(image)

    def excess(self, intensities: FloatArray, features: Mapping[str, FloatArray]) -> FloatArray:
        """Distances of images in units of their limits, means over the networks.

        Args:
            intensities: :func:`~medauc.training.prediction.intensity.describe_intensities` of N images.
            features: of the same images, (N, F) by each network.

        Returns:
            (N, 2): of intensities and of features; above 1 is unlike the training images, 0 where there is no limit.
        """
        ratios = [
            np.stack(
                [
                    reference.intensity.distance(intensities) / reference.limits[0],
                    reference.features.distance(features[name]) / reference.limits[1],
                ],
                axis=1,
            )
            for name, reference in self.references.items()
            if reference.limits is not None
        ]
        return np.mean(ratios, axis=0) if ratios else np.zeros((len(intensities), 2))


def _names_no_modality(acquired: Range | None) -> bool:
    """Of files in millimetres (NIfTI, NRRD) that is a loss; pictures and arrays never name any."""
    return acquired is not None and acquired.spacings is not None and not acquired.modalities


def about_pixels(excess: FloatArray) -> list[str]:
    """Word the row of an image that :meth:`Quality.excess` returned.

    >>> about_pixels(np.array([0.4, 1.3]))
    ['appearance unlike the training images (distance 1.3 times the limit)']
    """
    return [
        f"{what} unlike the training images (distance {ratio:.3g} times the limit)"
        for what, ratio in zip(("intensities", "appearance"), excess.tolist(), strict=True)
        if ratio > 1
    ]
