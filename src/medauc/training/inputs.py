"""What a trained network takes and gives: shape of an image, labels, intensities of the training set."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medauc.data import BagSplit, Dataset

if TYPE_CHECKING:
    from medauc.data.normalize import ImageStatistics  # its module imports torch


@dataclass(frozen=True)
class Inputs:
    """Everything beside recipe and weights that scoring an image needs; stored with the run.

    Attributes:
        shape: spatial shape of one image, (H, W) or (D, H, W).
        channels: 1 for grey images, 3 for colour.
        labels: one name a score.
        multi_label: whether scores have a label axis.
        mean: of the training images, one a channel, in units of the full range.
        std: standard deviation, likewise.
        bags: whether a sample is a bag of images.
    """

    shape: tuple[int, ...]
    channels: int
    labels: tuple[str, ...]
    multi_label: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bags: bool = False

    @classmethod
    def of(cls, dataset: Dataset, statistics: "ImageStatistics") -> "Inputs":
        """Describe ``dataset``, whose training images have these ``statistics``."""
        return cls(
            shape=dataset.image_shape,
            channels=dataset.channels,
            labels=dataset.label_names,
            multi_label=dataset.multi_label,
            mean=statistics.mean,
            std=statistics.std,
            bags=isinstance(dataset.train, BagSplit),
        )

    @property
    def spatial_dims(self) -> int:
        """2 for images, 3 for volumes."""
        return len(self.shape)
