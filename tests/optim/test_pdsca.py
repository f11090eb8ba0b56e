import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from medauc.losses import AUCMLoss, CompositionalAUCLoss
from medauc.optim import PDSCA, PESG, MinMax

MARGIN = 1.5


def linear():
    torch.manual_seed(1)
    return nn.Linear(3, 1).double()


def setup(net=None, **options):
    net = linear() if net is None else net
    loss = CompositionalAUCLoss(version="v2", margin=MARGIN, activation="none").double()
    return net, loss, PDSCA(net.parameters(), loss, **options)


def batches(count, size=15):
    generator = torch.Generator().manual_seed(5)
    for _ in range(count):
        yield torch.randn(size, 3, generator=generator, dtype=torch.float64), torch.arange(size) % 3 == 0


def closure_of(net, loss, optimizer, features, targets):
    def closure():
        optimizer.zero_grad()
        value = loss(net(features), targets)
        value.backward()
        return value

    return closure


def cycles(net, loss, optimizer, data):
    return [optimizer.step(closure_of(net, loss, optimizer, *batch)) for batch in data]


def phases(net, loss, optimizer, data):
    """One phase a step, as in a loop without closures."""
    for batch in data:
        closure_of(net, loss, optimizer, *batch)()
        optimizer.step()


def values(*modules):
    return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])


class NumpyPDSCA:
    """The paper's recursion for a linear model, with gradients written out by hand; w holds weight and bias."""

    def __init__(self, w, lr, inner_lr, inner_steps, beta0, beta1, epoch_decay, weight_decay, clip):
        self.v, self.u, self.z, self.alpha = np.append(w, [0.0, 0.0]), w.copy(), None, 0.0
        self.lr, self.inner_lr, self.inner_steps, self.clip = lr, inner_lr, inner_steps, clip
        self.beta0, self.beta1, self.decays = beta0, beta1, (epoch_decay, weight_decay)
        self.reference, self.visited = self.v.copy(), []

    def cycle(self, features, targets):
        x, n, n_positive = np.c_[features, np.ones(len(features))], len(targets), targets.sum()
        y = self.v[:-2].copy()
        for _ in range(self.inner_steps):
            entropy_gradient = x.T @ (1 / (1 + np.exp(-x @ y)) - targets) / n
            y -= self.inner_lr * np.clip(entropy_gradient, -self.clip, self.clip)
        self.u = (1 - self.beta0) * self.u + self.beta0 * y
        h, (a, b) = x @ self.u, self.v[-2:]
        by_score = np.where(
            targets, 2 * (h - a - self.alpha) / n_positive, 2 * (h - b + self.alpha) / (n - n_positive)
        )
        mean, other_mean = h[targets].mean(), h[~targets].mean()
        g = np.clip(np.append(x.T @ by_score, [2 * (a - mean), 2 * (b - other_mean)]), -self.clip, self.clip)
        self.z = g if self.z is None else (1 - self.beta1) * self.z + self.beta1 * g
        pull = self.decays[0] * (self.v - self.reference) + self.decays[1] * self.v
        self.v = self.v - self.lr * (self.z + pull)
        self.alpha = max(0.0, self.alpha + self.lr * 2 * (MARGIN + other_mean - mean - self.alpha))
        self.visited.append(self.v)

    def end_stage(self, factor):
        self.lr /= factor
        self.reference, self.visited = sum(self.visited) / len(self.visited), []


@pytest.mark.parametrize("inner_steps", [1, 3])
@pytest.mark.parametrize(("beta0", "beta1"), [(1.0, 1.0), (0.6, 0.3)])
@pytest.mark.parametrize(("epoch_decay", "clip_value"), [(0.0, math.inf), (0.05, 0.1)])
def test_trajectory_is_that_of_an_independent_recursion(inner_steps, beta0, beta1, epoch_decay, clip_value):
    options = {"lr": 0.1, "inner_lr": 0.3, "inner_steps": inner_steps, "beta0": beta0, "beta1": beta1}
    options |= {"epoch_decay": epoch_decay, "weight_decay": 0.01}
    net, loss, optimizer = setup(clip_value=clip_value, **options)
    expected = NumpyPDSCA(values(net).numpy(), clip=clip_value, **options)
    for step, (features, targets) in enumerate(batches(40)):
        cycles(net, loss, optimizer, [(features, targets)])
        expected.cycle(features.numpy(), targets.numpy())
        if step in (14, 29):
            optimizer.end_stage(lr_factor=2)
            expected.end_stage(2)
        found = torch.cat([values(net), loss.a.detach()[None], loss.b.detach()[None]])
        np.testing.assert_allclose(found, expected.v, atol=1e-12)
        assert loss.alpha.item() == pytest.approx(expected.alpha, abs=1e-12)
    assert loss.alpha > 0.1


