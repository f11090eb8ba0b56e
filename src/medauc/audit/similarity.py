"""How alike two images look, whatever their brightness and contrast, and among 10^5 which are most alike."""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

NEIGHBOURS = 3  # candidates an image
SHIFT_SHARE = 1 / 16  # of a side, that two copies may be shifted against each other
BLOCK = 1024  # images compared with all others at a time

FloatArray = NDArray[np.float32]
Pairs = NDArray[np.int64]


def details(images: NDArray[np.generic]) -> FloatArray:
    """Remove from images what most images of one kind share: everything coarser than a fourteenth of a side.

    Args:
        images: grey, shape (N, H, W) or (N, D, H, W).

    Returns:
        float32 of the same shape; zero where an image is constant.

    >>> float(abs(details(np.full((1, 8, 8), 7.0))).max()) < 1e-5
    True
    """
    values = np.asarray(images, dtype=np.float32)
    sigma = (0.0, *(side / 14 for side in values.shape[1:]))
    return np.asarray(values - gaussian_filter(values, sigma, mode="nearest"), dtype=np.float32)


def candidate_pairs(thumbnails: NDArray[np.uint8], orientations: bool = False) -> Pairs:
    """Find each image's most similar others by blocked products of small vectors, in O(N^2) with memory O(N).

    A vector is the thumbnail at half its resolution, less its own mean, scaled to length 1, less the mean of all
    vectors (the anatomy that all images share), scaled to length 1 again: its products are correlations.

    Args:
        thumbnails: uint8, shape (N, s, s) or (N, s, s, s).
        orientations: also look for flipped copies.

    Returns:
        Index pairs (i, j) with i < j, each once, shape (P, 2).

    >>> rng = np.random.default_rng(0)
    >>> images = rng.integers(0, 255, (20, 32, 32)).astype(np.uint8)
    >>> images[7] = images[3] // 2 + 20
    >>> [3, 7] in candidate_pairs(images).tolist()
    True
    """
    vectors = vectors_of(thumbnails)
    views = [vectors]
    if orientations:
        views += [vectors_of(np.flip(thumbnails, axes)) for axes in _flips(thumbnails.ndim - 1)]
    kept = min(NEIGHBOURS, len(vectors) - 1)
    found: list[Pairs] = []
    for view in views if kept > 0 else ():
        for start in range(0, len(vectors), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(vectors)))
            likeness = view[rows] @ vectors.T
            likeness[rows - start, rows] = -np.inf
            best = np.argpartition(-likeness, kept - 1, axis=1)[:, :kept]
            found.append(np.column_stack((np.repeat(rows, kept), best.reshape(-1))))
    pairs = np.sort(np.concatenate([np.empty((0, 2), np.int64), *found]), axis=1)
    return np.unique(pairs, axis=0)


def pair_likeness(details_of: FloatArray, pairs: Pairs, orientations: bool = False) -> FloatArray:
    """Correlation of the details of pairs of images, at the best of all small shifts.

    Where two images overlap after the shift their details are correlated; 1 is the same picture, whatever its
    brightness and contrast.

    Args:
        details_of: what :func:`details` made of all images.
        pairs: index pairs, shape (P, 2).
        orientations: also try flips of the second.

    Returns:
        Shape (P,), in [-1, 1]; 0 where an image has no detail.

    >>> images = details(np.random.default_rng(0).normal(size=(1, 32, 32)))
    >>> shifted = np.roll(images, 2, axis=2)
    >>> float(pair_likeness(np.concatenate((images, shifted)), np.array([[0, 1]]))[0]) > 0.99
    True
    """
    reach = [round(side * SHIFT_SHARE) for side in details_of.shape[1:]]
    best = np.full(len(pairs), -1.0, dtype=np.float32)
    for start in range(0, len(pairs), BLOCK):
        rows = slice(start, start + BLOCK)
        first, second = details_of[pairs[rows, 0]], details_of[pairs[rows, 1]]
        turned = [second]
        if orientations:
            turned += [np.flip(second, axes) for axes in _flips(second.ndim - 1)]
        for other in turned:
            best[rows] = np.maximum(best[rows], _best_shift(first, other, reach))
    return best


def _best_shift(first: FloatArray, second: FloatArray, reach: list[int]) -> FloatArray:
    found = np.full(len(first), -1.0, dtype=np.float32)
    for shift in product(*(range(-most, most + 1) for most in reach)):
        a = first[(slice(None), *(slice(max(step, 0), min(step, 0) or None) for step in shift))]
        b = second[(slice(None), *(slice(max(-step, 0), min(-step, 0) or None) for step in shift))]
        found = np.maximum(found, _correlation(a.reshape(len(a), -1), b.reshape(len(b), -1)))
    return found


def _correlation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Correlation of the rows of two arrays; 0 where one does not vary."""
    n = a.shape[1]
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    shared = np.einsum("ij,ij->i", a, b) - n * mean_a * mean_b
    power = (np.einsum("ij,ij->i", a, a) - n * mean_a**2) * (np.einsum("ij,ij->i", b, b) - n * mean_b**2)
    return np.asarray(np.where(power > 1e-6, shared / np.sqrt(np.maximum(power, 1e-6)), 0.0), np.float32)


def vectors_of(thumbnails: NDArray[np.uint8]) -> FloatArray:
    """Vectors of length 1 whose products are correlations, as :func:`candidate_pairs` says; shape (N, d)."""
    halved = np.asarray(thumbnails, dtype=np.float32)
    for axis in range(1, halved.ndim):
        even, odd = (halved.take(range(start, halved.shape[axis], 2), axis) for start in (0, 1))
        halved = even + odd
    flat = _unit(halved.reshape(len(halved), -1))
    return _unit(flat - flat.mean(axis=0))


def _unit(vectors: FloatArray) -> FloatArray:
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), dtype=np.float32)


def _flips(axes: int) -> list[tuple[int, ...]]:
    """Axes of an array (N, ...) to flip, every combination but none."""
    return [
        tuple(axis + 1 for axis in range(axes) if chosen[axis])
        for chosen in product((False, True), repeat=axes)
        if any(chosen)
    ]
