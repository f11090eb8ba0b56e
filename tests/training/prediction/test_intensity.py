"""Figures of pixels against NumPy on each image by itself."""

import numpy as np
import pytest

from medauc.training.prediction import intensity
from medauc.training.prediction.intensity import SHARES, describe_intensities


def by_hand(image: np.ndarray) -> list[float]:
    values = image.astype(np.float64) / 255
    steps = [np.abs(np.diff(values, axis=axis)).mean() for axis in range(values.ndim)]
    shares = [np.quantile(values, share, method="higher") for share in SHARES]
    return [values.mean(), values.std(), *shares, np.mean(steps)]


@pytest.mark.parametrize("shape", [(9, 6, 7), (5, 4, 6, 7)])
def test_grey_images_and_volumes(shape, monkeypatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    monkeypatch.setattr(intensity, "_CHUNK_VALUES", 2 * images[0].size)  # several parts, the last one shorter
    np.testing.assert_allclose(
        describe_intensities(images, 1), [by_hand(image) for image in images], rtol=1e-5
    )


def test_each_channel_of_colour_images() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 6, 7, 3), dtype=np.uint8)
    expected = [[figure for c in range(3) for figure in by_hand(image[..., c])] for image in images]
    np.testing.assert_allclose(describe_intensities(images, 3), expected, rtol=1e-5)


def test_noise_is_rough_and_no_images_are_no_figures() -> None:
    smooth = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (1, 24, 1))
    shuffled = np.random.default_rng(2).permutation(smooth.ravel()).reshape(smooth.shape)
    first, second = describe_intensities(np.concatenate([smooth, shuffled]), 1)
    np.testing.assert_allclose(first[:-1], second[:-1], rtol=1e-5)
    assert second[-1] > 5 * first[-1]
    assert describe_intensities(np.empty((0, 4, 4), np.uint8), 1).shape == (0, 10)
