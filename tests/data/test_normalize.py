"""Normalisation and training-set statistics against NumPy on float copies."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import medauc.data.normalize
from medauc.data.normalize import ImageStatistics, Normalize, compute_statistics
from medauc.errors import InputError

MEDMNIST = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "medmnist"


def random_images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=50)
@given(
    count=st.integers(1, 9),
    sizes=st.lists(st.integers(2, 5), min_size=2, max_size=3),
    colour=st.booleans(),
    seed=st.integers(0, 999),
)
def test_statistics_equal_those_of_a_float_copy(count, sizes, colour, seed):
    images = random_images(count, *sizes, *([3] if colour else []), seed=seed)
    statistics = compute_statistics(images, spatial_dims=len(sizes))
    values = images.reshape(-1, 3 if colour else 1) / 255.0
    np.testing.assert_allclose(statistics.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, values.std(axis=0), rtol=1e-12)


def test_statistics_do_not_depend_on_the_chunks(monkeypatch):
    images = random_images(50, 6, 7)
    whole = compute_statistics(images, 2)
    monkeypatch.setattr(medauc.data.normalize, "_CHUNK_VALUES", 3 * 42 + 1)
    assert compute_statistics(images, 2) == whole
    monkeypatch.setattr(medauc.data.normalize, "_CHUNK_VALUES", 1)
    assert compute_statistics(images, 2) == whole


def test_statistics_read_a_memory_mapped_file(tmp_path):
    images = random_images(20, 5, 5, 5)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert compute_statistics(mapped, 3) == compute_statistics(images, 3)


def test_four_axes_are_colour_in_2d_and_a_volume_in_3d():
    images = random_images(5, 6, 6, 3)
    assert len(compute_statistics(images, 2).mean) == 3
    assert len(compute_statistics(images, 3).mean) == 1


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4, 4), np.float32), "float32"),
        (np.zeros((0, 4, 4), np.uint8), r"\(0, 4, 4\)"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.full((3, 4, 4), 7, np.uint8), "channel 0 has the same value in every image"),
    ],
)
def test_statistics_refuse_what_they_cannot_serve(images, message):
    with pytest.raises(InputError, match=message):
        compute_statistics(images, 2)


@pytest.mark.parametrize("shape", [(40, 6, 7), (40, 6, 7, 3)])
def test_standardised_training_images_have_mean_0_and_deviation_1(shape):
    images = random_images(*shape)
    normalize = Normalize(2, "train", compute_statistics(images, 2))
    values = normalize(torch.from_numpy(images)).double()
    torch.testing.assert_close(
        values.mean((0, 2, 3)), torch.zeros(values.shape[1]).double(), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        values.std((0, 2, 3), correction=0), torch.ones(values.shape[1]).double(), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("spatial_dims", "shape", "expected"),
    [
        (2, (4, 5, 6), (4, 1, 5, 6)),
        (2, (4, 5, 6, 3), (4, 3, 5, 6)),
        (3, (4, 5, 6, 7), (4, 1, 5, 6, 7)),
        (3, (4, 5, 6, 7, 2), (4, 2, 5, 6, 7)),
    ],
)
def test_channel_axis_comes_second(spatial_dims, shape, expected):
    images = torch.from_numpy(random_images(*shape))
    values = Normalize(spatial_dims, "unit")(images)
    assert values.shape == expected
    assert values.dtype == torch.float32
    assert values.is_contiguous()
    channels_last = values.movedim(1, -1).reshape(shape)
    torch.testing.assert_close(channels_last, images / 255)


def test_unit_maps_the_range_to_0_and_1_and_leaves_the_batch_alone():
    images = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    kept = images.clone()
    values = Normalize(2, "unit")(images)
    assert values.min() == 0
    assert values.max() == pytest.approx(1.0, abs=1e-7)
    assert torch.equal(images, kept)


def test_state_dict_carries_the_statistics():
    trained = Normalize(2, "train", ImageStatistics((0.3,), (0.2,)))
    fresh = Normalize(2, "train", ImageStatistics((0.0,), (1.0,)))
    fresh.load_state_dict(trained.state_dict())
    images = torch.from_numpy(random_images(2, 3, 3))
    assert torch.equal(fresh(images), trained(images))


def test_options_are_checked():
    with pytest.raises(InputError, match="choose one of train, unit"):
        Normalize(2, "zscore")
    with pytest.raises(InputError, match="needs the statistics"):
        Normalize(2, "train")


@pytest.mark.parametrize("images", [torch.zeros(2, 4, 4), torch.zeros(4, 4, dtype=torch.uint8)])
def test_other_batches_are_refused(images):
    with pytest.raises(ValueError, match="expected uint8 images"):
        Normalize(2, "unit")(images)


@pytest.mark.skipif(not MEDMNIST.exists(), reason="the MedMNIST files are not here")
@pytest.mark.parametrize(("name", "spatial_dims"), [("breastmnist", 2), ("vesselmnist3d", 3)])
def test_real_training_sets_are_standardised(name, spatial_dims):
    with np.load(MEDMNIST / f"{name}.npz") as arrays:
        images = arrays["train_images"]
    statistics = compute_statistics(images, spatial_dims)
    assert statistics.mean[0] == pytest.approx(images.mean(dtype=np.float64) / 255, rel=1e-12)
    values = Normalize(spatial_dims, "train", statistics)(torch.from_numpy(images))
    assert values.double().std(correction=0).item() == pytest.approx(1, abs=1e-5)
