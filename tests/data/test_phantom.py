"""The phantoms: their ideal AUC against explicit algebra and against the ideal observer's own reading."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from medauc.data import PhantomSpec, Split, ideal_auc, load_dataset, make_phantom
from medauc.data.phantom import phantom_model
from medauc.errors import InputError
from medauc.metrics import delong_variance

SMALL = PhantomSpec(n_train=40, n_val=20, n_test=30)


def covariance_matrix(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """K of a stationary periodic field written out: K[i, j] = C(x_i - x_j), C the spectrum's inverse DFT."""
    lag = np.fft.ifftn(power).real
    points = np.stack(np.unravel_index(np.arange(power.size), power.shape))
    difference = (points[:, :, None] - points[:, None, :]) % power.shape[0]
    return np.asarray(lag[tuple(difference)])


@pytest.mark.parametrize(("name", "size"), [("phantom2d", 8), ("phantom2d", 15), ("phantom3d", 8)])
@pytest.mark.parametrize("detectability", [0.5, 2.33])
def test_ideal_auc_is_that_of_the_explicit_covariance(name: str, size: int, detectability: float) -> None:
    spec = PhantomSpec(detectability=detectability, signal_width=1.5, correlation_length=1.0)
    signal, power = phantom_model(name, size, spec)
    s = signal.ravel()
    d2 = s @ np.linalg.solve(covariance_matrix(power), s)
    assert math.sqrt(d2) == pytest.approx(detectability, rel=1e-9)
    assert ideal_auc(name, size, spec) == pytest.approx(norm.cdf(math.sqrt(d2 / 2)), abs=1e-12)


