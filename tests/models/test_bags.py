"""Pooling of bags against a loop over bags, its gradients, its symmetries, and weights that fit plain networks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from medauc.errors import InputError
from medauc.models import BagNetwork, BagPooling, build_model
from medauc.models.bags import segment_softmax, segment_sum
from medauc.models.weights import load_weights

POOLINGS: tuple[BagPooling, ...] = ("mean", "max", "attention")
SMALL: dict[str, Any] = {"spatial_dims": 2, "in_channels": 1, "width": 4, "stem": "half"}
BAGS = torch.tensor([0, 0, 0, 1, 2, 2, 2, 2])


def bag_network(kind: BagPooling, /, labels: int = 2, **options: Any) -> BagNetwork:
    torch.manual_seed(0)
    network = build_model("resnet10", num_outputs=labels, **SMALL, **options, bag_pooling=kind)
    assert isinstance(network, BagNetwork)
    return network


def images(count: int = 8) -> Tensor:
    return torch.randn(count, 1, 12, 12, generator=torch.Generator().manual_seed(1))


def by_loop(network: BagNetwork, inputs: Tensor, bags: Tensor, count: int) -> Tensor:
    """Pool features, bag by bag, as the paper writes it: the score of the pooled feature."""
    features: list[Tensor] = []
    head: Any = network.encoder.fc
    hook = head.register_forward_pre_hook(lambda _, arguments: features.append(arguments[0]))
    network.encoder(inputs)
    hook.remove()
    scores = []
    for bag in range(count):
        own = features[0][bags == bag]
        if network.pooling == "mean":
            scores.append(own.mean(dim=0) @ head.weight.T + head.bias)
        elif network.pooling == "max":
            scores.append((own @ head.weight.T + head.bias).max(dim=0).values)
        else:
            gate = head.gate
            logits = (torch.tanh(own @ gate.tanh.T) * torch.sigmoid(own @ gate.sigmoid.T)) @ gate.weight.T
            each = []
            for label in range(logits.shape[1]):
                pooled = (torch.softmax(logits[:, label], dim=0)[:, None] * own).sum(dim=0)
                each.append(pooled @ head.weight[label] + head.bias[label])
            scores.append(torch.stack(each))
    return torch.stack(scores)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_scores_and_gradients_are_those_of_a_loop_over_bags(pooling: BagPooling) -> None:
    network = bag_network(pooling).eval()  # batch statistics would be taken twice
    weights = torch.randn(3, 2, generator=torch.Generator().manual_seed(2))
    scores = network(images(), BAGS, 3)
    (scores * weights).sum().backward()
    found = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}  # type: ignore[union-attr]
    network.zero_grad()
    expected = by_loop(network, images(), BAGS, 3)
    (expected * weights).sum().backward()
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-6)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_neither_order_nor_other_bags_change_a_score(pooling: BagPooling) -> None:
    network, inputs = bag_network(pooling).eval(), images()
    scores = network(inputs, BAGS, 3)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(network(inputs[order], BAGS[order], 3), scores)
    alone = network(inputs[BAGS == 2], torch.zeros(4, dtype=torch.int64), 1)
    torch.testing.assert_close(alone, scores[2:])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_score_of_a_bag_is_the_weighted_mean_of_its_images(pooling: BagPooling) -> None:
    network = bag_network(pooling).eval()
    detail = network.detail(images(), BAGS, 3)
    assert ((detail.weights >= 0) & (detail.weights <= 1)).all()
    torch.testing.assert_close(segment_sum(detail.weights, BAGS, 3), torch.ones(3, 2))
    torch.testing.assert_close(segment_sum(detail.weights * detail.images, BAGS, 3), detail.bags)
    torch.testing.assert_close(detail.images, network(images()))  # each image as a bag of its own
    if pooling == "max":
        assert set(detail.weights.flatten().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_bags_of_one_score_as_the_plain_network_does(pooling: BagPooling) -> None:
    torch.manual_seed(0)
    plain = build_model("resnet10", num_outputs=2, **SMALL)
    network = bag_network(pooling)
    assert torch.equal(network(images()), plain(images()))
    assert torch.equal(network(images(), torch.arange(8), 8), plain(images()))


def test_equal_images_share_the_weight_of_the_highest() -> None:
    detail = BagNetwork(nn.Flatten(), "max").detail(
        torch.tensor([2.0, 2.0, 1.0]).view(3, 1), torch.zeros(3).long(), 1
    )
    assert detail.weights.flatten().tolist() == [0.5, 0.5, 0.0]
    assert detail.bags.item() == 2.0


@pytest.mark.parametrize("pooling", POOLINGS)
def test_in_evaluation_a_large_bag_goes_through_in_parts(pooling: BagPooling) -> None:
    network = bag_network(pooling).eval()
    whole = network(images(), BAGS, 3)
    seen: list[int] = []
    network.encoder.register_forward_pre_hook(lambda _, arguments: seen.append(len(arguments[0])))
    network.images_at_once = 3
    torch.testing.assert_close(network(images(), BAGS, 3), whole)
    assert seen == [3, 3, 2]
    network.train()(images(), BAGS, 3)
    assert seen[3:] == [8]  # batch normalisation takes the statistics of the whole batch


def test_segment_operations_have_exact_gradients() -> None:
    values = torch.randn(
        8, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
    )
    assert torch.autograd.gradcheck(lambda x: segment_sum(x, BAGS, 3), values)
    assert torch.autograd.gradcheck(lambda x: segment_softmax(x, BAGS, 3), values)
    extreme = segment_softmax(torch.tensor([[1e4], [-1e4], [1e4]]), torch.tensor([0, 0, 1]), 2)
    assert extreme.flatten().tolist() == [1.0, 0.0, 1.0]


def test_in_16_bits_scores_stay_in_32() -> None:
    network = bag_network("attention").eval()
    with torch.autocast("cpu", torch.bfloat16):
        detail = network.detail(images(), BAGS, 3)
    assert detail.bags.dtype == detail.weights.dtype == torch.float32
    torch.testing.assert_close(segment_sum(detail.weights, BAGS, 3), torch.ones(3, 2))


@pytest.mark.parametrize("options", [{"pooling": "mean_max"}, {"dropout": 0.3}, {"norm": "group"}])
def test_every_head_pools_bags(options: dict[str, Any]) -> None:
    assert bag_network("attention", **options)(images(), BAGS, 3).shape == (3, 2)


def test_volumes_and_acs_pool_bags() -> None:
    shape = {**SMALL, "spatial_dims": 3}
    for options in ({}, {"conversion": "acs"}):
        network = build_model("resnet10", num_outputs=1, **shape, **options, bag_pooling="attention")
        assert network(torch.randn(3, 1, 8, 8, 8), torch.tensor([0, 0, 1]), 2).shape == (2, 1)


def test_weights_pass_between_single_images_and_bags(tmp_path: Path) -> None:
    torch.manual_seed(5)
    plain = build_model("resnet10", num_outputs=2, **SMALL).eval()
    save_file(plain.state_dict(), tmp_path / "plain.safetensors")
    for pooling in POOLINGS:
        network = bag_network(pooling, weights=tmp_path / "plain.safetensors").eval()
        assert torch.equal(network(images())[:, :2], plain(images()))
        path = tmp_path / f"{pooling}.safetensors"
        save_file(network.state_dict(), path)
        again = bag_network(pooling, weights=path).eval()
        assert torch.equal(again(images(), BAGS, 3), network(images(), BAGS, 3))  # the gate too
        copy = build_model("resnet10", num_outputs=2, **SMALL)
        assert load_weights(copy, path) == []
        assert torch.equal(copy.eval()(images()), plain(images()))


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(
        InputError, match="bag_pooling is 'noisy-or'; choose one of None, mean, max, attention"
    ):
        build_model("resnet10", num_outputs=1, **SMALL, bag_pooling="noisy-or")  # type: ignore[arg-type]
