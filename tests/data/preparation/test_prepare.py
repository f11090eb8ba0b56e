from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medauc.data.preparation import CT_WINDOWS, PREPARATION_VERSION, PreparationSpec, holds_colour, prepare
from medauc.data.readers.image import MedicalImage
from medauc.errors import InputError

AS_IT_IS = PreparationSpec()
bytes_2d = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
bytes_3d = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=3, max_dims=3, max_side=8))
codes = st.permutations(["RL", "AP", "SI"]).flatmap(
    lambda pairs: st.tuples(*(st.sampled_from(pair) for pair in pairs)).map("".join)
)


def random_volume(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1100, 2000, shape).astype(np.int16)


def ct(pixels: np.ndarray, **known: Any) -> MedicalImage:
    return MedicalImage(pixels, bits=16, modality="CT", **known)


@given(bytes_2d)
def test_8_bit_images_of_the_right_shape_pass_unchanged(pixels: np.ndarray) -> None:
    spec = PreparationSpec(shape=pixels.shape)
    for fit in ("resize", "crop_pad"):
        found = prepare(MedicalImage(pixels), replace(spec, fit=fit), 28, 2)
        np.testing.assert_array_equal(found, pixels)


@given(bytes_3d)
def test_8_bit_volumes_of_the_right_shape_pass_unchanged(pixels: np.ndarray) -> None:
    image = MedicalImage(pixels, spacing=(1.0, 1.0, 1.0), affine=np.eye(4))
    spec = PreparationSpec(shape=pixels.shape, spacing=1.0, fit="crop_pad")
    np.testing.assert_array_equal(prepare(image, spec, 28, 3), pixels)


def test_8_bit_colour_passes_unchanged_and_wider_integers_that_hold_8_bits_too() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    spec = PreparationSpec(shape=(5, 6))
    np.testing.assert_array_equal(prepare(MedicalImage(colour, colour=True), spec, 28, 2), colour)
    np.testing.assert_array_equal(
        prepare(MedicalImage(colour[..., 0].astype(np.uint16)), spec, 28, 2), colour[..., 0]
    )


def test_fewer_bits_fill_the_range() -> None:
    mask = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    assert prepare(MedicalImage(mask, bits=1), AS_IT_IS, 2, 2).tolist() == [[0, 255], [255, 0]]


@given(bytes_2d, st.integers(1, 9))
def test_preparing_again_changes_nothing(pixels: np.ndarray, size: int) -> None:
    for fit in ("resize", "crop_pad"):
        once = prepare(MedicalImage(pixels), PreparationSpec(fit=fit), size, 2)
        np.testing.assert_array_equal(prepare(MedicalImage(once), PreparationSpec(fit=fit), size, 2), once)


@given(
    arrays.arrays(np.int16, (4, 5, 6)),
    arrays.arrays(np.int16, (4, 5, 6), elements=st.integers(0, 500)),
    st.sampled_from([*CT_WINDOWS, (-1000, 400), (0.5, 2.5)]),
)
def test_brighter_values_never_become_darker(low: np.ndarray, more: np.ndarray, intensity: Any) -> None:
    high = low.astype(np.int32) + more
    spec = PreparationSpec(intensity=intensity, spacing=0.7, fit="crop_pad")
    dark, bright = (prepare(ct(pixels, spacing=(1.0, 1.0, 1.0)), spec, 6, 3) for pixels in (low, high))
    assert (bright >= dark).all()


@pytest.mark.parametrize(
    ("name", "level", "width"),
    [
        ("lung", -600, 1500),
        ("soft_tissue", 50, 400),
        ("mediastinum", 50, 350),
        ("bone", 400, 1800),
        ("brain", 40, 80),
        ("liver", 30, 150),
    ],
)
def test_named_windows_have_their_level_in_the_middle(name: Any, level: float, width: float) -> None:
    values = np.array(
        [[level - width / 2 - 1, level - width / 2, level, level + width / 2, 3000]], np.float32
    )
    found = prepare(ct(values), PreparationSpec(shape=(1, 5), intensity=name), 28, 2)
    assert found.tolist() == [[0, 0, 128, 255, 255]]  # 127.5 rounds to the even number


