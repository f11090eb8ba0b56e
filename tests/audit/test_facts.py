"""Figures of images against NumPy, digests that follow pixels, thumbnails that follow the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medauc.audit.facts import QUANTILES, digest_of, facts_of_images
from medauc.audit.grids import corners, rim, shrink, to_bytes


@pytest.mark.parametrize("shape", [(5, 7), (28, 28), (4, 5, 6), (300, 40)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_figures_are_those_of_numpy(shape: tuple[int, ...], dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 200, (3, *shape)).astype(dtype)
    for image, fact in zip(images, facts_of_images(images), strict=True):
        assert fact.shape == shape
        assert (fact.low, fact.high) == (image.min(), image.max())
        assert fact.mean == pytest.approx(image.mean(dtype=np.float64), rel=1e-5)
        assert fact.sd == pytest.approx(image.std(dtype=np.float64), rel=1e-5)
        assert fact.quantiles == pytest.approx(np.quantile(image, QUANTILES), rel=1e-5)
        assert fact.finite == 1.0
        assert not fact.constant


def test_border_corner_and_padding() -> None:
    image = np.zeros((6, 8), np.uint8)
    image[1:-1, 1:-1] = 90
    fact = facts_of_images(image[None])[0]
    assert (fact.border, fact.corner) == (0.0, 0.0)
    assert fact.padding == pytest.approx(24 / 48)
    assert rim((6, 8)).sum() == 24
    assert image[corners((6, 8))].tolist() == [0, 0, 0, 0]


def test_pixels_that_are_not_finite_are_told_and_left_out() -> None:
    images = np.ones((2, 4, 4), np.float32)
    images[0, 0, 0], images[0, 1, 1], images[0, 2, 2] = np.nan, np.inf, 5.0
    images[1] = np.nan
    some, none = facts_of_images(images)
    assert some.finite == 14 / 16
    assert (some.low, some.high) == (1.0, 5.0)
    assert none.finite == 0.0
    assert none.constant
    assert np.isnan(none.mean)


def test_colour_is_judged_by_its_mean() -> None:
    image = np.random.default_rng(0).integers(0, 255, (1, 6, 6, 3)).astype(np.uint8)
    fact = facts_of_images(image, colour=True)[0]
    assert (fact.shape, fact.colour) == ((6, 6), True)
    assert fact.mean == pytest.approx(image.mean(), rel=1e-5)


@given(arrays(np.uint8, (5, 6)), st.sampled_from([np.int16, np.int32, np.float32, np.float64]))
def test_equal_pixels_have_equal_digests_whatever_holds_them(image: np.ndarray, dtype: type) -> None:
    assert digest_of(image) == digest_of(image.astype(dtype))
    assert digest_of(image) == digest_of(np.asfortranarray(image))


@given(arrays(np.int16, (4, 5)), st.integers(0, 19))
def test_one_changed_pixel_changes_the_digest(image: np.ndarray, place: int) -> None:
    other = image.copy()
    other.reshape(-1)[place] ^= 1
    assert digest_of(image) != digest_of(other)


def test_fractions_keep_their_digest_apart_from_whole_numbers() -> None:
    whole = np.array([[1.0, 2.0]])
    assert digest_of(whole) != digest_of(whole + 0.25)
    assert digest_of(whole) != digest_of(whole.T)


def test_shrinking_keeps_the_mean_and_thumbnails_ignore_brightness_and_contrast() -> None:
    images = np.random.default_rng(1).integers(0, 100, (2, 64, 96)).astype(np.float32)
    assert shrink(images, (32, 32)).mean(axis=(1, 2)) == pytest.approx(images.mean(axis=(1, 2)), rel=1e-5)
    assert (to_bytes(images) == to_bytes(2.0 * images + 7.0)).all()
