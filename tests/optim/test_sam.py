"""SAM against its closed form on a quadratic, and what its two passes may and may not change."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fixtures.optimizers import FORMS, batches_of, everything, parts_of, train_on
from medauc.losses import AUCMLoss, CompositionalAUCLoss, PairwiseAUCLoss, PartialAUCLoss
from medauc.optim import PESG, SAM, MinMax

CURVATURE = torch.diag(torch.tensor([1.0, 4.0, 0.25], dtype=torch.float64))


def quadratic(weight, optimizer):
    def closure():
        optimizer.zero_grad()
        value = 0.5 * weight @ CURVATURE @ weight
        value.backward()
        return value

    return closure


@given(
    start=st.lists(st.floats(-3, 3).filter(lambda x: abs(x) > 0.01), min_size=3, max_size=3),
    radius=st.floats(0.001, 2),
    adaptive=st.booleans(),
)
def test_closed_form_on_a_quadratic(start, radius, adaptive):
    weight = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = SAM(torch.optim.SGD([weight], lr=0.1), radius, adaptive=adaptive)
    before = weight.detach().clone()
    value = optimizer.step(quadratic(weight, optimizer))
    gradient = CURVATURE @ before
    scaled = before * gradient if adaptive else gradient
    moved = before + radius * (before * scaled if adaptive else scaled) / scaled.norm()
    torch.testing.assert_close(weight.detach(), before - 0.1 * CURVATURE @ moved, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(value.detach(), 0.5 * moved @ CURVATURE @ moved, rtol=1e-9, atol=1e-9)


def test_the_adaptive_move_does_not_depend_on_how_layers_are_scaled():
    """f(w1, w2) = g(w1 w2) is the same function after w1 -> c w1, w2 -> w2 / c; so is the loss that the move finds."""
    found = {True: [], False: []}
    for adaptive, losses in found.items():
        for factor in (1.0, 8.0):
            first = nn.Parameter(torch.tensor([1.5 * factor], dtype=torch.float64))
            second = nn.Parameter(torch.tensor([0.5 / factor], dtype=torch.float64))
            optimizer = SAM(torch.optim.SGD([first, second], lr=0.0), 0.3, adaptive=adaptive)

            def closure(first=first, second=second, optimizer=optimizer):
                optimizer.zero_grad()
                value = (first * second - 2).square().sum()
                value.backward()
                return value

            losses.append(float(optimizer.step(closure).detach()))
    assert found[True][0] == pytest.approx(found[True][1], rel=1e-12)
    assert abs(found[False][0] - found[False][1]) > 0.1


@pytest.mark.parametrize("form", ["pesg_torch", "pesg_adam", "minmax_adamw"])
def test_a_radius_of_zero_is_the_given_optimizer_to_the_bit(form):
    plain, wrapped = parts_of(form), parts_of(form)
    train_on(*plain, batches_of(6))
    train_on(*wrapped[:2], SAM(wrapped[2], 0.0), batches_of(6))
    for name, value in everything(*plain).items():
        assert torch.equal(value, everything(*wrapped)[name]), name


@pytest.mark.parametrize("make", [PESG, lambda params, loss: MinMax(torch.optim.SGD(params, lr=0.1), loss)])
def test_only_the_weights_move_between_the_passes(make):
    net, loss = nn.Linear(4, 1).double(), AUCMLoss(version="v2").double()
    with torch.no_grad():
        loss.a.fill_(0.7)
        loss.b.fill_(0.2)
        loss.alpha.fill_(0.4)
    optimizer, seen = SAM(make(net.parameters(), loss), 0.5), []
    features, targets = next(iter(batches_of(1)))

    def closure():
        seen.append([p.detach().clone() for p in (*net.parameters(), loss.a, loss.b, loss.alpha)])
        optimizer.zero_grad()
        value = loss(net(features), targets)
        value.backward()
        return value

    optimizer.step(closure)
    (weight, bias, *variables), (moved, moved_bias, *same) = seen
    move = torch.cat([(moved - weight).flatten(), (moved_bias - bias).flatten()])
    assert move.norm() == pytest.approx(0.5)
    assert all(torch.equal(one, other) for one, other in zip(variables, same, strict=True))


class Counting(nn.Module):
    """A network with batch normalisation that keeps its input: what the running statistics saw."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)

    def forward(self, features):
        return self.last(self.norm(self.first(features)).relu())


