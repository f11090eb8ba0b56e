"""Networks by name: sizes, shapes, options, refusals."""

import pytest
import torch
from torch import nn

from medauc.errors import InputError
from medauc.models import ACSConv3d, build_model

GREY = {"spatial_dims": 2, "in_channels": 1, "num_outputs": 1}
VOLUME = {"spatial_dims": 3, "in_channels": 1, "num_outputs": 1}


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_resnets_have_the_parameter_counts_of_torchvision():
    # torchvision documents 11,689,512 and 25,557,032 for three channels and 1,000 classes.
    colour = {"spatial_dims": 2, "in_channels": 3, "num_outputs": 1000, "stem": "imagenet"}
    assert count(build_model("resnet18", **colour)) == 11_689_512
    assert count(build_model("resnet50", **colour)) == 25_557_032
    assert count(build_model("resnet18", **GREY, stem="imagenet")) == 11_170_753


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "fullres"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize(("in_channels", "num_outputs"), [(1, 1), (3, 14)])
def test_scores_have_one_column_a_label(name, spatial_dims, in_channels, num_outputs):
    network = build_model(
        name, spatial_dims=spatial_dims, in_channels=in_channels, num_outputs=num_outputs, width=4
    )
    scores = network(torch.randn(2, in_channels, *[16] * spatial_dims))
    assert scores.shape == (2, num_outputs)
    assert scores.isfinite().all()


@pytest.mark.parametrize(("stem", "expected"), [("full", 28), ("half", 14), ("imagenet", 7)])
@pytest.mark.parametrize("options", [GREY, VOLUME, VOLUME | {"conversion": "acs"}])
def test_stem_sets_the_resolution_of_the_first_stage(stem, expected, options):
    network = build_model("resnet18", **options, width=4, stem=stem)
    sizes = []
    network.layer1.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[2:]))
    network(torch.zeros(2, 1, *[28] * options["spatial_dims"]))
    assert set(sizes[0]) == {expected}


def test_width_sets_the_channels_of_the_four_stages():
    network = build_model("resnet18", **GREY, width=12)
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    assert [stage[-1].conv2.weight.shape[0] for stage in stages] == [12, 24, 48, 96]


def test_acs_has_the_parameters_of_the_2d_network_and_the_starting_values_of_its_seed():
    torch.manual_seed(3)
    flat = build_model("resnet18", **GREY, width=6)
    torch.manual_seed(3)
    acs = build_model("resnet18", **VOLUME, width=6, conversion="acs")
    assert count(acs) == count(flat)
    acs.load_state_dict(flat.state_dict())
    assert torch.equal(acs.conv1.weight, flat.conv1.weight)
    assert isinstance(acs.conv1, ACSConv3d)
    assert not any(isinstance(module, nn.Conv2d) for module in acs.modules())


def test_fullres_keeps_the_resolution_through_its_first_units():
    network = build_model("fullres", **VOLUME, width=4)
    sizes = []
    network.unit2.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape))
    network(torch.zeros(2, 1, 12, 12, 12))
    assert sizes == [(2, 4, 12, 12, 12)]
    assert count(network) < 20_000


def test_fullres_ignores_the_brightness_scale_of_an_image():
    torch.manual_seed(0)
    network = build_model("fullres", **VOLUME, width=4).double()
    volumes = torch.rand(2, 1, 12, 12, 12, dtype=torch.float64)
    torch.testing.assert_close(network(volumes), network(0.5 * volumes), atol=1e-3, rtol=1e-3)


def test_equal_seeds_build_equal_networks():
    def build() -> nn.Module:
        torch.manual_seed(5)
        return build_model("resnet18", **GREY, width=4)

    first, second = build().state_dict(), build().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"name": "resnet19"},
            "model name is 'resnet19'; choose one of resnet10, resnet18, resnet50, fullres",
        ),
        ({"stem": "quarter"}, "model stem is 'quarter'; choose one of full, half, imagenet"),
        ({"conversion": "i3d"}, "model conversion is 'i3d'; choose one of none, acs"),
        ({"spatial_dims": 4}, "model spatial_dims is 4; choose one of 2, 3"),
        ({"width": 0}, "model width is 0; it must be at least 1"),
        ({"num_outputs": 0}, "model num_outputs is 0; it must be at least 1"),
        ({"in_channels": 0}, "model in_channels is 0; it must be at least 1"),
        ({"conversion": "acs"}, "images are 2D"),
        ({"name": "fullres", "stem": "half"}, "use stem 'full'"),
    ],
)
def test_options_out_of_range_are_named_with_what_is_allowed(changed, message):
    with pytest.raises(InputError, match=message):
        build_model(**({"name": "resnet18", **GREY} | changed))


def test_3d_kernels_lie_channels_last_and_give_the_same_scores():
    network = build_model("resnet18", **VOLUME, width=4, stem="half").double().eval()
    assert network.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last_3d)
    volumes = torch.randn(2, 1, 12, 12, 12, dtype=torch.float64)
    scores = network(volumes)
    network.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(scores, network(volumes))


def test_a_network_separates_two_kinds_of_images():
    torch.manual_seed(0)
    images = torch.randn(16, 1, 8, 8)
    targets = torch.arange(16) % 2
    images[targets == 1, :, 2:6, 2:6] += 1.0
    network = build_model("resnet18", **GREY, width=4)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        scores = network(images)[:, 0]
        nn.functional.binary_cross_entropy_with_logits(scores, targets.float()).backward()
        optimizer.step()
    assert scores[targets == 1].min() > scores[targets == 0].max()
