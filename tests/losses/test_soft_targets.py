"""Targets between 0 and 1: a sample counts as so much of a positive and the rest of a negative."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.losses import (
    AUCMLoss,
    CompositionalAUCLoss,
    CrossEntropyLoss,
    MultiLabelAUCMLoss,
    PairwiseAUCLoss,
    available,
    build,
    lookup,
)

LOSSES = {
    "cross_entropy": CrossEntropyLoss,
    "cross_entropy weighted": lambda: CrossEntropyLoss(positive_weight=3.0),
    "cross_entropy smoothed": lambda: CrossEntropyLoss(positive_weight=3.0, label_smoothing=0.2),
    "aucm v1": lambda: AUCMLoss(prevalence=0.3),
    "aucm v1 of the batch": AUCMLoss,
    "aucm v2": lambda: AUCMLoss(version="v2", activation="none"),
    "compositional inner": CompositionalAUCLoss,
    "square": lambda: PairwiseAUCLoss("square"),
    "squared_hinge": PairwiseAUCLoss,
    "logistic": lambda: PairwiseAUCLoss("logistic"),
    "sigmoid": lambda: PairwiseAUCLoss("sigmoid", activation="sigmoid"),
}
SEVERAL = {
    "cross_entropy": CrossEntropyLoss,
    "aucm": lambda: MultiLabelAUCMLoss(3, version="v2"),
    "pairwise": PairwiseAUCLoss,
}


def at_some_point(loss):
    """The same loss, its variables away from zero, where every term counts."""
    for number, parameter in enumerate(loss.parameters()):
        torch.nn.init.constant_(parameter, 0.2 + 0.3 * number)
    return loss.double()


def value_and_gradient(loss, scores, targets):
    scores = scores.clone().requires_grad_()
    value = loss(scores, targets)
    value.backward()
    return value.detach(), scores.grad


@pytest.mark.parametrize("name", LOSSES)
def test_soft_targets_of_0_and_1_are_hard_ones(name):
    torch.manual_seed(0)
    scores, targets = torch.randn(20).double(), torch.tensor([0, 0, 0, 1, -1] * 4)
    hard = value_and_gradient(at_some_point(LOSSES[name]()), scores, targets)
    soft = value_and_gradient(at_some_point(LOSSES[name]()).allow_soft_targets(), scores, targets.double())
    torch.testing.assert_close(soft, hard)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=25)
@given(
    counts=st.lists(st.integers(0, 4), min_size=2, max_size=8).filter(
        lambda all: 0 < sum(all) < 4 * len(all)
    ),
    seed=st.integers(0, 99),
)
def test_a_target_of_k_quarters_is_k_positives_and_the_rest_negatives(name, counts, seed):
    """Every sample four times with hard targets, k of them positive, is the batch with soft targets k/4."""
    scores = torch.randn(len(counts), generator=torch.Generator().manual_seed(seed)).double()
    shares = torch.tensor(counts).double() / 4
    soft = value_and_gradient(at_some_point(LOSSES[name]()).allow_soft_targets(), scores, shares)
    copies = torch.tensor([[int(i < k) for i in range(4)] for k in counts]).flatten()
    value, gradient = value_and_gradient(at_some_point(LOSSES[name]()), scores.repeat_interleave(4), copies)
    torch.testing.assert_close(soft, (value, gradient.view(-1, 4).sum(1)))


@pytest.mark.parametrize("name", SEVERAL)
def test_each_label_has_its_own_shares_and_its_own_unknowns(name):
    torch.manual_seed(1)
    scores, targets = torch.randn(12, 3).double(), torch.rand(12, 3).double()
    unknown = torch.rand(12, 3) < 0.3
    targets[unknown] = -1
    soft = value_and_gradient(at_some_point(SEVERAL[name]()).allow_soft_targets(), scores, targets)
    assert (soft[1][unknown] == 0).all()
    assert (soft[1][~unknown] != 0).all()
    targets[unknown] = torch.nan
    scores[unknown] = torch.nan
    again = value_and_gradient(at_some_point(SEVERAL[name]()).allow_soft_targets(), scores, targets)
    torch.testing.assert_close(again[0], soft[0])


def test_a_label_with_less_than_one_whole_positive_has_its_mean_all_the_same():
    scores, targets = torch.tensor([1.0, 3.0, 0.0]), torch.tensor([0.2, 0.2, 0.0])
    point = AUCMLoss(version="v2", activation="none").allow_soft_targets().saddle_point(scores, targets)
    assert point.a.item() == pytest.approx(2)
    assert point.b.item() == pytest.approx((0.8 + 2.4) / 2.6)


def test_the_saddle_point_of_mixtures_is_stationary():
    torch.manual_seed(2)
    scores, targets = torch.randn(30).double(), torch.rand(30).double()
    loss = AUCMLoss(version="v2", activation="none").double().allow_soft_targets()
    point = loss.saddle_point(scores, targets)
    for name, value in point._asdict().items():
        getattr(loss, name).data.copy_(value)
    assert point.alpha > 0
    loss(scores, targets).backward()
    for parameter in loss.parameters():
        assert parameter.grad.abs() < 1e-12


def test_soft_targets_reach_the_outer_phase_of_the_compositional_loss():
    torch.manual_seed(0)
    scores, targets = torch.randn(9), torch.rand(9)
    loss, outer = CompositionalAUCLoss().allow_soft_targets(), AUCMLoss().allow_soft_targets()
    loss.phase = "outer"
    assert loss(scores, targets) == outer(scores, targets)


@pytest.mark.parametrize("name", available())
def test_a_loss_has_a_soft_form_or_refuses_it(name):
    loss = build(name, torch.tensor([0, 1, 0, 1]))
    if lookup(name).loss.takes_soft_targets:
        assert loss.allow_soft_targets()(torch.zeros(4), torch.full((4,), 0.5)).isfinite()
        with pytest.raises(
            ValueError, match=r"targets must be from 0 to 1, or -1 / NaN for unknown, found 1\.5"
        ):
            loss(torch.zeros(4), torch.tensor([0.0, 1.5, 1.0, 0.0]))
    else:
        with pytest.raises(ValueError, match="needs targets that are 0 or 1, none between"):
            loss.allow_soft_targets()


def test_without_leave_soft_targets_are_an_error_and_not_a_guess():
    with pytest.raises(ValueError, match=r"targets must be 0, 1, or -1 / NaN for unknown, found 0\.5"):
        CrossEntropyLoss()(torch.zeros(2), torch.tensor([0.5, 1.0]))


def test_a_memory_of_two_classes_takes_no_mixtures():
    with pytest.raises(ValueError, match="memory of positives and negatives needs targets that are 0 or 1"):
        PairwiseAUCLoss(memory=8).allow_soft_targets()