@pytest.mark.parametrize(("name", "size"), [("phantom2d", 16), ("phantom3d", 8)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_hotelling_template_reaches_the_ideal_auc_on_generated_images(
    name: str, size: int, seed: int
) -> None:
    spec = PhantomSpec(n_train=2, n_val=2, n_test=6000, prevalence=0.3, detectability=1.5, seed=seed)
    data = load_dataset(name, size, phantom=spec)
    signal, power = phantom_model(name, size, spec)
    template = np.linalg.solve(covariance_matrix(power), signal.ravel())
    score = data.test.images.reshape(len(data.test), -1) @ template
    error = math.sqrt(delong_variance(data.test.targets, score))
    assert error < 0.007
    assert data.ideal_auc is not None
    assert abs(roc_auc_score(data.test.targets, score) - data.ideal_auc) < 3 * error


def test_no_other_template_does_better() -> None:
    spec = PhantomSpec(
        n_train=2, n_val=2, n_test=6000, prevalence=0.5, signal_width=2.0, correlation_length=3.0
    )
    data = load_dataset("phantom2d", 16, phantom=spec)
    signal, power = phantom_model("phantom2d", 16, spec)
    images = data.test.images.reshape(len(data.test), -1).astype(float)
    blob_auc = roc_auc_score(data.test.targets, images @ signal.ravel())
    best = np.linalg.solve(covariance_matrix(power), signal.ravel())
    assert blob_auc < roc_auc_score(data.test.targets, images @ best)


@pytest.mark.parametrize(("name", "size"), [("phantom2d", 32), ("phantom3d", 20)])
def test_background_has_the_covariance_it_claims(name: str, size: int) -> None:
    spec = PhantomSpec(n_train=600, n_val=2, n_test=2, prevalence=0.01, correlation_length=2.0)
    train = make_phantom(name, size, spec).train
    field = train.images[train.targets == 0].astype(float) - 128
    for lag in (0, 1, 2, 4):
        measured = (field * np.roll(field, lag, axis=-1)).mean()
        smooth = math.exp(-(lag**2) / (2 * spec.correlation_length**2))
        expected = 16**2 * (0.9 * smooth + 0.1 * (lag == 0))
        assert measured == pytest.approx(expected, abs=0.03 * 16**2)


def test_images_are_independent_of_one_another() -> None:
    spec = PhantomSpec(n_train=401, n_val=2, n_test=2, detectability=0.0)
    _, power = phantom_model("phantom2d", 16, spec)
    field = make_phantom("phantom2d", 16, spec).train.images.reshape(401, -1) - 128.0
    products = (field @ field.T / power.size)[np.triu_indices(401, k=1)]
    spread = math.sqrt((power**2).mean() / power.size)  # of the mean product of two independent fields
    assert products.std() == pytest.approx(spread, rel=0.05)
    assert abs(products).max() < 6 * spread


@pytest.mark.parametrize("name", ["phantom2d", "phantom3d"])
def test_rounding_to_uint8_does_not_matter(name: str) -> None:
    spec = PhantomSpec()
    signal, power = phantom_model(name, 28, spec)
    spectrum = np.abs(np.fft.fftn(signal)) ** 2 / signal.size
    rounded = math.sqrt((spectrum / (power + 1 / 12)).sum())  # rounding adds white noise of variance 1/12
    assert rounded == pytest.approx(spec.detectability, rel=1e-3)
    data = make_phantom(name, 28, replace(spec, n_train=2, n_test=150, n_val=2))
    assert np.isin(data.test.images, (0, 255)).mean() < 1e-5
    peak = data.test.images[data.test.targets == 1].reshape(15, -1)[:, signal.argmax()]
    assert (peak < 255).all()


@pytest.mark.parametrize(("name", "shape"), [("phantom2d", (12, 12)), ("phantom3d", (12, 12, 12))])
def test_equal_seeds_give_equal_images_and_splits_are_independent(name: str, shape: tuple[int, ...]) -> None:
    one, same = make_phantom(name, 12, SMALL), make_phantom(name, 12, SMALL)
    more = make_phantom(name, 12, replace(SMALL, n_train=90))
    other = make_phantom(name, 12, replace(SMALL, seed=1))
    assert one.train.images.shape == (40, *shape)
    assert (one.md5, one.md5 == other.md5, one.md5 == more.md5) == (same.md5, False, False)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.targets, b.targets)
    np.testing.assert_array_equal(one.test.images, more.test.images)
    assert not np.array_equal(one.test.images, other.test.images)
    assert not np.array_equal(one.train.images[:20], one.val.images)


@settings(max_examples=30)
@given(
    count=st.integers(2, 300),
    prevalence=st.floats(0.001, 0.999),
    detectability=st.floats(0, 2.5),
    size=st.integers(8, 20),
    seed=st.integers(0, 2**63 - 1),
)
def test_any_allowed_specification_gives_a_usable_set(
    count: int, prevalence: float, detectability: float, size: int, seed: int
) -> None:
    spec = PhantomSpec(count, 2, 2, prevalence, detectability, signal_width=2.5, seed=seed)
    data = make_phantom("phantom2d", size, spec)
    positives = int(data.train.targets.sum())
    assert positives in (1, count - 1) or abs(positives - prevalence * count) <= 0.5
    assert 0 < positives < count
    assert data.train.images.dtype == np.uint8
    ids = [i for split in data for i in split.ids]
    assert len(set(ids)) == len(ids) == count + 4
    assert data.ideal_auc == pytest.approx(norm.cdf(detectability / math.sqrt(2)))


def test_the_signal_stays_in_place_when_flipped() -> None:
    for size in (9, 28):
        signal, _ = phantom_model("phantom2d", size, PhantomSpec())
        np.testing.assert_allclose(signal, signal[::-1, ::-1])


def test_the_signal_is_what_positives_have_more() -> None:
    spec = PhantomSpec(n_train=4000, n_val=2, n_test=2, prevalence=0.5)
    train: Split = make_phantom("phantom2d", 16, spec).train
    means = [train.images[train.targets == target].mean(axis=0) for target in (1, 0)]
    signal, _ = phantom_model("phantom2d", 16, spec)
    np.testing.assert_allclose(means[0] - means[1], signal, atol=5 * 16 * math.sqrt(2 / 2000))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("n_train", 1, "between 2 and"),
        ("n_val", 10.5, "whole number"),
        ("n_test", True, "whole number"),
        ("prevalence", 0.0, "between 0 and 1, both excluded"),
        ("prevalence", 1.0, "between 0 and 1, both excluded"),
        ("prevalence", "half", "a number"),
        ("detectability", -1.0, "between 0 and 10"),
        ("detectability", math.nan, "between 0 and 10"),
        ("signal_width", 0.0, "between 0.5 and 100"),
        ("correlation_length", math.inf, "between 0 and 100"),
        ("seed", -1, "between 0 and"),
    ],
)
def test_values_out_of_range_name_the_field_and_the_range(field: str, value: Any, words: str) -> None:
    with pytest.raises(InputError, match=rf"{field} is {value!r}.*{words}"):
        PhantomSpec(**{field: value})


@pytest.mark.parametrize("size", [7, 513, 28.0])
def test_sizes_out_of_range(size: Any) -> None:
    with pytest.raises(InputError, match="between 8 and 512"):
        make_phantom("phantom2d", size)


def test_a_signal_too_strong_for_uint8() -> None:
    with pytest.raises(InputError, match=r"detectability 10 .* grey levels"):
        make_phantom("phantom2d", 28, PhantomSpec(detectability=10, signal_width=1))
