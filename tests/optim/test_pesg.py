import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from medauc.losses import AUCMLoss, MultiLabelAUCMLoss
from medauc.optim import PESG

STYLES = ["torch", "libauc"]


def network(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).to(dtype)


def batches(count, size=12, dtype=torch.float64):
    generator = torch.Generator().manual_seed(7)
    for _ in range(count):
        features = torch.randn(size, 4, generator=generator, dtype=dtype)
        yield features, (torch.arange(size) % 3 == 0).long()


def train(net, loss, optimizer, data):
    for features, targets in data:
        optimizer.zero_grad()
        loss(net(features), targets).backward()
        optimizer.step()


def setup(style="torch", **options):
    net, loss = network(), AUCMLoss(version="v2").double()
    return net, loss, PESG(net.parameters(), loss, momentum_style=style, **options)


def values(*modules):
    return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])


class NumpyPESG:
    """The recursion as the paper and LibAUC state it, one term at a time; v is weights, a, b in one array."""

    def __init__(self, v, alpha, lr, mu, style, epoch_decay, weight_decay, clip, margin):
        self.v, self.alpha, self.lr, self.mu, self.style = v.copy(), alpha, lr, mu, style
        self.epoch_decay, self.weight_decay, self.clip, self.margin = epoch_decay, weight_decay, clip, margin
        self.reference, self.visited, self.buffer = v.copy(), [], None

    def step(self, gradient, dual_gradient):
        pull = self.epoch_decay * (self.v - self.reference) + self.weight_decay * self.v
        d = np.minimum(np.maximum(gradient, -self.clip), self.clip) + pull
        self.v = self.v - self.lr * self.averaged(d)
        self.visited.append(self.v)
        if self.style == "torch":
            self.alpha = max(0.0, self.alpha + self.lr * dual_gradient)
        else:
            a, b = self.v[-2:]
            plug_in = self.alpha + self.lr * (2 * (self.margin + b - a) - 2 * self.alpha)
            self.alpha = min(max(plug_in, 0.0), 999.0)

    def averaged(self, d):
        if self.buffer is None:
            self.buffer = d
        elif self.style == "torch":
            self.buffer = self.mu * self.buffer + d
        else:
            self.buffer = (1 - self.mu) * self.buffer + self.mu * d
        return self.buffer if self.mu else d

    def end_stage(self, factor):
        self.lr /= factor
        self.reference, self.visited = sum(self.visited) / len(self.visited), []


class NumpyAdamPESG(NumpyPESG):
    """Adam as Kingma and Ba state it, on PESG's direction; the ascent stays as it is."""

    def __init__(self, *arguments, betas, eps):
        super().__init__(*arguments)
        self.betas, self.eps, self.moments, self.steps = betas, eps, [0.0, 0.0], 0

    def averaged(self, d):
        self.steps += 1
        for order, beta in enumerate(self.betas):
            self.moments[order] = beta * self.moments[order] + (1 - beta) * d ** (order + 1)
        first, second = (m / (1 - beta**self.steps) for m, beta in zip(self.moments, self.betas, strict=True))
        return first / (np.sqrt(second) + self.eps)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("momentum", [0.0, 0.7, "adam"])
@pytest.mark.parametrize(("epoch_decay", "clip_value"), [(0.0, 1.0), (0.05, 0.02), (0.05, math.inf)])
def test_trajectory_is_that_of_an_independent_recursion(style, momentum, epoch_decay, clip_value):
    options = {"lr": 0.2, "epoch_decay": epoch_decay, "clip_value": clip_value}
    adam = {"betas": (0.8, 0.95), "eps": 1e-3} if momentum == "adam" else {}
    options |= {"mode": "adam", **adam} if adam else {"momentum": momentum}
    net, loss, optimizer = setup(style, weight_decay=0.01, **options)
    start = torch.cat([values(net), loss.a.detach()[None], loss.b.detach()[None]]).numpy()
    kind = NumpyAdamPESG if adam else NumpyPESG
    expected = kind(start, 0.0, 0.2, momentum, style, epoch_decay, 0.01, clip_value, 1.0, **adam)
    for step, (features, targets) in enumerate(batches(60)):
        optimizer.zero_grad()
        loss(net(features), targets).backward()
        descended = [*net.parameters(), loss.a, loss.b]
        gradient = torch.cat([p.grad.flatten() for p in descended]).numpy()
        expected.step(gradient, loss.alpha.grad.item())
        optimizer.step()
        if step in (19, 39):
            optimizer.end_stage(lr_factor=2)
            expected.end_stage(2)
        np.testing.assert_allclose(
            torch.cat([p.detach().flatten() for p in descended]), expected.v, atol=1e-12
        )
        assert loss.alpha.item() == pytest.approx(expected.alpha, abs=1e-12)
    assert loss.alpha > 0.05 or adam