def test_percentiles_and_z_score_follow_the_image_and_not_its_units() -> None:
    pixels = np.random.default_rng(0).gamma(2, 100, (20, 20)).astype(np.float32)
    for name in ("percentile", "zscore", "auto"):
        spec = PreparationSpec(intensity=name)
        once, again = (prepare(ct(values), spec, 20, 2) for values in (pixels, pixels * 4 + 1000))
        np.testing.assert_array_equal(once, again)


def test_percentiles_clip_half_a_percent_at_either_end() -> None:
    pixels = np.arange(1001, dtype=np.uint16)[None]
    found = prepare(ct(pixels), PreparationSpec(shape=(1, 1001), intensity="percentile"), 28, 2)[0]
    assert (found[:6] == 0).all()
    assert found[8] == 1
    assert (found[-6:] == 255).all()
    assert found[500] in (127, 128)


def test_z_score_looks_at_the_foreground_alone() -> None:
    rng = np.random.default_rng(0)
    head = rng.normal(500, 50, (16, 16)).astype(np.float32)
    padded = np.pad(head, 24)
    spec = PreparationSpec(intensity="zscore")
    found = prepare(ct(padded), spec, 64, 2)[24:40, 24:40].astype(float)
    expected = np.clip((head - head.mean()) / head.std() / 6 + 0.5, 0, 1) * 255
    assert np.abs(found - expected).max() <= 0.51


def test_auto_takes_the_window_of_the_file_where_it_has_one() -> None:
    pixels = random_volume(4, 4)
    with_window = ct(pixels, window=(-100.0, 300.0))
    by_hand = prepare(ct(pixels), PreparationSpec(intensity=(-100, 300)), 4, 2)
    np.testing.assert_array_equal(prepare(with_window, AS_IT_IS, 4, 2), by_hand)
    np.testing.assert_array_equal(
        prepare(with_window, PreparationSpec(intensity="dicom_window"), 4, 2), by_hand
    )
    by_percentile = prepare(ct(pixels), PreparationSpec(intensity="percentile"), 4, 2)
    np.testing.assert_array_equal(prepare(ct(pixels), AS_IT_IS, 4, 2), by_percentile)
    assert (by_hand != by_percentile).any()


def test_a_constant_image_is_black() -> None:
    for name in ("auto", "percentile", "zscore"):
        assert not prepare(ct(np.full((4, 4), 900, np.int16)), PreparationSpec(intensity=name), 4, 2).any()


@pytest.mark.parametrize("name", ["auto", "percentile", "zscore"])
def test_a_mask_of_something_small_is_not_lost(name: Any) -> None:
    mask = np.zeros((40, 40), np.int16)
    mask[7, 9] = 3
    found = prepare(ct(mask), PreparationSpec(intensity=name), 40, 2)
    assert found[7, 9] > found[0, 0]
    assert (found == found[7, 9]).sum() == 1


def test_what_is_no_number_becomes_the_lowest_or_highest_value() -> None:
    pixels = np.array([[np.nan, 0, 10], [np.inf, -np.inf, 5]], dtype=np.float64)
    found = prepare(ct(pixels), PreparationSpec(shape=(2, 3), intensity=(0, 10)), 28, 2)
    assert found.tolist() == [[0, 0, 255], [255, 0, 128]]
    with pytest.raises(InputError, match="no pixel is a finite number"):
        prepare(ct(np.full((2, 2), np.nan)), AS_IT_IS, 2, 2)


def test_huge_values_do_not_spill_over() -> None:
    pixels = np.array([[1e300, 0.0], [-1e300, 1.0]])
    assert prepare(ct(pixels), PreparationSpec(intensity=(0, 1)), 2, 2).tolist() == [[255, 0], [0, 255]]


