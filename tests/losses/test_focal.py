import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medauc.losses import CrossEntropyLoss, FocalLoss, build


def by_definition(scores, targets, gamma, alpha):
    """Equation 5 of the paper, one sample at a time in Python floats; its gradient as derived by hand."""
    total, gradient, known = 0.0, [], sum(t in (0, 1) for t in targets)
    for h, t in zip(scores, targets, strict=True):
        if t not in (0, 1):
            gradient.append(0.0)
            continue
        sign = 1 if t == 1 else -1
        p = 1 / (1 + math.exp(-sign * h))
        weight = 1.0 if alpha is None else (alpha if t == 1 else 1 - alpha)
        total += -weight * (1 - p) ** gamma * math.log(p)
        slope = (1 - p) ** gamma * (gamma * p * math.log(p) - (1 - p))
        gradient.append(sign * weight * slope / max(known, 1))
    return total / max(known, 1), gradient


@given(
    samples=st.lists(st.tuples(st.floats(-20, 20), st.sampled_from([0, 1, -1])), min_size=1, max_size=30),
    gamma=st.sampled_from([0.0, 0.5, 2.0, 5.0]),
    alpha=st.sampled_from([None, 0.25, 0.5]),
)
def test_value_and_gradient_are_the_papers(samples, gamma, alpha):
    values, targets = zip(*samples, strict=True)
    scores = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    value = FocalLoss(gamma, alpha)(scores, torch.tensor(targets))
    value.backward()
    expected, gradient = by_definition(values, targets, gamma, alpha)
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert scores.grad.tolist() == pytest.approx(gradient, rel=1e-7, abs=1e-12)


def test_without_fading_it_is_cross_entropy():
    scores, targets = torch.randn(40, 2).double(), (torch.rand(40, 2) < 0.3).long()
    torch.testing.assert_close(FocalLoss(gamma=0)(scores, targets), CrossEntropyLoss()(scores, targets))


def test_slopes_pass_gradcheck():
    scores, targets = torch.linspace(-3, 3, 8).double().requires_grad_(), torch.tensor([0, 1] * 4)
    for gamma in (0.5, 2.0):
        assert torch.autograd.gradcheck(lambda h, g=gamma: FocalLoss(g, 0.3)(h, targets), scores)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_float32s_largest_scores(gamma):
    scores = torch.tensor([1e30, -1e30, 1e30, -1e30], requires_grad=True)
    value = FocalLoss(gamma)(scores, torch.tensor([1, 0, 0, 1]))
    value.backward()
    assert value.item() == pytest.approx(5e29)
    assert scores.grad.tolist() == pytest.approx([0, 0, 0.25, -0.25])


def test_balanced_alpha_of_each_label():
    targets = torch.tensor([[1, 0], [0, 1], [0, 1], [0, -1]])
    loss = build("focal", targets, gamma=0.0, alpha="balanced")
    assert loss.alpha.tolist() == pytest.approx([0.75, 1 / 3])
    scores = torch.zeros(4, 2, requires_grad=True)
    loss(scores, targets).backward()
    assert scores.grad.sum(0).tolist() == pytest.approx([0, 0], abs=1e-7)


@pytest.mark.parametrize("options", [{"gamma": -1}, {"gamma": math.inf}, {"alpha": 0.0}, {"alpha": 1.5}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        FocalLoss(**options)


def test_alpha_for_other_labels_is_refused():
    with pytest.raises(ValueError, match="alpha is for 2 labels"):
        FocalLoss(alpha=torch.tensor([0.2, 0.3]))(torch.zeros(4, 3), torch.zeros(4, 3))
