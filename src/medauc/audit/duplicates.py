"""The same picture more than once: exactly, by digest, and nearly, by likeness of details."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medauc.audit.facts import ImageFacts
from medauc.audit.grids import grey, shrink
from medauc.audit.refetch import Gone
from medauc.audit.similarity import Pairs, candidate_pairs, details, pair_likeness

# Different images of the five measured sets stay below 0.95 at full size; docs/audit.md has the distributions.
NEAR = 0.95
SLACK = 0.07  # that thumbnails may fall short of it, since shrinking two shifted copies makes them differ
FULL_SIDES = {2: 128, 3: 48}  # most pixels a side of the final comparison
MOST_COMPARED = 20_000  # pairs looked at in full size; beyond that the thumbnail decides

Fetch = Callable[[int], tuple[NDArray[np.generic], bool]]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of images that are one picture.

    Attributes:
        pairs: row numbers, shape (P, 2); of k exact copies k - 1 pairs, each with the first of them.
        exact: shape (P,): equal pixel for pixel.
        likeness: shape (P,): correlation of details at full size, 1 for exact pairs.
        nearest: for each distinct image the likeness of its most similar other one as thumbnails; NaN where an image
            was not compared.
        clusters: a number for each row; rows with equal numbers are joined by pairs.
        near: likeness from which a pair counts.
        similar: further pairs, alike as thumbnails but not at full size: not counted, worth a look; shape (S, 2).
        similar_likeness: their likeness at full size, shape (S,).
    """

    pairs: Pairs
    exact: NDArray[np.bool_]
    likeness: NDArray[np.float64]
    nearest: NDArray[np.float64]
    clusters: NDArray[np.int64]
    near: float
    similar: Pairs
    similar_likeness: NDArray[np.float64]

    def twins(self, rows: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mask of those of ``rows`` that have a duplicate among ``others``."""
        return np.asarray(rows & np.isin(self.clusters, self.clusters[others]))


def find_duplicates(
    facts: Sequence[ImageFacts], fetch: Fetch, near: float = NEAR, orientations: bool = False
) -> Duplicates:
    """Find all images that are the same picture.

    Unreadable and constant images are left out: they are found by other checks, and all blank images are alike.

    Args:
        facts: of all images.
        fetch: pixels by row number, asked for candidates only; raises Gone where they are no longer what was measured.
        near: likeness from which two images count as one picture, between 0 and 1.
        orientations: also find flipped copies.
    """
    usable = np.array([fact.thumbnail is not None and not fact.constant for fact in facts], dtype=np.bool_)
    first, exact = _exact_pairs(facts, usable)
    found, likeness, nearest = _alike(facts, first, fetch, near, orientations)
    order = np.argsort(-likeness, kind="stable")
    found, likeness = found[order], likeness[order]
    same = likeness >= near
    pairs = np.concatenate([exact, found[same]])
    return Duplicates(
        pairs=pairs,
        exact=np.arange(len(pairs)) < len(exact),
        likeness=np.concatenate([np.ones(len(exact)), likeness[same]]),
        nearest=nearest,
        clusters=_clusters(pairs, len(facts)),
        near=near,
        similar=found[~same],
        similar_likeness=likeness[~same],
    )


def _exact_pairs(
    facts: Sequence[ImageFacts], usable: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of each distinct image, and pairs of each later copy with it."""
    seen: dict[str, int] = {}
    pairs = []
    for number in np.flatnonzero(usable).tolist():
        first = seen.setdefault(facts[number].digest, number)
        if first != number:
            pairs.append((first, number))
    return np.array(list(seen.values()), dtype=np.int64), np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _alike(
    facts: Sequence[ImageFacts], rows: NDArray[np.int64], fetch: Fetch, near: float, orientations: bool
) -> tuple[Pairs, NDArray[np.float64], NDArray[np.float64]]:
    """Pairs of distinct images that are alike as thumbnails, their likeness at full size, each image's nearest."""
    nearest = np.full(len(facts), np.nan)
    kept: list[Pairs] = [np.empty((0, 2), np.int64)]
    alike: list[NDArray[np.float64]] = [np.empty(0)]
    for dims in (2, 3):  # images and volumes are never compared
        chosen = np.array([row for row in rows.tolist() if len(facts[row].shape) == dims], dtype=np.int64)
        if len(chosen) < 2:
            continue
        thumbnails = stacked_thumbnails([facts[row] for row in chosen.tolist()])
        local = candidate_pairs(thumbnails, orientations)
        likeness = pair_likeness(details(thumbnails), local, orientations).astype(np.float64)
        pairs = chosen[local]
        nearest[chosen] = -1.0
        np.maximum.at(nearest, pairs[:, 0], likeness)
        np.maximum.at(nearest, pairs[:, 1], likeness)
        above = np.flatnonzero(likeness >= near - SLACK)
        above = above[np.argsort(-likeness[above], kind="stable")]
        final = likeness[above]
        for place, number in enumerate(above[:MOST_COMPARED]):
            first, second = pairs[number].tolist()
            with suppress(Gone):  # what is known of it are its thumbnail and that it has changed
                final[place] = full_likeness(fetch, first, second, orientations)
        told = (final >= near) | (likeness[above] >= near)
        kept.append(pairs[above][told])
        alike.append(final[told])
    return np.concatenate(kept), np.concatenate(alike), nearest


def stacked_thumbnails(facts: Sequence[ImageFacts]) -> NDArray[np.uint8]:
    """Thumbnails of readable images of one number of axes, shape (N, s, s) or (N, s, s, s)."""
    return np.stack([fact.thumbnail for fact in facts if fact.thumbnail is not None])


def full_likeness(fetch: Fetch, first: int, second: int, orientations: bool = False) -> float:
    """Likeness of two images at the finest grid that both have, at most ``FULL_SIDES`` a side."""
    images = [np.asarray(grey(*fetch(number))) for number in (first, second)]
    most = FULL_SIDES[images[0].ndim]
    shape = tuple(min(most, *sides) for sides in zip(*(image.shape for image in images), strict=True))
    common = np.concatenate([shrink(image[None], shape) for image in images])
    return float(pair_likeness(details(common), np.array([[0, 1]]), orientations)[0])


def _clusters(pairs: Pairs, rows: int) -> NDArray[np.int64]:
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