@given(codes, codes)
def test_orientation_goes_there_and_back(stored: str, wanted: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4)).astype(np.uint8)
    image = volume_towards(pixels, stored)
    turned = prepare_as_shape(image, wanted)
    assert sorted(turned.shape) == [2, 3, 4]
    back = prepare_as_shape(volume_towards(turned, wanted), stored)
    np.testing.assert_array_equal(back, pixels)


@given(codes)
def test_how_a_volume_is_stored_does_not_matter_once_oriented(stored: str) -> None:
    """The same body stored with other axes gives the same result, spacing included."""
    pixels = random_volume(9, 7, 8)
    upright = volume_towards(pixels, "SAR", spacing=(2.5, 0.8, 0.7))
    spec = PreparationSpec(spacing=(1.0, 0.9, 1.1), orientation="IPL", fit="crop_pad", intensity=(-1000, 400))
    expected = prepare(upright, spec, 12, 3)
    picture = nibabel.Nifti1Image(pixels, upright.affine)
    steps = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(upright.affine), nibabel.orientations.axcodes2ornt(stored)
    )
    other = picture.as_reoriented(steps)
    image = ct(
        np.asarray(other.dataobj),
        affine=other.affine,
        spacing=tuple(float(zoom) for zoom in nibabel.affines.voxel_sizes(other.affine)),
    )
    np.testing.assert_array_equal(prepare(image, spec, 12, 3), expected)


def test_a_known_volume_is_turned_as_the_letters_say() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    image = volume_towards(pixels, "SAR")
    np.testing.assert_array_equal(prepare_as_shape(image, "ILA"), pixels[::-1, :, ::-1].transpose(0, 2, 1))


def test_spacing_keeps_millimetres() -> None:
    """A ramp in millimetres is still one after resampling from a mixed grid, centred where it was."""
    spacing = (2.5, 0.7, 0.5)
    shape = (8, 30, 40)
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True)]
    for axis in range(3):
        ramp = np.broadcast_to(np.expand_dims(axes[axis], [i for i in range(3) if i != axis]), shape)
        spec = PreparationSpec(shape=(9, 9, 9), spacing=1.0, fit="crop_pad", intensity=(-10, 10))
        found = prepare(ct(ramp.astype(np.float32), spacing=spacing), spec, 28, 3)
        profile = np.moveaxis(found, axis, 0)[:, 4, 4] / 255 * 20 - 10
        np.testing.assert_allclose(profile, np.arange(9) - 4, atol=0.1)


def test_outside_is_the_lowest_value_of_the_window() -> None:
    spec = PreparationSpec(fit="crop_pad", intensity=(-1000, 400))
    found = prepare(ct(np.full((2, 3, 4), 400, np.int16)), spec, 6, 3)
    assert found.sum() == 24 * 255
    assert found[2:4, 2:5, 1:5].all()


def test_one_slice_counts_as_an_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 5)).astype(np.uint8)
    spec = PreparationSpec(shape=(4, 5))
    np.testing.assert_array_equal(prepare(MedicalImage(pixels), spec, 28, 2), pixels[0])
    lying = MedicalImage(pixels.transpose(1, 2, 0), spacing=(0.5, 2.0, 9.0))
    wide = PreparationSpec(shape=(4, 20), spacing=0.5, fit="crop_pad")
    assert prepare(lying, wide, 28, 2).all(axis=0).sum() <= 20
    assert (prepare(lying, wide, 28, 2)[:, [0, -1]] == pixels[0][:, [0, -1]]).all()


