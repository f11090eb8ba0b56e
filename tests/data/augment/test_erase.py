"""Random erasing: a box inside the image, no larger than asked for, and every other pixel as it was."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.augment import Augment
from medauc.data.augment.draw import Draw
from medauc.data.augment.erase import erased


def marked(sizes, share, count=200, seed=0):
    """Which pixels were erased (N, *sizes): those of images full of different numbers that changed."""
    images = torch.rand(count, 1, *sizes, generator=torch.Generator().manual_seed(seed + 1)).double()
    result = erased(images, share, Draw(images, torch.Generator().manual_seed(seed)))
    return (result != images)[:, 0], images, result


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(3, 14), min_size=2, max_size=3),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_it_is_a_box_of_at_most_the_share_filled_with_the_mean(sizes, share, seed):
    changed, images, result = marked(sizes, share, count=8, seed=seed)
    pixels = torch.tensor(sizes).prod()
    for mask, image, after in zip(changed, images[:, 0], result[:, 0], strict=True):
        assert mask.sum() <= share * pixels + 1e-6
        if not mask.any():
            continue
        torch.testing.assert_close(after[mask], image.mean().expand(int(mask.sum())))
        assert torch.equal(after[~mask], image[~mask])
        box = mask.nonzero()
        assert int(mask.sum()) == (box.amax(0) - box.amin(0) + 1).prod()


def test_shares_are_uniform_and_places_everywhere():
    changed, _, _ = marked((60, 60), 0.4, count=3000)
    shares = changed.flatten(1).double().mean(1)
    assert 0.36 < shares.max() <= 0.4
    assert shares.mean() == pytest.approx(0.19, abs=0.015)  # 0.2 less what whole pixels take off
    assert shares.quantile(0.25) == pytest.approx(0.095, abs=0.015)
    covered = changed.double().mean(0)
    assert covered.min() > 0
    torch.testing.assert_close(covered, covered.flip(0), atol=0.05, rtol=0)
    torch.testing.assert_close(covered, covered.mT, atol=0.05, rtol=0)


def test_sides_stretch_up_to_twice_those_of_the_images_own_shape():
    changed, _, _ = marked((100, 100), 0.05, count=500)
    height, width = changed.any(2).sum(1).double(), changed.any(1).sum(1).double()
    large = height * width > 100
    ratios = (height / width)[large]
    assert 1.8 < ratios.max() <= 4.5  # one side at most twice, the other half as long, up to rounding
    assert ratios.log().mean().abs() < 0.1


def test_each_channel_gets_its_own_mean():
    images = torch.rand(4, 3, 10, 10) + torch.arange(3).view(1, 3, 1, 1)
    result = erased(images, 0.9, Draw(images, torch.Generator().manual_seed(0)))
    changed = (result != images).any(1)
    assert changed.any()
    for image, after, mask in zip(images, result, changed, strict=True):
        expected = image.mean((1, 2))[:, None].expand(3, int(mask.sum()))
        torch.testing.assert_close(after[:, mask], expected)


def test_augment_erases_after_everything_else():
    images = torch.rand(30, 1, 9, 9)
    torch.manual_seed(0)
    before = Augment(2, noise=0.1)(images)
    torch.manual_seed(0)
    after = Augment(2, noise=0.1, erase=0.5)(images)
    kept = (after == before).flatten(1).float().mean(1)
    assert (kept >= 0.5).all()
    assert kept.min() < 0.7
