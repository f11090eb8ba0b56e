"""Stochastic depth: which branches, how often, what expectation, and nothing in evaluation."""

import copy
import math

import pytest
import torch
from torch import nn

from medauc.models import build_model
from medauc.models.stochastic_depth import DropBranch

VOLUME = {"spatial_dims": 3, "in_channels": 1, "num_outputs": 1, "width": 4}
NETWORKS = {"resnet18": 8, "resnet50": 16, "fullres": 4}


def rates(network: nn.Module) -> list[float]:
    return [
        hook.rate
        for module in network.modules()
        for hook in module._forward_hooks.values()
        if isinstance(hook, DropBranch)
    ]


@pytest.mark.parametrize(("name", "blocks"), NETWORKS.items())
def test_rates_grow_linearly_over_the_blocks(name, blocks):
    network = build_model(name, **VOLUME, stochastic_depth=0.4)
    assert rates(network) == pytest.approx([0.4 * number / blocks for number in range(1, blocks + 1)])
    assert rates(build_model(name, **VOLUME)) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_is_that_of_the_plain_network(name):
    torch.manual_seed(0)
    plain = build_model(name, **VOLUME).eval()
    deep = build_model(name, **VOLUME, stochastic_depth=0.9).eval()
    deep.load_state_dict(plain.state_dict(), strict=True)
    volumes = torch.randn(2, 1, 12, 12, 12)
    assert torch.equal(plain(volumes), deep(volumes))


@pytest.mark.parametrize("conversion", ["none", "acs"])
def test_a_dropped_block_is_its_shortcut_for_that_image_alone(conversion):
    torch.manual_seed(0)
    network = build_model("resnet10", **VOLUME, conversion=conversion, stochastic_depth=0.8).train()
    block = network.layer1[0]  # without a convolution in its shortcut; dropped at a fourth of 0.8
    seen = []
    block.register_forward_hook(
        lambda module, inputs, output: seen.append((inputs[0].detach(), output.detach()))
    )
    network(torch.randn(64, 1, 8, 8, 8))
    dropped = torch.tensor([torch.equal(out, value.relu()) for value, out in zip(*seen[0], strict=True)])
    assert abs(dropped.float().mean() - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 64)
    assert 0 < dropped.sum() < 64


def test_the_expectation_of_a_branch_is_preserved():
    torch.manual_seed(0)
    branch = nn.Identity().train()
    branch.register_forward_hook(DropBranch(0.7))
    outputs = branch(torch.ones(20_000, 1))
    kept = 1 / 0.3
    assert sorted(set(outputs.flatten().tolist())) == pytest.approx([0, kept])
    assert abs(outputs.mean() - 1) < 5 * kept * math.sqrt(0.7 * 0.3 / 20_000)


def test_no_gradient_reaches_a_branch_that_was_dropped_for_every_image():
    network = build_model("resnet10", **VOLUME, stochastic_depth=0.9).train()
    next(iter(network.layer4[0].bn2._forward_hooks.values())).rate = 1 - 1e-12
    network(torch.randn(2, 1, 8, 8, 8)).sum().backward()
    assert network.layer4[0].conv2.weight.grad.abs().max() == 0
    assert network.layer3[0].conv2.weight.grad is not None


def test_equal_seeds_drop_equal_branches_and_copies_have_their_own_hooks():
    network = build_model("resnet18", **VOLUME, stochastic_depth=0.9).train()
    twin = copy.deepcopy(network)  # as weight averaging makes one
    volumes = torch.randn(4, 1, 8, 8, 8)
    scores = []
    for each in (network, twin):
        torch.manual_seed(3)
        scores.append(each(volumes))
    assert torch.equal(*scores)
    assert not torch.equal(scores[0], network(volumes))


def test_bfloat16_branches_stay_bfloat16():
    branch = nn.Identity().train()
    branch.register_forward_hook(DropBranch(0.5))
    assert branch(torch.ones(4, 2, dtype=torch.bfloat16)).dtype == torch.bfloat16