def test_colour_and_grey() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (4, 5)).astype(np.uint8)
    stored_as_colour = MedicalImage(np.repeat(grey[..., None], 3, axis=-1), colour=True)
    assert not holds_colour(stored_as_colour)
    spec = PreparationSpec(shape=(4, 5), colour="grey")
    np.testing.assert_array_equal(prepare(stored_as_colour, spec, 28, 2), grey)
    as_rgb = prepare(MedicalImage(grey), replace(spec, colour="rgb"), 28, 2)
    np.testing.assert_array_equal(as_rgb, stored_as_colour.pixels)
    tinted = stored_as_colour.pixels.copy()
    tinted[0, 0] = (255, 0, 0)
    image = MedicalImage(tinted, colour=True)
    assert holds_colour(image)
    assert prepare(image, spec, 28, 2)[0, 0] == 76
    assert prepare(image, replace(spec, colour="auto"), 28, 2).shape == (4, 5, 3)


def test_grey_is_what_pillow_makes() -> None:
    from PIL import Image

    colour = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    found = prepare(MedicalImage(colour, colour=True), PreparationSpec(shape=(40, 50), colour="grey"), 28, 2)
    reference = np.asarray(Image.fromarray(colour).convert("L")).astype(int)
    assert np.abs(found - reference).max() <= 1  # Pillow counts in 16-bit fractions


@pytest.mark.parametrize(
    ("image", "spec", "dims", "message"),
    [
        (MedicalImage(np.zeros((4, 4), np.uint8)), {}, 3, "flat image"),
        (MedicalImage(np.zeros((4, 4, 4), np.uint8)), {}, 2, "it is a volume"),
        (MedicalImage(np.zeros((4, 4), np.uint8)), {"spacing": 1.0, "fit": "crop_pad"}, 2, "spacing is not"),
        (MedicalImage(np.zeros((4, 4, 4), np.uint8)), {"orientation": "RAS"}, 3, "orientation is for"),
        (MedicalImage(np.zeros((4, 4), np.uint8)), {"intensity": "dicom_window"}, 2, "proposes no window"),
        (MedicalImage(np.zeros((4, 4), np.uint8)), {"intensity": "lung"}, 2, "8-bit grey values"),
        (MedicalImage(np.zeros((4, 4), np.int16), bits=16, modality="MR"), {"intensity": "lung"}, 2, "is MR"),
        (MedicalImage(np.zeros((4, 4, 4), np.uint8)), {"colour": "rgb"}, 3, "volumes are grey"),
        (MedicalImage(np.zeros((0, 4), np.uint8)), {}, 2, "no pixels"),
        (MedicalImage(np.zeros((4, 4), np.uint8)), {"shape": (4, 4, 4)}, 2, "has 3 axes"),
    ],
)
def test_what_cannot_be_prepared_is_refused(image: MedicalImage, spec: Any, dims: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(image, PreparationSpec(**spec), 28, dims)


@pytest.mark.parametrize(
    "values",
    [
        {"shape": 0},
        {"shape": (4,)},
        {"shape": 2.5},
        {"shape": True},
        {"spacing": -1.0, "fit": "crop_pad"},
        {"spacing": float("nan"), "fit": "crop_pad"},
        {"spacing": 1.0},
        {"orientation": "RAR"},
        {"orientation": "XYZ"},
        {"orientation": "RA"},
        {"fit": "stretch"},
        {"intensity": "bright"},
        {"intensity": (5, 5)},
        {"intensity": (0, float("inf"))},
        {"colour": "blue"},
    ],
)
def test_specs_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="preparation: "):
        PreparationSpec(**values)


def test_a_shape_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(InputError, match="pixels"):
        PreparationSpec(shape=60000).shape_of(28, 3)


