"""Distances from a cloud of vectors, against the textbook's formula and its invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from medauc.training.prediction.distance import DIRECTIONS, Cloud


def drawn(seed: int, n: int, features: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, features)) @ rng.normal(size=(features, features)) + rng.normal(size=features)


def whole_covariance(cloud: Cloud) -> np.ndarray:
    """The covariance that the stored parts stand for, of vectors as they come."""
    size = len(cloud.mean)
    within = cloud.directions.T @ np.diag(cloud.variances) @ cloud.directions
    rest = cloud.rest * (np.eye(size) - cloud.directions.T @ cloud.directions)
    return np.diag(cloud.scale) @ (within + rest) @ np.diag(cloud.scale)


@pytest.mark.parametrize(("n", "features"), [(200, 5), (200, 40), (12, 40)])
def test_the_distance_is_mahalanobis_under_the_stored_covariance(n, features) -> None:
    cloud, new = Cloud.of(drawn(0, n, features)), drawn(1, 6, features)
    inverse = np.linalg.inv(whole_covariance(cloud))
    expected = [mahalanobis(vector, cloud.mean, inverse) for vector in new]
    np.testing.assert_allclose(cloud.distance(new), expected, rtol=1e-6)


def test_with_few_features_it_is_the_sample_s_own_covariance() -> None:
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(5000, 4)) @ (np.eye(4) + rng.uniform(-0.3, 0.3, (4, 4)))
    cloud = Cloud.of(vectors)
    np.testing.assert_allclose(whole_covariance(cloud), np.cov(vectors.T, bias=True), rtol=1e-6, atol=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), shift=st.floats(-100, 100), factor=st.floats(0.01, 100))
def test_units_of_the_features_do_not_matter(seed, shift, factor) -> None:
    vectors, new = drawn(seed, 60, 30), drawn(seed + 1, 5, 30)
    plain = Cloud.of(vectors).distance(new)
    np.testing.assert_allclose(
        Cloud.of(vectors * factor + shift).distance(new * factor + shift), plain, rtol=1e-6
    )


def test_what_never_varied_counts_without_bounds_being_broken() -> None:
    vectors = drawn(3, 50, 6)
    vectors[:, 2] = 7.0
    new = vectors.mean(axis=0, keepdims=True)
    moved = new + np.eye(6)[2] * vectors.std(axis=0).max()
    at_home, away = Cloud.of(vectors).distance(np.concatenate([new, moved]))
    assert at_home == pytest.approx(0, abs=1e-9)
    assert 1 < away < np.inf


def test_one_vector_and_equal_vectors_make_a_cloud() -> None:
    for count in (1, 5):
        cloud = Cloud.of(np.ones((count, 3)))
        assert cloud.distance(np.ones((1, 3))) == 0
        assert np.isfinite(cloud.distance(np.full((1, 3), 2.0))).all()


def test_what_is_not_finite_is_infinitely_far_and_no_part_of_a_cloud() -> None:
    vectors = drawn(4, 30, 3)
    spoiled = np.concatenate([vectors, [[np.nan, 0, 0]]])
    cloud = Cloud.of(spoiled)
    np.testing.assert_array_equal(cloud.mean, Cloud.of(vectors).mean)
    assert cloud.distance(np.array([[np.inf, 0, 0], [np.nan, 0, 0]])).tolist() == [np.inf, np.inf]


def test_it_keeps_a_bounded_number_of_directions_and_comes_back_from_arrays() -> None:
    cloud = Cloud.of(drawn(5, 100, 50))
    assert cloud.directions.shape == (DIRECTIONS, 50)
    np.testing.assert_allclose(cloud.directions @ cloud.directions.T, np.eye(DIRECTIONS), atol=1e-12)
    new = drawn(6, 4, 50)
    np.testing.assert_array_equal(Cloud.from_arrays(cloud.to_arrays()).distance(new), cloud.distance(new))
