import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from medauc.losses import (
    AUCMLoss,
    CompositionalAUCLoss,
    MultiLabelAUCMLoss,
    MultiLabelCompositionalAUCLoss,
    build,
    lookup,
)
from medauc.optim import PDSCA

VERSIONS = ["v1", "v2"]


def binary(scores, targets):
    known = targets >= 0
    if not known.any():
        return torch.zeros((), dtype=scores.dtype)
    return functional.binary_cross_entropy_with_logits(scores[known], targets[known].to(scores.dtype))


def filled(loss, **values):
    with torch.no_grad():
        for name, value in values.items():
            getattr(loss, name).fill_(value)
    return loss


@settings(max_examples=60)
@given(
    samples=st.lists(st.tuples(st.floats(-60, 60), st.sampled_from([0, 1, -1])), max_size=12),
    version=st.sampled_from(VERSIONS),
    activation=st.sampled_from(["sigmoid", "none"]),
)
def test_phases_are_cross_entropy_of_raw_scores_and_the_auc_margin_loss(samples, version, activation):
    scores = torch.tensor([s for s, _ in samples], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([y for _, y in samples], dtype=torch.long)
    options = {"version": version, "activation": activation, "margin": 0.7}
    variables = {"a": 0.4, "b": -0.2, "alpha": 0.6}
    loss = filled(CompositionalAUCLoss(**options).double(), **variables)
    auc = filled(AUCMLoss(**options).double(), **variables)
    for phase, reference in (("inner", binary), ("outer", auc)):
        loss.phase = phase
        value, expected = loss(scores, targets), reference(scores, targets)
        torch.testing.assert_close(value, expected)
        assert value.requires_grad
        (gradient,) = torch.autograd.grad(value, scores)
        if samples and (targets >= 0).any():
            torch.testing.assert_close(gradient, torch.autograd.grad(expected, scores)[0])
        assert gradient.isfinite().all()


def test_inner_gradient_survives_scores_whose_sigmoid_is_one():
    scores = torch.tensor([60.0, -60.0], requires_grad=True)
    CompositionalAUCLoss()(scores, torch.tensor([0, 1])).backward()
    torch.testing.assert_close(scores.grad, torch.tensor([0.5, -0.5]))


class ScoresAndLoss(nn.Module):
    """Network and loss in one module, as Lightning hands them to DistributedDataParallel."""

    def __init__(self):
        super().__init__()
        self.network, self.loss = nn.Linear(3, 1), CompositionalAUCLoss()

    def forward(self, features, targets):
        return self.loss(self.network(features), targets[:, None])


def test_inner_phase_asks_nothing_of_the_variables():
    step = ScoresAndLoss()
    step(torch.randn(4, 3), torch.tensor([0, 1, 1, 0])).backward()
    assert [p.grad for p in (step.loss.a, step.loss.b, step.loss.alpha)] == [None] * 3
    assert step.network.weight.grad.abs().sum() > 0


ONE_PROCESS = """
import os
import torch
from torch import distributed, nn
from medauc.losses import CompositionalAUCLoss

class ScoresAndLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.network, self.loss = nn.Linear(3, 1), CompositionalAUCLoss()

    def forward(self, features, targets):
        return self.loss(self.network(features), targets[:, None])

distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
step = nn.parallel.DistributedDataParallel(ScoresAndLoss())
for _ in range(2):  # the second call is where it notices
    step(torch.randn(4, 3), torch.tensor([0, 1, 1, 0])).backward()
loss = step.module.loss
print([p.grad.item() for p in (loss.a, loss.b, loss.alpha)], flush=True)
os._exit(0)  # taking the process group down may wait for ever
"""


def test_inner_phase_keeps_data_parallel_going():
    """It waits for the gradient of every parameter, with a single process too."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_PROCESS], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "[0.0, 0.0, 0.0]", done.stderr


@pytest.mark.parametrize("phase", ["inner", "outer"])
def test_evaluation_mode_is_always_the_auc_loss(phase):
    scores, targets = torch.randn(6), torch.arange(6) % 2
    loss = CompositionalAUCLoss(version="v2").eval()
    loss.phase = phase
    assert loss(scores, targets) == AUCMLoss(version="v2")(scores, targets)


def test_saddle_point_is_that_of_the_auc_loss_in_either_phase():
    scores, targets = torch.randn(6), torch.arange(6) % 2
    loss = CompositionalAUCLoss()
    expected = AUCMLoss().saddle_point(scores, targets)
    for phase in ("inner", "outer"):
        loss.phase = phase
        assert loss.saddle_point(scores, targets) == expected


def test_labels_of_the_multi_label_form():
    scores = torch.randn(7, 3, dtype=torch.float64)
    targets = torch.randint(-1, 2, (7, 3), generator=torch.Generator().manual_seed(0))
    loss = filled(MultiLabelCompositionalAUCLoss(3, version="v2").double(), a=0.6, b=0.1, alpha=0.3)
    torch.testing.assert_close(loss(scores, targets), binary(scores, targets))
    loss.phase = "outer"
    reference = filled(MultiLabelAUCMLoss(3, version="v2").double(), a=0.6, b=0.1, alpha=0.3)
    torch.testing.assert_close(loss(scores, targets), reference(scores, targets))


def test_multi_label_form_trains():
    torch.manual_seed(0)
    features = torch.randn(200, 4)
    targets = (features[:, :2] > 0.8).long()
    targets[::7, 0] = -1
    net, loss = torch.nn.Linear(4, 2), build("compositional", targets, version="v2")
    optimizer = PDSCA(net.parameters(), loss)

    def closure():
        optimizer.zero_grad()
        value = loss(net(features), targets)
        value.backward()
        return value

    for _ in range(60):
        optimizer.step(closure)
    for label in range(2):
        positive = features[:, label] > 0.8
        scores = net(features)[:, label]
        assert (scores[positive][:, None] > scores[~positive]).float().mean() > 0.95
    assert (loss.alpha > 0).all()


@pytest.mark.parametrize("phase", ["inner", "outer"])
def test_wrong_shapes_are_refused_in_either_phase(phase):
    for loss, labels in ((CompositionalAUCLoss(), 2), (MultiLabelCompositionalAUCLoss(2), 3)):
        loss.phase = phase
        with pytest.raises(ValueError, match=r"score|labels"):
            loss(torch.zeros(4, labels), torch.zeros(4, labels))


def test_options_and_state_are_those_of_the_auc_margin_loss():
    loss = CompositionalAUCLoss(margin=0.5, version="v1", prevalence=0.2, activation="none")
    assert loss.state_dict().keys() == AUCMLoss().state_dict().keys()
    AUCMLoss().load_state_dict(loss.state_dict())
    assert repr(loss).startswith("CompositionalAUCLoss(margin=0.5, version='v1', prevalence=0.2")
    with pytest.raises(ValueError, match="margin"):
        CompositionalAUCLoss(margin=0.0)


def test_name_leads_to_a_loss_that_fits_the_targets():
    assert lookup("compositional").optimizers == ("pdsca",)
    one = build("compositional", torch.tensor([0, 0, 0, 1]))
    several = build("compositional", torch.tensor([[0, 1], [1, 0], [0, 0], [0, 0]]), margin=0.5)
    assert isinstance(one, CompositionalAUCLoss)
    assert one.prevalence is None
    assert isinstance(several, MultiLabelCompositionalAUCLoss)
    assert (several.num_labels, several.margin) == (2, 0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    scores, targets = torch.randn(6).to(dtype), torch.arange(6) % 2
    for phase in ("inner", "outer"):
        loss = CompositionalAUCLoss(version="v2")
        loss.phase = phase
        assert loss(scores, targets).dtype == torch.float32
        assert loss(scores, targets) == loss(scores.float(), targets)


@pytest.mark.parametrize("phase", ["inner", "outer"])
def test_compiles_and_differentiates_by_function(phase):
    loss = CompositionalAUCLoss(version="v2")
    loss.phase = phase
    scores, targets = torch.randn(6), torch.arange(6) % 2
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(scores, targets), loss(scores, targets))
    leaf = scores.clone().requires_grad_()
    loss(leaf, targets).backward()
    torch.testing.assert_close(torch.func.grad(lambda s: loss(s, targets))(scores), leaf.grad)
