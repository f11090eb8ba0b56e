"""Copies for test-time augmentation: the mirror images, the octahedral group, and draws that never differ."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.augment import Augment, flips, orientations, random_copies
from medauc.errors import InputError

ALL = {
    "flip": 0.5, "quarter_turns": True, "rotation": 15.0, "scale": (0.9, 1.2), "shear": 0.1, "shift": 0.1,
    "crop": 2, "elastic": 0.05, "warp_share": 0.8, "blur": 0.5, "brightness": 0.1, "contrast": 0.2, "gamma": 0.3,
    "speckle": 0.1, "noise": 0.05, "voxel_scaling": True, "erase": 0.5,
}  # fmt: skip


def random_images(count, *sizes, channels=1):
    return torch.rand(count, channels, *sizes, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_flips_yield_every_mirror_image_once_and_the_image_first(spatial_dims):
    images = random_images(2, *[3] * spatial_dims, channels=2)
    copies = list(flips(images, spatial_dims))
    assert torch.equal(copies[0], images)
    assert len({tuple(copy.flatten().tolist()) for copy in copies}) == 2**spatial_dims
    for copy in copies:
        again = [tuple(twice.flatten().tolist()) for twice in flips(copy, spatial_dims)]
        assert tuple(images.flatten().tolist()) in again


def test_flips_of_chosen_axes_leave_the_others():
    images = random_images(2, 3, 4)
    copies = list(flips(images, 2, axes=[1]))
    assert len(copies) == 2
    assert torch.equal(copies[1], images.flip(3))


@pytest.mark.parametrize(
    ("sizes", "order"), [((4, 4), 8), ((3, 3, 3), 48), ((3, 3, 4), 16), ((4, 3, 4), 16), ((2, 3, 3), 16)]
)
def test_orientations_are_a_group(sizes, order):
    d, images = len(sizes), random_images(2, *sizes, channels=2)
    copies = list(orientations(images, d))
    assert torch.equal(copies[0], images)
    distinct = {tuple(copy.flatten().tolist()) for copy in copies}
    assert len(copies) == len(distinct) == order
    for copy in copies:  # closed, hence with every element its inverse
        assert copy.shape == images.shape
        assert {tuple(twice.flatten().tolist()) for twice in orientations(copy, d)} == distinct


@pytest.mark.parametrize("sizes", [(5, 5), (4, 4, 4)])
def test_orientations_are_the_images_that_training_with_flips_and_quarter_turns_shows(sizes):
    images = random_images(1, *sizes)
    expected = {tuple(copy.flatten().tolist()) for copy in orientations(images, len(sizes))}
    torch.manual_seed(0)
    augment = Augment(len(sizes), flip=0.5, quarter_turns=True)
    shown = augment(images.expand(800, *images.shape[1:]))
    assert {tuple(image.flatten().tolist()) for image in shown} == expected


@pytest.mark.parametrize("sizes", [(4, 5), (3, 4, 5)])
def test_images_whose_sides_all_differ_have_no_orientations(sizes):
    with pytest.raises(InputError, match=r"octahedral needs two equal sides, images have .*use flips"):
        list(orientations(random_images(1, *sizes), len(sizes)))


@pytest.mark.parametrize("sizes", [(9, 9), (7, 7, 7)])
def test_random_copies_begin_with_the_image_and_differ_from_each_other(sizes):
    images, augment = random_images(3, *sizes), Augment(len(sizes), **ALL)
    copies = list(random_copies(images, augment, 5))
    assert len(copies) == 5
    assert torch.equal(copies[0], images * 0.5)  # voxel scaling, as in evaluation
    for first in range(5):
        for second in range(first):
            assert not torch.allclose(copies[first], copies[second], atol=1e-3)


@settings(max_examples=20)
@given(
    options=st.sets(st.sampled_from(sorted(ALL))),
    spatial_dims=st.sampled_from([2, 3]),
    place=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_a_random_copy_depends_on_nothing_but_its_image(options, spatial_dims, place, seed):
    """Not on the batch, the mode, nor the global random state, which it leaves alone."""
    images = random_images(5, *[6] * spatial_dims, channels=2)
    augment = Augment(spatial_dims, **{name: ALL[name] for name in options})
    torch.manual_seed(seed)
    state = torch.get_rng_state()
    together = list(random_copies(images, augment, 4))
    assert torch.equal(torch.get_rng_state(), state)
    alone = list(random_copies(images[place : place + 1], augment.eval(), 4))
    for batch, single in zip(together, alone, strict=True):
        assert batch.shape == images.shape
        torch.testing.assert_close(batch[place], single[0])


def test_all_images_are_changed_alike_and_nothing_is_erased():
    one = random_images(1, 8, 8)
    for copy in random_copies(one.expand(4, 1, 8, 8), Augment(2, **ALL), 6):
        for image in copy[1:]:
            torch.testing.assert_close(image, copy[0])
    erasing = Augment(2, erase=0.9)
    for copy in random_copies(one, erasing, 6):
        assert torch.equal(copy, one)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_random_copies_are_the_same_on_a_gpu():
    images, augment = random_images(3, 9, 9, 9), Augment(3, **ALL)
    pairs = zip(random_copies(images, augment, 5), random_copies(images.cuda(), augment, 5), strict=True)
    for here, there in pairs:
        assert there.is_cuda
        torch.testing.assert_close(there.cpu(), here, atol=1e-5, rtol=1e-4)
