"""Copies are found however they were changed, and unlike pictures are not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, zoom

from fixtures.textures import textures
from medauc.audit.duplicates import find_duplicates, full_likeness
from medauc.audit.facts import facts_of_images
from medauc.audit.similarity import candidate_pairs, details, pair_likeness

CHANGES = {
    "darker and flatter": lambda image: image * 0.4 + 30,
    "noise of compression": lambda image: image + np.random.default_rng(5).normal(0, 1.0, image.shape),
    "one pixel aside": lambda image: np.roll(image, 1, axis=-1),
    "16 bit": lambda image: image.astype(np.float64) * 200,
}


def found(images: list[np.ndarray], near: float = 0.95, orientations: bool = False):
    facts = [facts_of_images(np.asarray(image)[None])[0] for image in images]
    return find_duplicates(facts, lambda number: (np.asarray(images[number]), False), near, orientations)


@pytest.mark.parametrize("shape", [(40, 40), (20, 20, 20)])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(shape: tuple[int, ...], change: str) -> None:
    images: list[np.ndarray] = list(textures(30, shape))
    images.append(CHANGES[change](images[4].astype(np.float64)))
    duplicates = found(images)
    assert duplicates.pairs.tolist() == [[4, 30]]
    assert duplicates.exact.tolist() == [False]
    assert duplicates.likeness[0] > 0.95


def test_a_copy_of_another_size_is_found() -> None:
    images: list[np.ndarray] = list(textures(30, (64, 64)))
    images.append(zoom(gaussian_filter(images[7].astype(np.float64), 0.5), 0.75, order=1))
    assert found(images).pairs.tolist() == [[7, 30]]


def test_a_flipped_copy_is_found_when_asked_for() -> None:
    images: list[np.ndarray] = list(textures(30, (32, 32)))
    images.append(images[3][:, ::-1] * 0.5 + 3)
    assert len(found(images).pairs) == 0
    assert found(images, orientations=True).pairs.tolist() == [[3, 30]]


def test_exact_copies_are_one_cluster_with_a_pair_less_than_copies() -> None:
    images = list(textures(10))
    images += [images[2], images[2], images[5]]
    duplicates = found(images)
    assert duplicates.pairs.tolist() == [[2, 10], [2, 11], [5, 12]]
    assert duplicates.exact.all()
    assert len(set(duplicates.clusters[[2, 10, 11]].tolist())) == 1
    train, test = np.arange(13) < 10, np.arange(13) >= 10
    assert duplicates.twins(test, train).tolist() == test.tolist()
    assert np.flatnonzero(duplicates.twins(train, test)).tolist() == [2, 5]


def test_blank_images_are_no_duplicates() -> None:
    images = [*textures(5), *np.full((4, 24, 24), 7, np.uint8)]
    assert len(found(images).pairs) == 0


def test_without_images_and_with_one_nothing_is_found() -> None:
    assert len(found([]).pairs) == 0
    assert len(found(list(textures(1))).pairs) == 0


def test_images_and_volumes_are_never_compared() -> None:
    images: list[np.ndarray] = [*textures(6, (24, 24)), *textures(6, (16, 16, 16))]
    assert len(found(images).pairs) == 0


def test_likeness_is_symmetric_and_bounded() -> None:
    images = textures(12)
    pairs = np.array([(i, j) for i in range(12) for j in range(i)])
    there, back = (pair_likeness(details(images), order) for order in (pairs, pairs[:, ::-1]))
    assert there == pytest.approx(back, abs=1e-5)
    assert (np.abs(there) <= 1 + 1e-5).all()
    assert there.max() < 0.9


def test_likeness_is_the_correlation_where_no_shift_helps() -> None:
    """Against NumPy's own correlation of the same details, for an image and itself with noise."""
    image = textures(1, (64, 64))[0].astype(np.float64)
    other = image + np.random.default_rng(0).normal(0, 10, image.shape)
    both = details(np.stack((image, other)))
    expected = np.corrcoef(both.reshape(2, -1))[0, 1]
    assert pair_likeness(both, np.array([[0, 1]]))[0] == pytest.approx(expected, abs=1e-4)


def test_candidates_of_many_are_those_of_all_products() -> None:
    """Blocked search finds each image's truly nearest one, also across blocks."""
    from medauc.audit import similarity

    images = textures(70, (32, 32))
    vectors = similarity.vectors_of(images)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = {tuple(sorted((row, int(place)))) for row, place in enumerate(likeness.argmax(axis=1))}
    block, similarity.BLOCK = similarity.BLOCK, 16
    try:
        assert nearest <= set(map(tuple, candidate_pairs(images).tolist()))
    finally:
        similarity.BLOCK = block


def test_full_size_tells_pictures_apart_that_thumbnails_cannot() -> None:
    """Two images with the same coarse content and unlike detail."""
    coarse = zoom(textures(1, (16, 16), seed=3)[0].astype(np.float64), 8, order=1)
    fine = np.random.default_rng(2).normal(0, 40, (2, 128, 128))
    images = coarse + fine
    assert full_likeness(lambda number: (images[number], False), 0, 1) < 0.8


def test_nearest_likeness_is_told_for_every_compared_image() -> None:
    images = [*textures(8), np.zeros((24, 24), np.uint8)]
    nearest = found(images).nearest
    assert np.isfinite(nearest[:8]).all()
    assert np.isnan(nearest[8])


def test_pairs_above_the_threshold_as_thumbnails_alone_are_look_alikes(monkeypatch) -> None:
    import medauc.audit.duplicates as module

    images = list(textures(20))
    images.append(images[0].astype(np.float64) * 0.5 + 3)
    monkeypatch.setattr(module, "full_likeness", lambda *_: 0.7)
    duplicates = found(images)
    assert len(duplicates.pairs) == 0
    assert duplicates.similar.tolist() == [[0, 20]]
    assert duplicates.similar_likeness.tolist() == [0.7]