def test_adam_form_without_a_loss_is_torchs_adam():
    net, other = network(), network()
    options = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 1e-3}
    ours = PESG(net.parameters(), mode="adam", epoch_decay=0.0, clip_value=math.inf, **options)
    for model, optimizer in ((net, ours), (other, torch.optim.Adam(other.parameters(), **options))):
        train(model, lambda h, y: (h.squeeze(1) - y).square().mean(), optimizer, batches(20))
    torch.testing.assert_close(values(net), values(other), rtol=1e-12, atol=1e-12)


def test_alpha_ascends_plainly_in_adam_form_at_its_own_rate():
    net, loss, optimizer = setup(mode="adam", lr=1e-3, loss_lr=0.3)
    for data in batches(5):
        before = loss.alpha.item()
        train(net, loss, optimizer, [data])
        assert loss.alpha.item() == pytest.approx(max(0.0, before + 0.3 * loss.alpha.grad.item()))
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 0.3, 0.3]
    assert set(optimizer.state[net[0].weight]) == {"exp_avg", "exp_avg_sq", "step", "reference", "average"}
    assert not optimizer.state.get(loss.alpha)


def test_margin_of_the_plug_in_step_can_be_set():
    alphas = []
    for margin in (None, 0.5):
        net, loss, optimizer = setup("libauc", margin=margin, lr=0.1)
        train(net, loss, optimizer, batches(1))
        alphas.append(loss.alpha.item() - 0.2 * (loss.b - loss.a).item())
    assert alphas == pytest.approx([0.2, 0.1])


def test_reference_starts_at_v_0_and_moves_to_the_average():
    """LibAUC starts it with random noise."""
    net, loss, optimizer = setup()
    start = [p.detach().clone() for p in net.parameters()]
    visited = []
    for data in batches(5):
        train(net, loss, optimizer, [data])
        visited.append([p.detach().clone() for p in net.parameters()])
        for p, first in zip(net.parameters(), start, strict=True):
            assert torch.equal(optimizer.state[p]["reference"], first)
    optimizer.end_stage()
    for i, p in enumerate(net.parameters()):
        average = torch.stack([iterate[i] for iterate in visited]).mean(0)
        torch.testing.assert_close(optimizer.state[p]["reference"], average)


def test_end_stage_divides_every_rate_and_refuses_nonsense():
    _, _, optimizer = setup(lr=0.4)
    optimizer.end_stage(lr_factor=4)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1, 0.1]
    with pytest.raises(ValueError, match="lr_factor"):
        optimizer.end_stage(lr_factor=0)


def test_layer_unfrozen_within_a_stage_has_been_constant_before():
    net, loss, optimizer = setup()
    late = net[0].weight
    visited = []
    for step, data in enumerate(batches(6)):
        late.requires_grad_(step >= 3)
        late.grad = None
        train(net, loss, optimizer, [data])
        visited.append(late.detach().clone())
    optimizer.end_stage()
    torch.testing.assert_close(optimizer.state[late]["reference"], torch.stack(visited).mean(0))


def test_no_epoch_decay_keeps_no_reference():
    net, loss, optimizer = setup(epoch_decay=0.0)
    train(net, loss, optimizer, batches(2))
    assert all(set(state) == {"momentum_buffer"} for state in optimizer.state.values())


def test_param_groups_have_their_own_options():
    net, loss = network(), AUCMLoss().double()
    groups = [
        {"params": net[0].parameters(), "lr": 0.0},
        {"params": net[2].parameters(), "weight_decay": 0.3},
    ]
    optimizer = PESG(groups, loss, lr=0.1)
    frozen, moved = values(net[0]), values(net[2])
    train(net, loss, optimizer, batches(3))
    assert torch.equal(values(net[0]), frozen)
    assert not torch.equal(values(net[2]), moved)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [1e-5, 0.3, 1e-5, 1e-5]
    assert "params" in groups[0]


