"""What holds for every optimizer in each of its forms."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.optim import lr_scheduler

from fixtures.optimizers import FORMS, batches_of, end_stage, everything, parts_of, small_network, train_on
from medauc.optim import PESG, MinMax

every_form = pytest.mark.parametrize("form", FORMS)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@every_form
def test_resumed_training_is_bit_identical_and_leaves_the_state_dict_alone(form):
    data = list(batches_of(25))
    parts, others = parts_of(form), parts_of(form)
    scheduler = lr_scheduler.ExponentialLR(parts[2], 0.99)
    train_on(*parts, data[:6])
    end_stage(parts[2])
    train_on(*parts, data[6:12])
    scheduler.step()
    file = io.BytesIO()
    torch.save([part.state_dict() for part in parts], file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    untouched = copy.deepcopy(saved[2])
    train_on(*others, data[20:])  # state of its own, to be overwritten
    for part, state in zip(others, saved, strict=True):
        part.load_state_dict(state)
    for trained in (parts, others):
        train_on(*trained, data[12:18])
        end_stage(trained[2])
        train_on(*trained, data[18:])
    assert_same(everything(*parts), everything(*others))
    assert saved[2]["param_groups"] == untouched["param_groups"]
    for number, state in saved[2]["state"].items():
        assert_same(state, untouched["state"][number])


@every_form
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda parts: pickle.loads(pickle.dumps(parts))])
def test_copies_go_on_alike_and_apart(form, copied):
    parts = parts_of(form)
    train_on(*parts, batches_of(5))
    twins = copied(parts)
    before = everything(*parts)
    train_on(*twins, batches_of(5))
    assert_same(everything(*parts), before)
    train_on(*parts, batches_of(5))
    assert_same(everything(*parts), everything(*twins))
    assert not torch.equal(before["alpha"], parts[1].alpha)


@every_form
@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.5**step),
        lambda o: lr_scheduler.OneCycleLR(o, [g["lr"] for g in o.param_groups], 6, cycle_momentum=False),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
        lambda o: lr_scheduler.MultiStepLR(o, [1, 2]),
        lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0),
    ],
)
def test_schedulers_scale_all_groups_alike(form, make):
    parts = parts_of(form)
    initial = [group["lr"] for group in parts[2].param_groups]
    scheduler = make(parts[2])
    for data in batches_of(4):
        train_on(*parts, [data])
        scheduler.step(*([1.0] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []))
    shares = [group["lr"] / start for group, start in zip(parts[2].param_groups, initial, strict=True)]
    assert shares == pytest.approx(shares[:1] * len(shares))
    assert shares[0] != pytest.approx(1.0)


@every_form
def test_a_rate_of_zero_stands_still(form):
    parts = parts_of(form)
    train_on(*parts, batches_of(3))
    before = everything(*parts)
    for group in parts[2].param_groups:
        group["lr"] = 0.0
    train_on(*parts, batches_of(3))
    after = everything(*parts)
    still = [name for name in after if not name[0].isdigit()]
    assert_same({name: after[name] for name in still}, {name: before[name] for name in still})


def fused_adamw(params, loss):
    return MinMax(torch.optim.AdamW(params, lr=0.01, fused=True), loss)


# Torch's own AdamW, unless fused, reads its step count, which it keeps on the CPU; fused it knows no meta tensors.
# SAM, which steps with a closure only, has a test of its own.
STEPPED = [form for form in FORMS if not form.startswith("sam")]
WITHOUT_VALUES = [(form, "meta") for form in STEPPED]
WITHOUT_VALUES += [(form, "cpu") for form in [*STEPPED, "minmax_fused"] if form != "minmax_adamw"]


@pytest.mark.parametrize(("form", "device"), WITHOUT_VALUES)
def test_step_never_reads_a_value_back(form, device, monkeypatch):
    """A fake CPU tensor has no value to read, and a meta one stands for a device where reading would wait."""
    monkeypatch.setitem(FORMS, "minmax_fused", fused_adamw)
    monkeypatch.setattr(nn.Module, "double", lambda module: module)  # which fake parameters do not allow
    with FakeTensorMode() if device == "cpu" else torch.device(device):
        net, loss, optimizer = parts_of(form)
        for _ in range(4):
            for p in (*net.parameters(), *loss.parameters()):
                p.grad = torch.ones_like(p)
            optimizer.step()
        end_stage(optimizer)
    assert all(p.device.type == device for p in net.parameters())


def test_the_check_above_would_notice(monkeypatch):
    monkeypatch.setattr(PESG, "_descend", lambda self, group: group["params"][0].sum().item())
    with FakeTensorMode():
        optimizer = PESG([nn.Parameter(torch.zeros(2))])
        with pytest.raises(DataDependentOutputException):
            optimizer.step()


@every_form
def test_compiled_network_trains_as_the_plain_one(form):
    compiled = torch.compile(small_network(), backend="aot_eager")
    results = []
    for net in (None, compiled):
        parts = parts_of(form, net)
        train_on(*parts, batches_of(6))
        results.append(torch.cat([p.detach().flatten() for part in parts[:2] for p in part.parameters()]))
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)
    assert parts[1].alpha > 0


@every_form
def test_learns_to_rank_with_batch_normalisation(form):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(400, 4, generator=generator, dtype=torch.float64)
    noise = 0.3 * torch.randn(400, generator=generator, dtype=torch.float64)
    targets = features[:, 0] + 0.5 * features[:, 1] + noise > 1
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1)).double()
    parts = parts_of(form, net)
    train_on(*parts, [(features[:300], targets[:300])] * 150)
    scores, unseen = net.eval()(features[300:]).squeeze(1), targets[300:]
    assert (scores[unseen][:, None] > scores[~unseen]).double().mean() > 0.93
