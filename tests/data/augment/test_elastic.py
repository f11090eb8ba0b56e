"""Elastic deformation: bounded, smooth, without folds, and a part of the one interpolation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from medauc.data.augment import Augment
from medauc.data.augment.draw import Draw
from medauc.data.augment.elastic import LARGEST_OF_SPACING, draw_controls, spread


def fields_of(sizes, limit, spacing, count=4, seed=0):
    """Displacements (N, *sizes, d) in pixels, and those of the control points."""
    images = torch.zeros(count, 1, *sizes, dtype=torch.float64)
    controls = draw_controls(limit, spacing, sizes, Draw(images, torch.Generator().manual_seed(seed)))
    return spread(controls, spacing, sizes), controls


def test_values_between_control_points_are_scipys_cubic_b_splines():
    spacing, size = 0.3, 20
    controls = torch.rand(1, 7, 1, dtype=torch.float64)
    knots = torch.arange(-3, 8).double()  # the spline of control j is centred on knot j - 1
    spline = BSpline(knots.numpy(), controls[0, :, 0].numpy(), 3)
    places = (torch.arange(size) + 0.5) / (spacing * size)
    expected = torch.from_numpy(spline(places.numpy()))
    torch.testing.assert_close(spread(controls, spacing, (size,))[0, :, 0], expected)


@settings(max_examples=40)
@given(
    spatial_dims=st.sampled_from([2, 3]),
    spacing=st.floats(0.05, 1),
    share=st.floats(0, 1),
    size=st.integers(5, 14),
    seed=st.integers(0, 99),
)
def test_no_place_moves_farther_than_the_limit_and_no_image_folds(spatial_dims, spacing, share, size, seed):
    sizes = tuple(size + axis for axis in range(spatial_dims))
    limit = share * LARGEST_OF_SPACING * spacing
    field, _ = fields_of(sizes, limit, spacing, seed=seed)
    assert (field.abs() <= limit * torch.tensor(sizes) + 1e-12).all()
    # A map x + u(x) has no fold where its determinant is positive everywhere; here by finite differences.
    rows = [
        torch.stack([field.narrow(1 + axis, 1, n - 1) - field.narrow(1 + axis, 0, n - 1)], 0)[0]
        for axis, n in enumerate(sizes)
    ]
    inner = [row[(slice(None), *[slice(0, n - 1) for n in sizes])] for row in rows]
    jacobian = torch.eye(spatial_dims, dtype=torch.float64) + torch.stack(inner, -2)
    assert (torch.linalg.det(jacobian) > 0).all()


def test_equal_control_points_move_everything_alike():
    controls = torch.full((2, 7, 7, 2), 1.5, dtype=torch.float64)
    torch.testing.assert_close(spread(controls, 0.25, (9, 12)), torch.full((2, 9, 12, 2), 1.5).double())


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_typical_displacement_is_the_documented_share_of_the_limit(spatial_dims):
    field, _ = fields_of((20,) * spatial_dims, 0.1, 0.25, count=200)
    assert (field / 2).std() == pytest.approx({2: 0.28, 3: 0.20}[spatial_dims], abs=0.02)


def test_wider_spacing_is_smoother():
    def roughness(spacing):
        field, _ = fields_of((40, 40), 0.02, spacing, count=50)
        return field.diff(dim=1).square().mean() / field.square().mean()

    assert roughness(0.1) > 3 * roughness(0.25) > 9 * roughness(0.8)


@pytest.mark.parametrize("sizes", [(10, 13), (6, 7, 8)])
def test_a_linear_ramp_shows_by_how_much_each_pixel_moved(sizes):
    """The value at x is that of the source at x + u(x); on a ramp along an axis that is x + u(x) along it."""
    d, count = len(sizes), 3
    for axis in range(d):
        shape = [sizes[axis] if other == axis else 1 for other in range(d)]
        ramp = torch.arange(sizes[axis]).double().view(shape).expand(sizes)
        torch.manual_seed(3)
        deformed = Augment(d, elastic=0.05)(ramp.expand(count, 1, *sizes))
        torch.manual_seed(3)
        draw = Draw(deformed, None)
        draw.uniform(d), draw.uniform(d)  # shift and crop
        field = spread(draw_controls(0.05, 0.25, sizes, draw), 0.25, sizes)
        expected = (ramp + field[..., axis]).clamp(0, sizes[axis] - 1)
        torch.testing.assert_close(deformed[:, 0], expected)


def test_the_deformation_comes_before_the_turn_so_that_both_need_one_interpolation():
    """On a ramp both orders are linear: value = (M (x + u - c) + c) along the ramp's axis."""
    sizes = (12, 12)
    ramp = torch.arange(12).double().view(12, 1).expand(5, 1, 12, 12)
    augment = Augment(2, rotation=10.0, elastic=0.03)
    torch.manual_seed(3)
    deformed = augment(ramp)
    torch.manual_seed(3)
    draw = Draw(ramp, None)
    matrices = augment.geometry.draw_affine(draw)
    draw.uniform(2), draw.uniform(2)
    field = spread(draw_controls(0.03, 0.25, sizes, draw), 0.25, sizes)
    places = torch.stack(torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij"), -1) - 5.5
    sources = torch.einsum("nij,nabj->nabi", matrices, places.double() + field) + 5.5
    torch.testing.assert_close(deformed[:, 0], sources[..., 0].clamp(0, 11))


def test_a_limit_of_0_is_off():
    images = torch.rand(3, 1, 8, 8)
    torch.manual_seed(0)
    expected = Augment(2, rotation=10.0)(images)
    torch.manual_seed(0)
    assert torch.equal(Augment(2, rotation=10.0, elastic=0.0, elastic_spacing=0.5)(images), expected)