def test_without_look_ahead_and_averages_it_is_pesg_without_momentum():
    net, loss, optimizer = setup(inner_lr=0.0, beta0=1.0, beta1=1.0, epoch_decay=0.02)
    other, plain = linear(), AUCMLoss(version="v2", margin=MARGIN, activation="none").double()
    reference = PESG(other.parameters(), plain, momentum=0.0, epoch_decay=0.02)
    cycles(net, loss, optimizer, batches(20))
    cycles(other, plain, reference, batches(20))
    torch.testing.assert_close(values(net, loss), values(other, plain), rtol=0, atol=1e-12)


@pytest.mark.parametrize("inner_steps", [1, 2])
def test_inner_phase_recurs_for_ever(inner_steps):
    """LibAUC's optimizer takes every step after the first outer one for an outer one."""
    net, loss, optimizer = setup(inner_steps=inner_steps)
    seen = []
    for features, targets in batches(12 * (inner_steps + 1)):
        seen.append(loss.phase)
        before = values(net)
        scores = net(features).squeeze(1)
        entropy = nn.functional.binary_cross_entropy_with_logits(scores, targets.double())
        loss.zero_grad()
        optimizer.zero_grad()
        value = loss(scores, targets)
        assert torch.isclose(value, entropy) == (loss.phase == "inner")
        value.backward()
        optimizer.step()
        assert not torch.equal(values(net), before)
    assert seen == (["inner"] * inner_steps + ["outer"]) * 12


def test_weights_between_cycles_are_w_and_amid_one_the_look_ahead():
    net, loss, optimizer = setup(lr=0.0, inner_lr=0.3)
    start, data = values(net), next(batches(1))
    phases(net, loss, optimizer, [data])
    ahead = values(net)
    assert not torch.allclose(ahead, start, atol=1e-3)
    state = [optimizer.state[p] for p in net.parameters()]
    assert torch.equal(torch.cat([s["lookahead"].flatten() for s in state]), ahead)
    assert torch.equal(torch.cat([s["weights"].flatten() for s in state]), start)
    phases(net, loss, optimizer, [data])
    assert torch.equal(values(net), start)
    assert all("weights" not in s for s in state)


def test_phase_by_phase_is_the_same_as_closures():
    data = list(batches(10))
    by_closure, by_phase = setup(inner_steps=2), setup(inner_steps=2)
    cycles(*by_closure, data)
    phases(*by_phase, [batch for batch in data for _ in range(3)])
    assert torch.equal(values(*by_closure[:2]), values(*by_phase[:2]))


def test_closure_finishes_a_cycle_begun_without_one():
    parts, (features, targets) = setup(inner_steps=2), next(batches(1))
    phases(*parts, [(features, targets)])
    seen = []

    def closure():
        seen.append((parts[1].phase, torch.is_grad_enabled()))
        return closure_of(*parts, features, targets)()

    value = parts[2].step(closure)
    assert seen == [("inner", True), ("outer", True)]
    assert value.item() > 0


def test_returned_value_is_the_auc_loss_at_the_look_ahead():
    net, loss, optimizer = setup(inner_lr=0.1, beta0=1.0, clip_value=math.inf)
    data = next(batches(1))
    probe, plain = linear(), AUCMLoss(version="v2", margin=MARGIN, activation="none").double()
    entropy = nn.functional.binary_cross_entropy_with_logits(probe(data[0]).squeeze(1), data[1].double())
    entropy.backward()
    with torch.no_grad():
        for p in probe.parameters():
            p -= 0.1 * p.grad
    (value,) = cycles(net, loss, optimizer, [data])
    torch.testing.assert_close(value, plain(probe(data[0]), data[1]))


def test_closure_need_not_clear_gradients():
    one, other, data = setup(), setup(), list(batches(4))
    cycles(*one, data)
    for features, targets in data:
        other[2].zero_grad()

        def closure(features=features, targets=targets):
            other[1](other[0](features), targets).backward()

        other[2].step(closure)
    assert torch.equal(values(*one[:2]), values(*other[:2]))