def test_running_statistics_are_those_of_one_pass_at_the_weights():
    torch.manual_seed(0)
    net = Counting().double()
    reference = copy.deepcopy(net)
    features, targets = next(iter(batches_of(1)))
    reference(features)
    loss = AUCMLoss(version="v2").double()
    optimizer = SAM(PESG(net.parameters(), loss), 0.5, network=net, loss=loss)
    train_on(net, loss, optimizer, [(features, targets)])
    assert int(net.norm.num_batches_tracked) == 1
    for name, buffer in reference.named_buffers():
        assert torch.equal(net.get_buffer(name), buffer), name


@pytest.mark.parametrize(
    "make",
    [
        lambda: PairwiseAUCLoss(memory=20),
        lambda: PartialAUCLoss(num_samples=12, max_fpr=0.5),
    ],
)
def test_states_of_the_loss_are_those_of_one_pass_near_the_weights(make):
    torch.manual_seed(0)
    net, loss = nn.Linear(4, 1), make()
    reference = copy.deepcopy(loss)
    features, targets = next(iter(batches_of(1)))
    features, index, scores = features.float(), torch.arange(12), []
    optimizer = SAM(torch.optim.SGD(net.parameters(), lr=0.1), 0.5, loss=loss)

    def closure():
        optimizer.zero_grad()
        scores.append(net(features))
        value = loss(scores[-1], targets, index)
        value.backward()
        return value

    optimizer.step(closure)
    reference(scores[-1].detach().requires_grad_(), targets, index)
    assert not torch.equal(scores[0], scores[1])
    for name, buffer in reference.named_buffers():
        torch.testing.assert_close(loss.get_buffer(name), buffer, rtol=0, atol=0, equal_nan=True, msg=name)


@pytest.mark.parametrize("form", ["sam_pesg", "sam_minmax"])
def test_no_step_reads_a_value_back(form, monkeypatch):
    """A meta tensor has no value, so it stands for a device where reading one would wait."""
    monkeypatch.setattr(nn.Module, "double", lambda module: module)
    # Torch's own AdamW, unless fused, keeps its step count on the CPU; fused it knows no meta tensors.
    where = torch.device("meta") if form == "sam_minmax" else FakeTensorMode()
    with where:
        net, loss, optimizer = parts_of(form)
        params = [*net.parameters(), *loss.parameters()]

        def closure():
            for param in params:
                param.grad = torch.ones_like(param)
            return 0.0

        for _ in range(3):
            optimizer.step(closure)


def test_what_cannot_be():
    weight = nn.Parameter(torch.ones(1))
    for radius in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="radius"):
            SAM(torch.optim.SGD([weight], lr=0.1), radius)
    with pytest.raises(ValueError, match=r"step\(closure\)"):
        SAM(torch.optim.SGD([weight], lr=0.1)).step()
    with pytest.raises(ValueError, match="phases"):
        SAM(torch.optim.SGD([weight], lr=0.1), loss=CompositionalAUCLoss())
    with pytest.raises(ValueError, match="phases"):
        SAM(FORMS["pdsca"]([weight], CompositionalAUCLoss()))


def test_a_gradient_of_zero_moves_nothing():
    weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = SAM(torch.optim.SGD([weight], lr=0.1), 0.5)
    optimizer.step(quadratic(weight, optimizer))
    assert torch.equal(weight, torch.zeros(3))