def test_lidc_crops_become_what_an_independent_resampling_makes_of_them(lidc_dir: Path) -> None:
    """The file that was made from the crops elsewhere: points, not cells, and no smoothing; else the same."""
    with np.load(lidc_dir / "lidc_nodule_28.npz") as made:
        ids, images = made["test_ids"], made["test_images"]
    table = pd.read_csv(lidc_dir / "manifest.csv").set_index("id")
    spec = PreparationSpec(spacing=1.0, orientation="SAR", fit="crop_pad", intensity=(-1000, 400))
    differences, exact = [], 0
    for name, image in list(zip(ids, images, strict=True))[::8]:
        canonical = nibabel.as_closest_canonical(nibabel.load(lidc_dir / table.loc[name, "path"]))
        pixels = np.asarray(canonical.dataobj).transpose(2, 1, 0)
        spacing = tuple(float(zoom) for zoom in canonical.header.get_zooms()[::-1])
        points = [
            (np.arange(28) - 13.5) / step + (n - 1) / 2 for n, step in zip(pixels.shape, spacing, strict=True)
        ]
        values = scipy.ndimage.map_coordinates(
            pixels.astype(float), np.meshgrid(*points, indexing="ij"), order=1, cval=-1000
        )
        reference = np.rint(np.clip((values + 1000) / 1400, 0, 1) * 255)
        exact += int(np.abs(reference - image).max() <= 1)
        stored = nibabel.load(lidc_dir / table.loc[name, "path"])
        ours = prepare(nifti_like(stored), spec, 28, 3)
        differences.append(np.abs(ours[image > 0].astype(float) - image[image > 0]).mean())
    assert exact >= len(differences) - 1
    assert np.median(differences) < 4  # of 255: the smoothing of 0.7 mm pixels


def test_the_version_changes_with_the_pixels() -> None:
    """When this fails the pixels of the same file have changed: raise PREPARATION_VERSION together with the figures."""
    image = ct(random_volume(11, 13, 17), spacing=(2.5, 0.7, 0.7), affine=np.diag([-2.5, -0.7, 0.7, 1]))
    rgb = np.random.default_rng(0).integers(0, 256, (13, 17, 3)).astype(np.uint8)
    found = [
        prepare(
            image, PreparationSpec(spacing=1.0, orientation="SPL", fit="crop_pad", intensity="lung"), 9, 3
        ),
        *(
            prepare(image, PreparationSpec(intensity=name), 9, 3)
            for name in ("auto", "percentile", "zscore", "bone")
        ),
        prepare(MedicalImage(rgb, colour=True), PreparationSpec(), 9, 2),
        prepare(MedicalImage(rgb, colour=True), PreparationSpec(colour="grey", fit="crop_pad"), 9, 2),
    ]
    figures = [float(figure) for pixels in found for figure in (pixels.mean(), pixels.std())]
    known = [249.7, 15.7, 129.9, 23.9, 129.9, 23.9, 127.2, 13.7, 139.0, 40.5, 132.7, 31.9, 136.2, 49.8]
    assert PREPARATION_VERSION == 1
    assert figures == pytest.approx(known, abs=0.06)


def volume_towards(
    pixels: np.ndarray, towards: str, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> MedicalImage:
    """A volume whose axes run towards the given ends."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(towards):
        row = next(i for i, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[row, axis] = spacing[axis] if letter in "RAS" else -spacing[axis]
    bits = 8 if pixels.dtype == np.uint8 else 16
    return MedicalImage(pixels, bits=bits, affine=affine, spacing=spacing)


def prepare_as_shape(image: MedicalImage, orientation: str) -> np.ndarray:
    """Turned, in whatever shape that gives: found by trying all orders of the axes' lengths."""
    from itertools import permutations

    results = []
    for shape in set(permutations(image.pixels.shape)):
        found = prepare(image, PreparationSpec(shape=shape, orientation=orientation), 28, 3)
        if sorted(found.ravel()) == sorted(image.pixels.ravel()):
            results.append(found)
    assert len(results) == 1
    return results[0]


def nifti_like(stored: Any) -> MedicalImage:
    """What a reader makes of a NIfTI file: axes from last to first."""
    affine = stored.affine[:, [2, 1, 0, 3]]
    return ct(
        np.asarray(stored.dataobj).T,
        affine=affine,
        spacing=tuple(float(zoom) for zoom in nibabel.affines.voxel_sizes(affine)),
    )
