"""Clustered variance against Obuchowski's formula written out, DeLong's, and correlated samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from medauc.metrics import (
    bootstrap_interval,
    clustered_covariance,
    clustered_interval,
    delong_covariance,
    delong_interval,
    hoeffding_interval,
)


def covariance_by_definition(y, s, t, groups):
    """Obuchowski (1997), equations for S10, S01 and S11, pair by pair and group by group."""

    def components(score):
        kernel = (score[y][:, None] > score[~y][None]) + 0.5 * (score[y][:, None] == score[~y][None])
        return kernel.mean(axis=1), kernel.mean(axis=0), kernel.mean()

    (v10, v01, auc), (w10, w01, other) = components(s), components(t)
    m, n = y.sum(), (~y).sum()
    names = np.unique(groups)
    s10 = s01 = s11 = s11_swapped = 0.0
    for name in names:
        p, q = groups[y] == name, groups[~y] == name
        a, b = v10[p].sum() - p.sum() * auc, v01[q].sum() - q.sum() * auc
        c, d = w10[p].sum() - p.sum() * other, w01[q].sum() - q.sum() * other
        s10, s01, s11, s11_swapped = s10 + a * c, s01 + b * d, s11 + a * d, s11_swapped + b * c
    i10, i01, i = np.unique(groups[y]).size, np.unique(groups[~y]).size, names.size
    return (
        i10 / (i10 - 1) / m * s10 / m
        + i01 / (i01 - 1) / n * s01 / n
        + i / (i - 1) * (s11 + s11_swapped) / (m * n)
    )


def test_equals_the_definition():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 25, 90)
    y = rng.random(90) < 0.4
    s = np.round(y + rng.normal(size=(2, 90)), 1)
    aucs, covariance = clustered_covariance(y, s, groups)
    assert aucs == pytest.approx(delong_covariance(y, s)[0])
    for i in (0, 1):
        for j in (0, 1):
            assert covariance[i, j] == pytest.approx(
                covariance_by_definition(y, s[i], s[j], groups), rel=1e-10
            )


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3), st.integers(-3, 3)), min_size=4, max_size=40))
def test_one_sample_a_group_is_delongs(rows):
    y = np.array([row[0] for row in rows])
    if not 2 <= y.sum() <= y.size - 2:
        return
    s = np.array([row[1:] for row in rows], dtype=float).T
    names = np.array([f"patient {k}" for k in range(y.size)])
    np.testing.assert_allclose(clustered_covariance(y, s, names)[1], delong_covariance(y, s)[1], atol=1e-14)


def test_every_sample_k_times_is_the_variance_of_one_copy():
    rng = np.random.default_rng(1)
    y = np.arange(80) < 30
    s = y + rng.normal(size=80)
    _, copied = clustered_covariance(np.tile(y, 4), [np.tile(s, 4)], np.tile(np.arange(80), 4))
    assert copied == pytest.approx(delong_covariance(y, [s])[1])


def test_a_cluster_bootstrap_agrees():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(80), 4)
    y = rng.random(320) < 0.4
    s = y + 0.8 * rng.normal(size=80)[groups] + 0.6 * rng.normal(size=320)
    _, low, high = bootstrap_interval(y, s, groups=groups, stratified=False, method="percentile")
    found = clustered_interval(y, s, groups, scale="linear")
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.006)


@pytest.mark.parametrize("mixed", [False, True])
def test_covers_where_the_plain_interval_fails(mixed):
    rng = np.random.default_rng(3)
    patients, each, rho, distance = 60, 5, 0.7, 1.2
    groups = np.repeat(np.arange(patients), each)
    truth = norm.cdf(distance / 2**0.5)
    if mixed:  # pairs within a patient are ranked better, and count
        within = (each - 1) / (patients * each - 1)
        truth = (1 - within) * truth + within * norm.cdf(distance / np.sqrt(2 * (1 - rho)))
    plain = clustered = 0
    for _ in range(300):
        y = rng.random(groups.size) < 0.4 if mixed else (np.arange(patients) < 24)[groups]
        s = np.sqrt(rho) * rng.normal(size=patients)[groups] + np.sqrt(1 - rho) * rng.normal(size=y.size)
        s = s + distance * y
        _, low, high = clustered_interval(y, s, groups)
        clustered += low <= truth <= high
        _, low, high = delong_interval(y, s)
        plain += low <= truth <= high
    assert 0.92 <= clustered / 300 <= 0.98
    if not mixed:  # with both classes in a patient, the shared effect cancels in part
        assert plain / 300 < 0.8


def test_covariance_has_no_negative_eigenvalue():
    rng = np.random.default_rng(4)
    for _ in range(30):
        groups = rng.integers(0, 5, 20)
        y = np.append(rng.random(16) < 0.5, [True, False, True, False])
        groups[-4:] = [0, 0, 1, 1]
        _, covariance = clustered_covariance(y, rng.normal(size=(4, 20)), groups)
        assert np.linalg.eigvalsh(covariance).min() >= -1e-12


def test_bounds_where_there_is_nothing_to_estimate_from():
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = clustered_interval(y, np.arange(8.0), [1, 1, 2, 2, 3, 3, 4, 4])  # two pairs of patients
    assert found == (1.0, *hoeffding_interval(1.0, 2))
    found = clustered_interval(
        y, [1, 5, 2, 3, 4, 6, 7, 8], [1, 2, 3, 4, 5, 5, 5, 5]
    )  # one patient with positives
    assert (found.low, found.high) == hoeffding_interval(found.value, 1)


def test_wrong_arguments_are_named():
    y, s = [0, 0, 1, 1], [1.0, 3.0, 2.0, 4.0]
    with pytest.raises(ValueError, match="groups needs the shape"):
        clustered_interval(y, s, [1, 2, 3])
    with pytest.raises(ValueError, match="each class in two groups, got positives in 1"):
        clustered_covariance(y, [s], [1, 2, 3, 3])
    with pytest.raises(ValueError, match=r"shape \(M, N\)"):
        clustered_covariance(y, s, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="scale must be"):
        clustered_interval(y, s, [1, 2, 3, 4], scale="probit")