@pytest.mark.parametrize("done", [1, 2])
@pytest.mark.parametrize("how", ["state_dict", "deepcopy"])
def test_continues_bit_identically_amid_a_cycle(done, how):
    data = list(batches(30))
    parts = setup(inner_steps=2, epoch_decay=0.05)
    phases(*parts, data[: 9 + done])
    if how == "deepcopy":
        others = copy.deepcopy(parts)
    else:
        others = setup(inner_steps=2, epoch_decay=0.05)
        saved = copy.deepcopy([part.state_dict() for part in parts])
        for part, state in zip(others, saved, strict=True):
            part.load_state_dict(state)
    assert others[1].phase == parts[1].phase == ("inner" if done == 1 else "outer")
    phases(*parts, data[10:])
    phases(*others, data[10:])
    assert torch.equal(values(*parts[:2]), values(*others[:2]))


def test_failure_amid_a_cycle_leaves_it_to_be_finished():
    parts, untroubled, data = setup(), setup(), next(batches(1))
    calls = []

    def closure():
        calls.append(parts[1].phase)
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return closure_of(*parts, *data)()

    with pytest.raises(RuntimeError, match="out of memory"):
        parts[2].step(closure)
    parts[2].step(closure)
    cycles(*untroubled, [data])
    assert calls == ["inner", "outer", "outer"]
    assert torch.equal(values(*parts[:2]), values(*untroubled[:2]))


def deep():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def test_param_groups_have_their_own_options():
    net, loss, _ = setup(deep())
    groups = [{"params": net[0].parameters(), "lr": 0.0}, {"params": net[2].parameters(), "inner_lr": 0.0}]
    optimizer = PDSCA(groups, loss)
    first, last = values(net[0]), values(net[2])
    phases(net, loss, optimizer, batches(1))
    assert not torch.equal(values(net[0]), first)
    assert torch.equal(values(net[2]), last)
    phases(net, loss, optimizer, batches(1))
    assert torch.equal(values(net[0]), first)
    assert not torch.equal(values(net[2]), last)


@pytest.mark.parametrize("begun", [2, 3])
def test_layers_are_frozen_unfrozen_and_added_at_any_time(begun):
    net, loss = deep(), CompositionalAUCLoss(version="v2").double()
    net[2].bias.requires_grad_(False)
    optimizer = PDSCA(net[2].parameters(), loss)
    still = values(net[0])
    phases(net, loss, optimizer, batches(begun))
    assert torch.equal(values(net[0]), still)
    assert net[2].bias not in optimizer.state
    optimizer.add_param_group({"params": net[0].parameters()})
    net[2].bias.requires_grad_(True)
    net[2].weight.requires_grad_(False)
    net[2].weight.grad = None
    phases(net, loss, optimizer, batches(4 - begun))
    frozen, thawed = net[2].weight.clone(), values(net[0])
    phases(net, loss, optimizer, batches(4))
    assert torch.equal(net[2].weight, frozen)
    assert not torch.equal(values(net[0]), thawed)
    assert loss.phase == "inner"


def test_schedulers_and_stages_leave_the_objective_alone():
    parts = setup(lr=0.4, inner_lr=0.3)
    scheduler = lr_scheduler.ExponentialLR(parts[2], 0.5)
    cycles(*parts, batches(2))
    scheduler.step()
    parts[2].end_stage(lr_factor=4)
    assert [group["lr"] for group in parts[2].param_groups] == pytest.approx([0.05] * 3)
    assert {group["inner_lr"] for group in parts[2].param_groups} == {0.3}


@pytest.mark.parametrize(
    "options",
    [
        {"lr": -1.0},
        {"inner_lr": -0.1},
        {"inner_steps": 0},
        {"beta0": 0.0},
        {"beta1": 1.1},
        {"epoch_decay": -1.0},
        {"weight_decay": -1.0},
        {"clip_value": 0.0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        setup(**options)


def test_loss_without_phase_is_refused():
    with pytest.raises(ValueError, match="AUCMLoss has no phase"):
        PDSCA(linear().parameters(), AUCMLoss())


@pytest.mark.parametrize(
    "make", [PESG, lambda params, loss: MinMax(torch.optim.AdamW(params), loss)], ids=["pesg", "minmax"]
)
def test_other_optimizers_refuse_the_loss_whose_phase_they_would_never_turn(make):
    with pytest.raises(ValueError, match="PDSCA"):
        make(nn.Linear(2, 1).parameters(), CompositionalAUCLoss())
