"""Copies of images for test-time augmentation: the mean of a network's scores over them is the score."""

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import torch
from torch import Tensor

from medauc.data.augment.augment import Augment
from medauc.data.augment.draw import SharedDraw
from medauc.errors import InputError

SEED = 20_240_229


def flips(images: Tensor, spatial_dims: int, axes: Sequence[int] | None = None) -> Iterator[Tensor]:
    """Yield the images mirrored along every subset of spatial axes, the images themselves first.

    Args:
        images: (N, C, *spatial).
        spatial_dims: 2 for images, 3 for volumes.
        axes: The spatial axes that may be mirrored, counted from 0; all of them if None.

    Yields:
        2 ** (number of axes) tensors of the shape of ``images``.

    >>> [image.flatten().tolist() for image in flips(torch.tensor([[[[1, 2], [3, 4]]]]), 2)]
    [[1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1]]
    """
    first = images.dim() - spatial_dims
    chosen = range(spatial_dims) if axes is None else axes
    for mirrored in product((False, True), repeat=len(chosen)):
        dims = [first + axis for axis, flipped in zip(chosen, mirrored, strict=True) if flipped]
        yield images.flip(dims) if dims else images


def orientations(images: Tensor, spatial_dims: int) -> Iterator[Tensor]:
    """Yield the images in all orientations that keep their shape, mirrored ones too, the images themselves first.

    Args:
        images: (N, C, *spatial).
        spatial_dims: 2 for images, 3 for volumes.

    Yields:
        8 tensors for a square, 48 for a cube (the octahedral group), 16 for a volume with two equal sides, all
        of the shape of ``images``.

    Raises:
        InputError: All sides differ, which leaves only :func:`flips`.

    >>> len(list(orientations(torch.zeros(1, 1, 5, 5, 5), 3)))
    48
    """
    sizes = tuple(images.shape[-spatial_dims:])
    require_turnable(sizes)
    first = images.dim() - spatial_dims
    for order in permutations(range(spatial_dims)):
        if tuple(sizes[axis] for axis in order) == sizes:
            turned = images.permute(*range(first), *(first + axis for axis in order))
            yield from flips(turned, spatial_dims)


def require_turnable(sizes: Sequence[int]) -> None:
    """Raise InputError unless an image of these sides can be turned by 90 degrees in some plane."""
    if len(set(sizes)) == len(sizes):
        raise InputError(
            f"evaluation.test_time_augmentation octahedral needs two equal sides, images have {tuple(sizes)}; use flips"
        )


def random_copies(images: Tensor, augment: Augment, count: int) -> Iterator[Tensor]:
    """Yield images as in evaluation, then changed as in training by ``count`` - 1 draws that never differ.

    Each draw changes all images alike and comes from a seed of its own, so an image's score depends neither on
    the images beside it nor on the device. Nothing is erased.

    Args:
        images: (N, C, *spatial), normalised.
        augment: the changes of training, in either mode.
        count: number of copies, at least 1.

    Yields:
        ``count`` tensors of the shape of ``images``.

    >>> augment = Augment(2, shift=0.2)
    >>> len(list(random_copies(torch.rand(3, 1, 8, 8), augment, count=4)))
    4
    """
    yield augment.in_evaluation(images)
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(count - 1):
        yield augment.changed(images, SharedDraw(images, generator))
