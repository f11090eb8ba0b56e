"""Enlarged input: what it interpolates, and that parameters keep their names."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from medauc.errors import InputError
from medauc.models import build_model
from medauc.models.upsample import Upsample

GREY = {"spatial_dims": 2, "in_channels": 1, "num_outputs": 1, "width": 4}
VOLUME = GREY | {"spatial_dims": 3}


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_ramp_stays_a_ramp_away_from_the_border(spatial_dims):
    """Pixel i of the enlarged image lies at (i + 1/2) / factor - 1/2 of the small one."""
    factor, side = 2.5, 12
    axes = torch.meshgrid(*[torch.arange(float(side))] * spatial_dims, indexing="ij")
    images = torch.stack(axes).unsqueeze(0)  # channel k holds the coordinate along axis k
    enlarged = Upsample(factor)(images)[0]
    at = (torch.arange(round(factor * side)) + 0.5) / factor - 0.5
    expected = torch.stack(torch.meshgrid(*[at] * spatial_dims, indexing="ij"))
    inner = (slice(None), *[slice(3, -3)] * spatial_dims)
    torch.testing.assert_close(enlarged[inner], expected[inner], atol=1e-4, rtol=1e-4)


@given(factor=st.floats(1, 8), sides=st.lists(st.integers(1, 6), min_size=2, max_size=3))
def test_sizes_are_rounded_and_values_stay_between_the_extremes(factor, sides):
    images = torch.randn(2, 1, *sides)
    enlarged = Upsample(factor)(images)
    assert list(enlarged.shape[2:]) == [round(factor * side) for side in sides]
    assert images.min() - 1e-5 <= enlarged.min() <= enlarged.max() <= images.max() + 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"name": "resnet18", "stem": "imagenet", **GREY},
        {"name": "resnet10", "stem": "half", **VOLUME},
        {"name": "resnet10", "stem": "half", "conversion": "acs", **VOLUME},
        {"name": "fullres", **VOLUME},
    ],
    ids=lambda options: f"{options['name']}-{options['spatial_dims']}d-{options.get('conversion')}",
)
def test_an_upsampling_network_is_the_plain_one_after_interpolation(options, tmp_path):
    """Same parameter names: weights written by either load into the other."""
    torch.manual_seed(0)
    plain = build_model(**options).eval()
    save_file(
        {key: value.contiguous() for key, value in plain.state_dict().items()}, tmp_path / "w.safetensors"
    )
    enlarging = build_model(**options, upsample=2, weights=tmp_path / "w.safetensors").eval()
    plain.load_state_dict(enlarging.state_dict(), strict=True)
    images = torch.randn(2, 1, *[10] * options["spatial_dims"])
    mode = "bilinear" if options["spatial_dims"] == 2 else "trilinear"
    twice = torch.nn.functional.interpolate(images, scale_factor=2, mode=mode)
    torch.testing.assert_close(enlarging(images), plain(twice))


def test_the_first_stage_sees_the_enlarged_image():
    network = build_model("resnet10", **GREY, stem="half", upsample=2)
    sizes = []
    network.layer1.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[2:]))
    network(torch.zeros(2, 1, 28, 28))
    assert sizes == [(28, 28)]


@pytest.mark.parametrize("factor", [0.5, 8.5, float("nan")])
def test_factors_out_of_range_are_refused(factor):
    with pytest.raises(InputError, match=r"upsample is .* between 1 and 8"):
        build_model("resnet10", **GREY, upsample=factor)