def test_loss_variables_among_the_params_are_taken_once():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.loss = network(), AUCMLoss(version="v2").double()

    both, (net, loss, reference) = Both(), setup()
    optimizer = PESG(both.parameters(), both.loss)
    assert [len(group["params"]) for group in optimizer.param_groups] == [4, 2, 1]
    train(both.net, both.loss, optimizer, batches(10))
    train(net, loss, reference, batches(10))
    assert torch.equal(values(both), values(net, loss))
    assert both.loss.alpha > 0


def test_group_added_later_joins():
    net, loss = network(), AUCMLoss().double()
    optimizer = PESG(net[2].parameters(), loss)
    train(net, loss, optimizer, batches(2))
    start = values(net[0])
    optimizer.add_param_group({"params": net[0].parameters(), "lr": 0.5})
    train(net, loss, optimizer, batches(2))
    assert not torch.equal(values(net[0]), start)


@pytest.mark.parametrize("style", STYLES)
def test_scheduler_scales_the_dual_step_too(style):
    net, loss, optimizer = setup(style, lr=1.0)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: 0.1 if step == 0 else 0.0)
    train(net, loss, optimizer, batches(1))
    alpha, weights = loss.alpha.item(), values(net, loss)
    assert alpha == pytest.approx(0.2, rel=0.2)
    scheduler.step()
    train(net, loss, optimizer, batches(3))
    assert torch.equal(values(net, loss), weights)


def test_closure_is_called_once_with_gradients_on():
    net, loss, optimizer = setup()
    (features, targets), calls = next(batches(1)), []

    def closure():
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        value = loss(net(features), targets)
        value.backward()
        return value

    before = values(net)
    assert optimizer.step(closure).item() == pytest.approx(calls and loss_at_start(features, targets))
    assert calls == [True]
    assert not torch.equal(values(net), before)


def loss_at_start(features, targets):
    net, loss, _ = setup()
    return loss(net(features), targets).item()


def test_gradients_are_left_as_they_were():
    net, loss, optimizer = setup(clip_value=1e-3)
    features, targets = next(batches(1))
    loss(net(features), targets).backward()
    before = [p.grad.clone() for p in net.parameters()]
    optimizer.step()
    assert all(torch.equal(p.grad, old) for p, old in zip(net.parameters(), before, strict=True))
    optimizer.zero_grad()
    assert loss.alpha.grad is None


def test_params_without_gradient_are_skipped():
    net, loss, optimizer = setup()
    net[0].requires_grad_(False)
    start = values(net[0])
    train(net, loss, optimizer, batches(3))
    assert torch.equal(values(net[0]), start)
    assert not any(p in optimizer.state for p in net[0].parameters())


@pytest.mark.parametrize("style", STYLES)
def test_memory_layout_of_gradients_does_not_matter(style):
    """Fused kernels walk memory, so a gradient laid out unlike its parameter would be scrambled."""
    weight = torch.arange(24, dtype=torch.float64).reshape(2, 3, 2, 2)
    gradient = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(2, 3, 2, 2)
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        p = nn.Parameter(weight.clone())
        optimizer = PESG([p], momentum_style=style)
        for _ in range(3):
            p.grad = gradient.contiguous(memory_format=layout)
            optimizer.step()
        results.append(p.detach())
    assert torch.equal(*results)


def test_large_and_small_params_in_several_buckets_are_treated_alike(monkeypatch):
    results = []
    for limit in (1, 7, 2**20):
        monkeypatch.setattr("medauc.optim.proximal._BUCKET_ELEMENTS", limit)
        net, loss, optimizer = setup(epoch_decay=0.1)
        train(net, loss, optimizer, batches(10))
        results.append(values(net, loss))
    assert all(torch.equal(result, results[0]) for result in results)


def test_number_of_calls_into_torch_does_not_grow_with_the_number_of_params():
    def calls(count):
        params = [nn.Parameter(torch.ones(3)) for _ in range(count)]
        optimizer = PESG(params)
        for _ in range(2):
            for p in params:
                p.grad = torch.ones(3)
            with torch.profiler.profile() as profile:
                optimizer.step()
        return sum(
            event.name.startswith("aten::_foreach") or "fused" in event.name for event in profile.events()
        )

    assert calls(40) == calls(4) > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_dtypes_and_mixed_ones(dtype):
    net, loss = network(dtype=dtype), AUCMLoss()
    net[2].float()
    optimizer = PESG(net.parameters(), loss)
    for features, targets in batches(4, dtype=dtype):
        optimizer.zero_grad()
        loss(net[2](net[:2](features).float()), targets).backward()
        optimizer.step()
    assert net[0].weight.dtype == dtype
    assert values(net, loss).isfinite().all()


