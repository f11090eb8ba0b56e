"""Augmentation against torch.flip, rot90, roll, SciPy's affine transform, and its own promises."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.augment import Augment
from medauc.data.augment.draw import Draw
from medauc.data.augment.geometry import sampling_grid
from medauc.errors import InputError

EVERYTHING = {
    "flip": 0.5,
    "quarter_turns": True,
    "rotation": 15.0,
    "scale": (0.9, 1.2),
    "shear": 0.1,
    "shift": 0.1,
    "crop": 2,
    "brightness": 0.1,
    "contrast": 0.2,
    "gamma": 0.3,
    "noise": 0.05,
    "voxel_scaling": True,
    "elastic": 0.08,
    "warp_share": 0.7,
    "blur": 1.0,
    "speckle": 0.2,
    "erase": 0.3,
}


def random_batch(count: int, *sizes: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, channels, *sizes, generator=torch.Generator().manual_seed(seed))


def all_quarter_turns(image: torch.Tensor) -> list[torch.Tensor]:
    """List an image (C, *spatial) in each of its 4 (2D) or 24 (3D) orientations."""
    if image.dim() == 3:
        return [torch.rot90(image, turns, (1, 2)) for turns in range(4)]
    facing = [torch.rot90(image, turns, (1, 2)) for turns in range(4)]
    facing += [torch.rot90(image, turns, (1, 3)) for turns in (1, 3)]
    return [torch.rot90(face, turns, (2, 3)) for face in facing for turns in range(4)]


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_without_options_images_pass_unchanged(spatial_dims):
    images = random_batch(3, *[7] * spatial_dims)
    assert torch.equal(Augment(spatial_dims)(images), images)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_in_evaluation_only_voxel_scaling_remains(spatial_dims):
    images = random_batch(3, *[7] * spatial_dims)
    without = Augment(spatial_dims, **EVERYTHING | {"voxel_scaling": False}).eval()
    assert torch.equal(without(images), images)
    assert torch.equal(Augment(spatial_dims, **EVERYTHING).eval()(images), 0.5 * images)


@pytest.mark.parametrize("sizes", [(6, 9), (4, 5, 6)])
def test_certain_flips_equal_torch_flip_on_each_axis(sizes):
    images = random_batch(3, *sizes, channels=2)
    for axis in range(len(sizes)):
        shares = [float(axis == other) for other in range(len(sizes))]
        assert torch.equal(Augment(len(sizes), flip=shares)(images), images.flip(2 + axis))
    assert torch.equal(Augment(len(sizes), flip=1.0)(images), images.flip(*range(2, images.dim())))


def test_flips_come_with_their_probability_independently_for_each_image():
    images = torch.arange(4.0).view(1, 1, 2, 2).expand(4000, 1, 2, 2)
    torch.manual_seed(0)
    flipped = Augment(2, flip=(0.2, 0.6))(images)
    vertical = flipped[:, 0, 0, 0] >= 2
    horizontal = flipped[:, 0, 0, 0] % 2 == 1
    # 4 standard errors of a share of 4,000
    assert vertical.float().mean() == pytest.approx(0.2, abs=0.026)
    assert horizontal.float().mean() == pytest.approx(0.6, abs=0.031)
    assert (vertical & horizontal).float().mean() == pytest.approx(0.12, abs=0.021)


@pytest.mark.parametrize(("sizes", "orientations"), [((5, 5), 4), ((4, 4, 4), 24)])
def test_quarter_turns_are_the_rotations_of_the_square_or_cube_equally_often(sizes, orientations):
    image = random_batch(1, *sizes)[0]
    expected = [turned.flatten() for turned in all_quarter_turns(image)]
    assert len({tuple(turned.tolist()) for turned in expected}) == orientations
    torch.manual_seed(0)
    turned = Augment(len(sizes), quarter_turns=True)(image.expand(100 * orientations, *image.shape))
    counts = torch.stack([(turned.flatten(1) == one).all(1).sum() for one in expected])
    assert counts.sum() == 100 * orientations
    assert counts.min() > 55  # 4.5 standard deviations below 100
    assert counts.max() < 145


@pytest.mark.parametrize("sizes", [(6, 7), (5, 6, 7)])
def test_crop_equals_padding_and_cropping_at_whole_pixels(sizes):
    images = random_batch(20, *sizes)
    crop = 2
    for padding, mode in {"zeros": "constant", "border": "replicate", "reflection": "symmetric"}.items():
        numpy_mode = {"constant": "constant", "replicate": "edge", "symmetric": "symmetric"}[mode]
        torch.manual_seed(0)
        cropped = Augment(len(sizes), crop=crop, padding=padding)(images)
        width = [(0, 0), (0, 0)] + [(crop, crop)] * len(sizes)
        padded = torch.from_numpy(np.pad(images.numpy(), width, mode=numpy_mode))
        starts = set()
        for image, result in zip(padded[:, 0], cropped[:, 0], strict=True):
            candidates = [
                place
                for place in np.ndindex(*[2 * crop + 1] * len(sizes))
                if torch.equal(
                    image[tuple(slice(a, a + size) for a, size in zip(place, sizes, strict=True))], result
                )
            ]
            assert len(candidates) == 1
            starts.add(candidates[0])
        assert len(starts) > 5


@pytest.mark.parametrize("sizes", [(12, 15), (7, 8, 9)])
@pytest.mark.parametrize(("padding", "mode"), [("zeros", "constant"), ("border", "nearest")])
def test_warps_equal_scipys_affine_transform(sizes, padding, mode):
    d = len(sizes)
    options = {"flip": 0.5, "rotation": 40.0, "scale": (0.7, 1.4), "shear": 0.2, "shift": 0.2, "crop": 1}
    augment = Augment(d, **options, padding=padding)
    images = random_batch(6, *sizes).double()
    torch.manual_seed(4)
    draw = Draw(images, None)
    matrices = augment.geometry.draw_orientations(draw) @ augment.geometry.draw_affine(draw)
    displacements = augment.geometry.draw_shifts(sizes, draw) + augment.geometry.draw_crops(draw)
    torch.manual_seed(4)
    warped = augment(images)
    centre = (np.array(sizes) - 1) / 2
    for image, result, matrix, moved in zip(images, warped, matrices, displacements, strict=True):
        offset = centre - matrix.numpy() @ (centre + moved.numpy())
        # grid_sample fades into the zeros outside over one pixel, as SciPy's "grid-constant" does.
        boundary = "grid-constant" if mode == "constant" else mode
        expected = scipy.ndimage.affine_transform(
            image[0].numpy(), matrix.numpy(), offset, order=1, mode=boundary
        )
        np.testing.assert_allclose(result[0].numpy(), expected, atol=1e-9)


def sampling_matrices(spatial_dims: int, count: int = 2000, **options: object) -> torch.Tensor:
    images = torch.zeros(count, 1, *[2] * spatial_dims, dtype=torch.float64)
    draw = Draw(images, torch.Generator().manual_seed(0))
    return Augment(spatial_dims, **options).geometry.draw_affine(draw)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_rotations_are_proper_and_their_angles_uniform_up_to_the_limit(spatial_dims):
    matrices = sampling_matrices(spatial_dims, rotation=60.0)
    identity = torch.eye(spatial_dims, dtype=torch.float64)
    torch.testing.assert_close(matrices @ matrices.mT, identity.expand_as(matrices))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(2000, dtype=torch.float64))
    trace = matrices.diagonal(dim1=1, dim2=2).sum(1)
    cosine = trace / 2 if spatial_dims == 2 else (trace - 1) / 2
    degrees = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    assert 58 < degrees.max() <= 60.0001
    assert degrees.mean() == pytest.approx(30, abs=1.6)  # 4 standard errors


def test_rotation_axes_point_in_every_direction_alike():
    matrices = sampling_matrices(3, rotation=90.0)
    axial = torch.stack([matrices[:, i, j] - matrices[:, j, i] for i, j in ((0, 1), (1, 2), (2, 0))], dim=1)
    directions = axial / axial.norm(dim=1, keepdim=True)
    moments = directions.T @ directions / len(directions)
    torch.testing.assert_close(moments, torch.eye(3, dtype=torch.float64) / 3, atol=0.03, rtol=0)


def test_rotation_by_its_limit_of_90_degrees_equals_rot90(monkeypatch):
    monkeypatch.setattr(
        Draw, "symmetric", lambda self, limit, *shape: limit * self.uniform(*shape).fill_(1.0)
    )
    images = random_batch(1, 8, 8).double()
    warped = Augment(2, rotation=90.0)(images)
    turns = [torch.rot90(images, direction, (2, 3)) for direction in (1, -1)]
    assert min((warped - turned).abs().max().item() for turned in turns) < 1e-9


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_scale_above_1_enlarges_within_its_range(spatial_dims):
    matrices = sampling_matrices(spatial_dims, scale=(0.5, 2.0))
    factors = 1 / matrices[:, 0, 0]
    assert 0.5 <= factors.min() < 0.51
    assert 1.96 < factors.max() <= 2.0
    assert factors.log().mean() == pytest.approx(0, abs=0.036)  # log-uniform: 4 standard errors
    blob = torch.zeros(1, 1, *[15] * spatial_dims)
    blob[(0, 0, *[slice(5, 10)] * spatial_dims)] = 1
    enlarged = Augment(spatial_dims, scale=(2.0, 2.0))(blob)
    assert enlarged.sum() == pytest.approx(2**spatial_dims * blob.sum().item(), rel=0.02)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_shifts_are_uniform_fractions_of_each_size(spatial_dims):
    sizes = (10, 20, 40)[:spatial_dims]
    draw = Draw(torch.zeros(2000, 1, *[1] * spatial_dims), torch.Generator().manual_seed(0))
    moved = Augment(spatial_dims, shift=0.1).geometry.draw_shifts(sizes, draw)
    for axis, size in enumerate(sizes):
        assert moved[:, axis].abs().max() <= 0.1 * size
        assert moved[:, axis].abs().max() > 0.095 * size
        assert moved[:, axis].mean().abs() < 4 * 0.1 * size / math.sqrt(3 * 2000)


def test_a_positive_displacement_moves_the_content_towards_higher_indices():
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 4, 4] = 1
    torch.manual_seed(1)
    draw = Draw(images, None)
    augment = Augment(2, crop=3)
    augment.geometry.draw_shifts((9, 9), draw)  # comes first
    down, right = augment.geometry.draw_crops(draw)[0].int().tolist()
    assert (down, right) != (0, 0)
    torch.manual_seed(1)
    assert augment(images)[0, 0, 4 + down, 4 + right] == 1


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_brightness_and_contrast_act_about_the_mean_of_each_image(spatial_dims):
    images = random_batch(500, *[4] * spatial_dims)
    ones = tuple(range(1, images.dim()))
    torch.manual_seed(0)
    brighter = Augment(spatial_dims, brightness=0.3)(images) - images
    assert brighter.std(ones).max() < 1e-6
    assert 0.28 < brighter.mean(ones).abs().max() <= 0.3 + 1e-6
    contrasted = Augment(spatial_dims, contrast=0.4)(images)
    torch.testing.assert_close(contrasted.mean(ones), images.mean(ones))
    factors = contrasted.std(ones) / images.std(ones)
    assert 0.6 <= factors.min() + 1e-5 < 0.63
    assert 1.37 < factors.max() <= 1.4 + 1e-5


def test_gamma_keeps_the_extremes_and_the_order_of_the_values():
    images = 5 * random_batch(200, 6, 6) - 3
    torch.manual_seed(0)
    changed = Augment(2, gamma=0.5)(images)
    torch.testing.assert_close(changed.amax((1, 2, 3)), images.amax((1, 2, 3)))
    torch.testing.assert_close(changed.amin((1, 2, 3)), images.amin((1, 2, 3)))
    order = images.flatten(1).argsort(1)
    assert (changed.flatten(1).gather(1, order).diff(dim=1) >= -1e-5).all()
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    unit, changed_unit = ((values - low) / (high - low) for values in (images, changed))
    inside = (unit > 0.1) & (unit < 0.9)
    exponents = (changed_unit[inside].log() / unit[inside].log()).log()
    assert 0.45 < exponents.abs().max() < 0.5001


def test_gamma_leaves_constant_images_as_they_are():
    images = torch.full((3, 1, 4, 4), -0.7)
    torch.testing.assert_close(Augment(2, gamma=1.0)(images), images)


def test_noise_has_a_standard_deviation_uniform_up_to_its_limit():
    torch.manual_seed(0)
    noise = Augment(2, noise=0.2)(torch.zeros(400, 1, 30, 30)).flatten(1)
    deviations = noise.std(1)
    assert deviations.max() < 0.22
    assert deviations.mean() == pytest.approx(0.1, abs=0.012)
    assert noise.mean().abs() < 0.001


def test_voxel_scaling_multiplies_each_image_by_one_uniform_number():
    images = random_batch(3000, 3, 3, 3) + 0.1
    torch.manual_seed(0)
    factors = (Augment(3, voxel_scaling=True)(images) / images).flatten(1)
    assert (factors.amax(1) - factors.amin(1)).max() < 1e-5
    assert factors.min() >= 0
    assert factors.max() < 1
    assert factors[:, 0].mean() == pytest.approx(0.5, abs=4 / math.sqrt(12 * 3000))
    assert factors[:, 0].var() == pytest.approx(1 / 12, abs=0.006)


@settings(max_examples=30)
@given(
    options=st.sets(st.sampled_from(sorted(EVERYTHING))),
    spatial_dims=st.sampled_from([2, 3]),
    seed=st.integers(0, 99),
)
def test_any_choice_of_options_keeps_shape_dtype_and_input_and_repeats_for_a_seed(
    options, spatial_dims, seed
):
    augment = Augment(spatial_dims, **{name: EVERYTHING[name] for name in options})
    images = random_batch(4, *[6] * spatial_dims, channels=2, seed=seed)
    kept = images.clone()
    torch.manual_seed(seed)
    first = augment(images)
    torch.manual_seed(seed)
    assert torch.equal(augment(images), first)
    assert torch.equal(images, kept)
    assert first.shape == images.shape
    assert first.dtype == images.dtype
    assert first.isfinite().all()
    by_generator = augment(images, torch.Generator().manual_seed(seed))
    assert torch.equal(by_generator, first)


@pytest.mark.parametrize("padding", ["border", "zeros", "reflection"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_warps_invent_no_values_outside_the_range_of_the_image(spatial_dims, padding):
    images = random_batch(20, *[8] * spatial_dims)
    names = ("rotation", "scale", "shear", "shift", "crop", "elastic", "warp_share")
    geometry = {name: EVERYTHING[name] for name in names}
    torch.manual_seed(0)
    warped = Augment(spatial_dims, **geometry, padding=padding)(images)
    assert warped.min() >= 0
    assert warped.max() <= images.max() + 1e-6


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_each_image_gets_its_own_change(spatial_dims):
    one = random_batch(1, *[8] * spatial_dims)
    for name in EVERYTHING.keys() - {"quarter_turns", "flip", "crop", "warp_share", "blur"}:
        torch.manual_seed(0)
        changed = Augment(spatial_dims, **{name: EVERYTHING[name]})(one.expand(4, *one.shape[1:]))
        for first in range(4):
            for second in range(first):
                assert not torch.allclose(changed[first], changed[second], atol=1e-4), name


def test_an_images_change_does_not_depend_on_the_others():
    images = random_batch(4, 8, 8)
    others = torch.cat([images[:1], random_batch(3, 8, 8, seed=9)])
    augment = Augment(2, **EVERYTHING)
    torch.manual_seed(0)
    first = augment(images)
    torch.manual_seed(0)
    torch.testing.assert_close(augment(others)[0], first[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_other_precisions_come_back_as_they_came(spatial_dims, dtype):
    images = random_batch(4, *[8] * spatial_dims)
    generator = torch.Generator().manual_seed(0)
    changed = Augment(spatial_dims, **EVERYTHING)(images.to(dtype), generator)
    assert changed.dtype == dtype
    assert changed.isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_work_is_done_on_the_device_of_the_images(spatial_dims):
    images = random_batch(8, *[8] * spatial_dims).cuda()
    generator = torch.Generator("cuda").manual_seed(0)
    changed = Augment(spatial_dims, **EVERYTHING)(images, generator)
    assert changed.device == images.device
    assert changed.isfinite().all()
    assert torch.equal(
        Augment(spatial_dims, flip=1.0)(images).cpu(), images.cpu().flip(*range(2, images.dim()))
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spatial_dims": 1}, "spatial_dims is 1; it must be 2 or 3"),
        ({"flip": 1.5}, "flip is .* between 0 and 1"),
        ({"flip": (0.5, 0.5, 0.5)}, "one for each axis"),
        ({"rotation": 200}, "rotation is 200; it must be between 0 and 180"),
        ({"rotation": math.nan}, "rotation is nan"),
        ({"scale": (0.0, 1.0)}, "0 < low <= high"),
        ({"scale": (1.2, 0.9)}, "0 < low <= high"),
        ({"shear": -0.1}, "shear is -0.1; it must be between 0 and 1"),
        ({"shift": 2.0}, "shift is 2.0; it must be between 0 and 1"),
        ({"crop": -1}, "crop is -1"),
        ({"crop": 1.5}, "crop is 1.5"),
        ({"padding": "wrap"}, "border, zeros or reflection"),
        ({"contrast": 1.1}, "contrast is 1.1"),
        ({"gamma": 3}, "gamma is 3"),
        ({"brightness": -1}, "brightness is -1; it must be at least 0"),
        ({"noise": math.inf}, "noise is inf"),
        ({"elastic": 0.2}, "elastic is 0.2; it must be between 0 and 0.1, 0.4 of elastic_spacing"),
        ({"elastic": -0.1}, "elastic is -0.1"),
        ({"elastic_spacing": 0.01}, "elastic_spacing is 0.01; it must be between 0.05 and 1"),
        ({"warp_share": 1.1}, "warp_share is 1.1; it must be between 0 and 1"),
        ({"blur": -1}, "blur is -1; it must be at least 0"),
        ({"speckle": 2}, "speckle is 2; it must be between 0 and 1"),
        ({"erase": 1.5}, "erase is 1.5; it must be between 0 and 1"),
    ],
)
def test_options_out_of_range_are_named_with_what_is_allowed(options, message):
    with pytest.raises(InputError, match=message):
        Augment(**({"spatial_dims": 2} | options))


def test_quarter_turns_need_equal_sizes():
    with pytest.raises(InputError, match=r"equal sizes along all axes, got \(4, 5\)"):
        Augment(2, quarter_turns=True)(torch.zeros(1, 1, 4, 5))


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.zeros(2, 4, 4)])
def test_other_batches_are_refused(images):
    with pytest.raises(ValueError, match="expected float images"):
        Augment(2)(images)


@pytest.mark.parametrize("sizes", [(9, 9), (6, 6, 6)])
def test_images_that_are_not_warped_keep_their_values_to_the_bit(sizes):
    d, images = len(sizes), random_batch(400, *sizes)
    warps = {"rotation": 20.0, "scale": (0.8, 1.2), "shear": 0.1, "shift": 0.1, "elastic": 0.05}
    torch.manual_seed(0)
    changed = Augment(d, **warps, flip=0.5, quarter_turns=True, warp_share=0.4)(images)
    kept = (changed.flatten(1).sort(1).values == images.flatten(1).sort(1).values).all(1)
    assert (~kept).float().mean() == pytest.approx(0.4, abs=0.1)  # 4 standard errors
    torch.manual_seed(0)
    alone = Augment(d, **warps, warp_share=0.4)(images)
    same = (alone == images).flatten(1).all(1)
    assert (~same).float().mean() == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_warp_share_of_0_leaves_flips_turns_and_crops(spatial_dims):
    images = random_batch(20, *[6] * spatial_dims)
    exact = {"flip": 0.5, "quarter_turns": True, "crop": 1}
    torch.manual_seed(0)
    expected = Augment(spatial_dims, **exact)(images)
    torch.manual_seed(0)
    assert torch.equal(
        Augment(spatial_dims, **exact, rotation=20.0, elastic=0.05, warp_share=0)(images), expected
    )


def test_options_that_are_on_do_not_change_what_is_drawn_for_the_others():
    """What is off draws no number, so recipes from before an option was there train on the same images."""
    images = random_batch(5, 8, 8)
    torch.manual_seed(0)
    expected = Augment(2, flip=0.5, rotation=20.0, shift=0.1, noise=0.1)(images)
    torch.manual_seed(0)
    draw = Draw(images, None)
    mirrored = 1 - 2 * (draw.uniform(2) < 0.5).float()
    angle = draw.symmetric(math.radians(20), 1, 1)
    turned = torch.cat(
        [torch.cat([angle.cos(), angle.sin()], 2), torch.cat([-angle.sin(), angle.cos()], 2)], 1
    )
    moved = draw.symmetric(0.1, 2) * 8
    draw.uniform(2)  # the crop, which is drawn with every shift
    grid = sampling_grid(torch.diag_embed(mirrored) @ turned, moved, (8, 8))
    warped = torch.nn.functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    noise = torch.randn(images.shape)
    torch.testing.assert_close(expected, warped + noise * 0.1 * torch.rand(5, 1, 1, 1))
