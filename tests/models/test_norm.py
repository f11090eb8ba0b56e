"""Kinds of normalisation in finished networks."""

import pytest
import torch
from torch import nn

from medauc.errors import InputError
from medauc.models import build_model
from medauc.models.norm import set_norm

VOLUME = {"spatial_dims": 3, "in_channels": 1, "num_outputs": 1, "width": 4}
NETWORKS = [
    {"name": "resnet10", "stem": "full"},
    {"name": "resnet50", "stem": "full"},
    {"name": "resnet10", "conversion": "acs"},
    {"name": "fullres"},
]


@pytest.mark.parametrize("options", NETWORKS, ids=lambda options: "-".join(options.values()))
@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_every_layer_is_of_the_kind_and_parameters_keep_names_shapes_and_values(options, norm):
    torch.manual_seed(0)
    plain = build_model(**options, **VOLUME)
    torch.manual_seed(0)
    changed = build_model(**options, **VOLUME, norm=norm)
    kinds = (nn.BatchNorm3d, nn.InstanceNorm3d, nn.GroupNorm)
    found = [module for module in changed.modules() if isinstance(module, kinds)]
    assert len(found) == sum(isinstance(module, kinds) for module in plain.modules()) > 0
    assert all(isinstance(module, nn.BatchNorm3d if norm == "batch" else nn.GroupNorm) for module in found)
    before, after = dict(plain.named_parameters()), dict(changed.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("shape", [(3, 12, 5, 4), (3, 12, 5, 4, 3)])
def test_instance_normalisation_is_torchs(shape):
    features = torch.randn(*shape) * 3 + 1
    network = nn.Sequential(nn.BatchNorm2d(12))
    set_norm(network, len(shape) - 2, "instance")
    torch.testing.assert_close(network(features), nn.functional.instance_norm(features), atol=1e-5, rtol=1e-5)


def test_groups_have_mean_zero_and_variance_one():
    network = nn.Sequential(nn.BatchNorm2d(12))  # gcd(12, 8) = 4 groups of three channels
    set_norm(network, 2, "group")
    out = network(torch.randn(3, 12, 6, 6) * torch.arange(1.0, 13).view(1, 12, 1, 1) + 5).view(3, 4, -1)
    torch.testing.assert_close(out.mean(-1), torch.zeros(3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(-1, unbiased=False), torch.ones(3, 4), atol=1e-4, rtol=0)


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_without_batch_statistics_an_image_scores_alone_as_among_others(norm):
    torch.manual_seed(0)
    network = build_model("resnet10", **VOLUME, norm=norm).train()
    volumes = torch.randn(4, 1, 12, 12, 12)
    torch.testing.assert_close(network(volumes)[2:3], network(volumes[2:3]), atol=1e-5, rtol=1e-5)
    batch = build_model("resnet10", **VOLUME).train()
    assert not torch.allclose(batch(volumes)[2:3], batch(volumes[2:])[:1])


def test_instance_normalisation_of_one_pixel_is_refused_rather_than_blind():
    network = build_model("resnet10", **VOLUME, stem="imagenet", norm="instance")
    with pytest.raises(InputError, match=r"model\.norm instance: .* use group"):
        network(torch.zeros(2, 1, 12, 12, 12))


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="norm is 'layer'; choose one of None, batch, instance, group"):
        build_model("resnet10", **VOLUME, norm="layer")
