"""Test-time augmentation as a recipe asks for it: the copies of a batch whose scores are averaged."""

from collections.abc import Iterator

from torch import Tensor

from medauc.data.augment import Augment, flips, orientations, random_copies
from medauc.training.sections.evaluation import EvaluationSection


def copies(images: Tensor, augment: Augment, section: EvaluationSection) -> Iterator[Tensor]:
    """Yield the copies of normalised ``images`` (N, C, *spatial) that are scored, one after the other.

    Args:
        images: as they come from the normalisation.
        augment: the changes of training, which say along which axes to flip and what to draw from.
        section: which copies.

    Raises:
        InputError: "octahedral" of images whose sides all differ.
    """
    kind, inputs = section.test_time_augmentation, augment.in_evaluation(images)
    if kind == "flips":
        trained = [axis for axis, share in enumerate(augment.geometry.flip) if share > 0]
        return flips(inputs, augment.spatial_dims, trained)
    if kind == "octahedral":
        return orientations(inputs, augment.spatial_dims)
    if kind == "random":
        return random_copies(images, augment, section.test_time_copies)
    return iter([inputs])
