import pytest
import torch
from monai.losses import AUCMLoss as MonaiAUCMLoss
from torch import nn
from torch.optim import lr_scheduler

from medauc.losses import AUCMLoss
from medauc.optim import PESG, MinMax


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def data(size=200):
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(size, 4, generator=generator)
    return features, (features[:, 0] + 0.5 * features[:, 1] > 1).float()[:, None]


def train(net, loss, optimizer, steps):
    features, targets = data()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(
            net(features).sigmoid() if isinstance(loss, MonaiAUCMLoss) else net(features), targets
        ).backward()
        optimizer.step()


def setup(kind=torch.optim.AdamW, loss_lr=None, **options):
    net, loss = network(), AUCMLoss(version="v2")
    return net, loss, MinMax(kind(net.parameters(), **options), loss, loss_lr)


def values(*modules):
    return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])


def auc(net):
    features, targets = data()
    scores, positive = net(features).squeeze(1), targets.squeeze(1) == 1
    return (scores[positive][:, None] > scores[~positive]).float().mean().item()


def test_sgd_is_plain_descent_ascent():
    net, loss, optimizer = setup(torch.optim.SGD, lr=0.3)
    for _ in range(10):
        features, targets = data()
        optimizer.zero_grad()
        loss(net(features), targets).backward()
        expected = [p - 0.3 * p.grad for p in (*net.parameters(), loss.a, loss.b)]
        dual = (loss.alpha + 0.3 * loss.alpha.grad).clamp(min=0)
        optimizer.step()
        for p, value in zip((*net.parameters(), loss.a, loss.b, loss.alpha), (*expected, dual), strict=True):
            torch.testing.assert_close(p, value)
    assert loss.alpha > 0


@pytest.mark.parametrize("options", [{"foreach": True}, {"fused": True}, {"foreach": False}])
def test_adamw_learns_to_rank_and_alpha_nears_its_closed_form(options):
    net, loss, optimizer = setup(lr=0.02, **options)
    train(net, loss, optimizer, 250)
    exact = loss.saddle_point(net(data()[0]), data()[1])
    assert auc(net) > 0.97
    torch.testing.assert_close(loss.alpha.detach(), exact.alpha, atol=0.05, rtol=0)
    assert loss.alpha > 0


def blobs(size, seed):
    """Noisy images, a quarter of them with a faint blob in the middle."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.rand(size, generator=generator) < 0.25
    across = torch.arange(12) - 5.5
    blob = torch.exp(-(across[:, None] ** 2 + across**2) / 8)
    return torch.randn(size, 1, 12, 12, generator=generator) + 0.8 * blob * targets[
        :, None, None, None
    ], targets


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_monais_loss_trains_although_it_collapses_under_adam_alone(version):
    (images, targets), (unseen, truth) = blobs(400, seed=0), blobs(400, seed=1)
    alphas, validation = {}, {}
    for name in ("alone", "minmax"):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(24, 1), nn.Sigmoid()
        )
        loss = MonaiAUCMLoss(version=version)
        optimizer = torch.optim.Adam([*net.parameters(), *loss.parameters()], lr=0.01)
        if name == "minmax":
            optimizer = MinMax(optimizer, loss, loss_lr=0.02)
        for step in range(150):
            batch = torch.arange(64 * step, 64 * step + 64) % len(images)
            optimizer.zero_grad()
            loss(net(images[batch]), targets[batch, None].float()).backward()
            optimizer.step()
        scores = net(unseen).squeeze(1)
        validation[name] = (scores[truth][:, None] > scores[~truth]).float().mean().item()
        alphas[name] = loss.alpha.item()
    assert alphas["alone"] < -1
    assert validation["alone"] < 0.2
    assert alphas["minmax"] > 0
    assert validation["minmax"] > 0.85


def test_variables_join_without_weight_decay_and_only_once():
    net, loss = network(), AUCMLoss()
    optimizer = MinMax(torch.optim.AdamW([*net.parameters(), *loss.parameters()], lr=0.1), loss, loss_lr=0.5)
    assert [len(group["params"]) for group in optimizer.param_groups] == [6, 1]
    _, loss, optimizer = setup(lr=0.1)
    assert [len(group["params"]) for group in optimizer.param_groups] == [4, 2, 1]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0, 0.0]
    assert [group["maximize"] for group in optimizer.param_groups] == [False, False, True]


def test_rate_of_the_loss_variables():
    _, _, optimizer = setup(lr=0.1, loss_lr=0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5, 0.5]


def test_alpha_never_becomes_negative():
    loss = AUCMLoss(version="v2", margin=0.1)
    with torch.no_grad():
        loss.alpha.fill_(0.02)
    optimizer = MinMax(torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.1), loss)
    for _ in range(5):
        optimizer.zero_grad()
        loss(torch.tensor([9.0, -9.0]), torch.tensor([1, 0])).backward()
        optimizer.step()
        assert loss.alpha >= 0


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize("on_inner", [False, True])
def test_schedulers_drive_both(make, on_inner):
    net, loss, optimizer = setup(make, lr=0.1)
    scheduler = lr_scheduler.LambdaLR(
        optimizer.optimizer if on_inner else optimizer, lambda step: float(step == 0)
    )
    train(net, loss, optimizer, 1)
    scheduler.step()
    stopped = values(net, loss)
    assert [group["lr"] for group in optimizer.optimizer.param_groups] == [0.0, 0.0, 0.0]
    train(net, loss, optimizer, 2)
    assert torch.equal(values(net, loss), stopped)


def test_one_cycle_works():
    net, loss, optimizer = setup(lr=0.1)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=[0.01, 0.01, 0.1], total_steps=20)
    for _ in range(20):
        train(net, loss, optimizer, 1)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates[2] == pytest.approx(10 * rates[0])
        if scheduler.last_epoch < 19:
            scheduler.step()
    assert values(net, loss).isfinite().all()


def test_group_added_later_joins_the_wrapped_optimizer():
    net, loss = network(), AUCMLoss()
    optimizer = MinMax(torch.optim.SGD(net[2].parameters(), lr=0.1), loss)
    optimizer.add_param_group({"params": net[0].parameters()})
    start = values(net[0])
    train(net, loss, optimizer, 1)
    assert not torch.equal(values(net[0]), start)


def test_closure_may_be_called_as_often_as_the_optimizer_likes():
    net, loss, optimizer = setup(torch.optim.SGD, lr=0.1)
    features, targets = data()

    def closure():
        optimizer.zero_grad()
        value = loss(net(features), targets)
        value.backward()
        return value

    assert optimizer.step(closure) > 0
    assert loss.alpha > 0


@pytest.mark.parametrize("wrapped", [PESG, torch.optim.LBFGS])
def test_optimizer_that_cannot_maximise_is_refused(wrapped):
    with pytest.raises(ValueError, match="maximize"):
        MinMax(wrapped(network().parameters()), AUCMLoss())


def test_loss_without_variables_is_refused():
    with pytest.raises(ValueError, match="not a min-max loss"):
        MinMax(torch.optim.SGD(network().parameters()), nn.BCEWithLogitsLoss())