def test_without_a_loss_it_is_sgd():
    net, other = network(), network()
    ours = PESG(
        net.parameters(), lr=0.1, momentum=0.9, epoch_decay=0.0, weight_decay=1e-3, clip_value=math.inf
    )
    sgd = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    for model, optimizer in ((net, ours), (other, sgd)):
        train(model, lambda h, y: (h.squeeze(1) - y).square().mean(), optimizer, batches(20))
    torch.testing.assert_close(values(net), values(other), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_variables_reach_the_saddle_point_of_fixed_scores(style):
    scores, targets = torch.randn(40, dtype=torch.float64), torch.arange(40) % 4 == 0
    loss = AUCMLoss(version="v2", margin=2.0).double()
    optimizer = PESG(
        [nn.Parameter(torch.zeros(1))], loss, momentum_style=style, epoch_decay=0.0, weight_decay=0.0
    )
    for _ in range(300):
        optimizer.zero_grad()
        loss(scores, targets).backward()
        optimizer.step()
    for found, exact in zip((loss.a, loss.b, loss.alpha), loss.saddle_point(scores, targets), strict=True):
        torch.testing.assert_close(found.detach(), exact, atol=1e-3, rtol=0)


@pytest.mark.parametrize("style", STYLES)
def test_alpha_never_becomes_negative(style):
    scores, targets = torch.tensor([9.0, -9.0]), torch.tensor([1, 0])
    loss = AUCMLoss(version="v2", margin=0.1)
    with torch.no_grad():
        loss.a.fill_(1.0)
        loss.alpha.fill_(0.05)
    optimizer = PESG([nn.Parameter(torch.zeros(1))], loss, momentum_style=style)
    for _ in range(5):
        optimizer.zero_grad()
        loss(scores, targets).backward()
        optimizer.step()
        assert loss.alpha >= 0
    assert loss.alpha == 0


@pytest.mark.parametrize("style", STYLES)
def test_one_alpha_a_label(style):
    net, loss = nn.Linear(4, 2).double(), MultiLabelAUCMLoss(2, version="v2").double()
    optimizer = PESG(net.parameters(), loss, momentum_style=style)
    for features, targets in batches(20):
        optimizer.zero_grad()
        loss(net(features), torch.stack([targets, -torch.ones_like(targets)], 1)).backward()
        optimizer.step()
    assert loss.alpha[0] > 0.1
    if style == "torch":
        assert loss.alpha[1] == 0


@pytest.mark.parametrize("options", [{"lr": 0.1}, {"lr": 0.01, "mode": "adam", "loss_lr": 0.1}])
def test_learns_to_rank(options):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(300, 4, generator=generator)
    targets = (features[:, 0] + 0.5 * features[:, 1] > 1).long()
    net, loss = network(dtype=torch.float32), AUCMLoss(version="v2")
    optimizer = PESG(net.parameters(), loss, **options)
    train(net, loss, optimizer, [(features, targets)] * 200)
    scores = net(features).squeeze(1)
    assert (scores[targets == 1][:, None] > scores[targets == 0]).float().mean() > 0.97


@pytest.mark.parametrize(
    "options",
    [
        {"lr": -1.0},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"momentum": 1.1, "momentum_style": "libauc"},
        {"momentum_style": "nesterov"},
        {"epoch_decay": -1.0},
        {"weight_decay": -1.0},
        {"clip_value": 0.0},
        {"mode": "rmsprop"},
        {"betas": (0.9, 1.0), "mode": "adam"},
        {"eps": -1.0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PESG(network().parameters(), **options)


def test_loss_without_variables_is_refused():
    with pytest.raises(ValueError, match="BCEWithLogitsLoss"):
        PESG(network().parameters(), nn.BCEWithLogitsLoss())


def test_libauc_style_needs_a_margin():
    loss = AUCMLoss()
    del loss.margin
    with pytest.raises(ValueError, match="margin"):
        PESG(network().parameters(), loss, momentum_style="libauc")
    assert (
        PESG(network().parameters(), loss, momentum_style="libauc", margin=1.0).param_groups[-1]["margin"]
        == 1.0
    )
