import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st

from medauc.data.preparation.resample import crop_axis, resample, resize_axis

sizes = st.integers(1, 40)


def random_pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("new", [(20, 90), (12, 7), (80, 80), (1, 1), (37, 52)])
def test_resizing_equals_torch_with_antialiasing(new: tuple[int, int]) -> None:
    pixels = random_pixels(37, 53)
    ours = resample(pixels, [resize_axis(37, new[0]), resize_axis(53, new[1])])
    reference = torch.nn.functional.interpolate(
        torch.from_numpy(pixels)[None, None], new, mode="bilinear", antialias=True, align_corners=False
    )
    np.testing.assert_allclose(ours, reference[0, 0].numpy(), atol=1e-5)


def test_enlarging_a_volume_equals_scipy_on_cells() -> None:
    pixels = random_pixels(5, 9, 7)
    ours = resample(pixels, [resize_axis(5, 11), resize_axis(9, 18), resize_axis(7, 7)])
    reference = scipy.ndimage.zoom(pixels, (11 / 5, 2, 1), order=1, grid_mode=True, mode="nearest")
    np.testing.assert_allclose(ours, reference, atol=1e-5)


def test_shrinking_removes_what_the_new_grid_cannot_hold() -> None:
    stripes = np.tile(np.array([0, 1], dtype=np.float32), 32)
    assert np.ptp(resample(stripes, [resize_axis(64, 13)])) < 0.1
    assert np.ptp(stripes[::5]) == 1  # taking single pixels would invent a pattern


@given(old=st.integers(2, 40), step=st.floats(0.2, 4), new=sizes)
def test_a_ramp_stays_a_ramp(old: int, step: float, new: int) -> None:
    grid = crop_axis(old, new, step)
    ramp = resample(np.arange(old, dtype=np.float32), [grid])
    reach = max(1, step)  # nearer to the edge the outermost value is continued
    inner = (grid.centres >= reach - 1) & (grid.centres <= old - reach)
    # Under a triangle that is no whole number of pixels wide the weights of both sides differ by rounding of the grid.
    np.testing.assert_allclose(ramp[inner], grid.centres[inner], atol=1e-4 if step <= 1 else 0.26)


@given(old=sizes, new=sizes, step=st.floats(0.05, 20))
def test_a_constant_stays_constant_inside_and_black_outside(old: int, new: int, step: float) -> None:
    grid = crop_axis(old, new, step)
    found = resample(np.full(old, 7, dtype=np.float32), [grid])
    np.testing.assert_allclose(found, np.where(grid.inside, 7, 0), rtol=1e-5)


@given(old=sizes, new=sizes, step=st.floats(0.05, 20))
def test_as_many_pixels_are_inside_as_fit_into_the_extent(old: int, new: int, step: float) -> None:
    inside = int(crop_axis(old, new, step).inside.sum())
    assert abs(inside - min(new, max(1, old / step))) <= 1
    assert inside >= 1


@given(old=sizes, new=sizes)
def test_cropping_on_the_own_grid_copies_pixels(old: int, new: int) -> None:
    pixels = random_pixels(old) + 1
    found = resample(pixels, [crop_axis(old, new)])
    kept = found[found > 0]
    start = (old - new) // 2 if new < old else 0
    np.testing.assert_array_equal(kept, pixels[start : start + new])


@given(old=sizes, new=sizes, step=st.floats(0.3, 3).filter(lambda step: step != 1))
def test_mirrored_images_give_mirrored_results(old: int, new: int, step: float) -> None:
    pixels = random_pixels(old)
    for grid in (crop_axis(old, new, step), resize_axis(old, new)):
        there = resample(pixels, [grid])
        back = resample(pixels[::-1].copy(), [grid])[::-1]
        np.testing.assert_allclose(there, back, atol=1e-5)


def test_cost_does_not_grow_with_a_spacing_that_lies() -> None:
    grid = crop_axis(65535, 28, step=1e9)
    found = resample(np.ones(65535, dtype=np.float32), [grid])
    np.testing.assert_allclose(found, [0] * 13 + [1, 1] + [0] * 13, atol=1e-4)
    fine = crop_axis(3, 28, step=1e-9)
    np.testing.assert_allclose(resample(np.array([1, 2, 3], dtype=np.float32), [fine]), 2, atol=1e-6)
