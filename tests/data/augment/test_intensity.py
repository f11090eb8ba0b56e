"""Blur against SciPy's Gaussian filter, and speckle noise by its own definition."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from medauc.data.augment import Augment
from medauc.data.augment.intensity import blurred


@pytest.mark.parametrize("sizes", [(30, 33), (24, 25, 26)])
def test_blur_equals_scipys_gaussian_filter_away_from_the_border(sizes):
    images = torch.rand(3, 2, *sizes, generator=torch.Generator().manual_seed(0)).double()
    widths = torch.tensor([0.4, 1.0, 1.7]).double()
    inside = tuple(slice(9, -9) for _ in sizes)
    for image, width, result in zip(images, widths, blurred(images, widths), strict=True):
        for channel, changed in zip(image, result, strict=True):
            expected = scipy.ndimage.gaussian_filter(channel.numpy(), width.item(), truncate=9 / width.item())
            np.testing.assert_allclose(changed[inside].numpy(), expected[inside], atol=2e-7)


def test_blur_of_width_0_changes_no_bit_and_a_constant_stays_one():
    images = torch.rand(2, 1, 7, 8)
    assert torch.equal(blurred(images, torch.zeros(2)), images)
    torch.testing.assert_close(
        blurred(torch.full((2, 1, 7, 8), 3.0), torch.tensor([0.5, 20.0])), torch.full((2, 1, 7, 8), 3.0)
    )


def test_a_very_wide_blur_leaves_the_mean():
    images = torch.rand(1, 1, 6, 6, 6)
    torch.testing.assert_close(blurred(images, torch.tensor([1e4])), images.mean().expand_as(images))


def test_augment_blurs_with_a_width_uniform_up_to_the_limit():
    spot = torch.zeros(400, 1, 41, 41, dtype=torch.float64)
    spot[:, 0, 20, 20] = 1
    torch.manual_seed(0)
    result = Augment(2, blur=3.0)(spot)[:, 0]
    distances = (torch.arange(41).double() - 20).square()
    widths = (result.sum(2) @ distances).sqrt()  # the standard deviation of what the spot became
    assert 2.9 < widths.max() <= 3.0
    assert widths.mean() == pytest.approx(1.5, abs=0.18)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_speckle_is_in_proportion_to_the_height_above_the_darkest_pixel(spatial_dims):
    heights = torch.tensor([0.0, 1.0, 2.0]).repeat(3 ** (spatial_dims - 1)).view(1, 1, *[3] * spatial_dims)
    torch.manual_seed(0)
    images = (heights - 5).expand(6000, 1, *heights.shape[2:])
    changed = (Augment(spatial_dims, speckle=0.3)(images) - images)[:, 0].flatten(1, -2)
    assert torch.equal(changed[..., 0], torch.zeros_like(changed[..., 0]))
    # The variance of s n, with s uniform up to 0.3: 0.3 ** 2 / 3.
    assert changed[..., 1].var() == pytest.approx(0.03, rel=0.05)
    assert changed[..., 2].var() == pytest.approx(0.12, rel=0.05)
    assert changed.mean().abs() < 0.005
