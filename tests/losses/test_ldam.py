import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medauc.losses import CrossEntropyLoss, LDAMLoss, build


def by_definition(scores, targets, positives, negatives, max_margin, scale, weight=1.0):
    """The paper's loss with two logits (0, h), one sample at a time; the gradient by the softmax's."""
    raw = {1: max(positives, 1) ** -0.25, 0: max(negatives, 1) ** -0.25}
    margin = {t: value * max_margin / max(raw.values()) for t, value in raw.items()}
    total, gradient = 0.0, []
    for h, t in zip(scores, targets, strict=True):
        logits = [0.0, h]
        logits[t] -= margin[t]
        e0, e1 = (math.exp(scale * z) for z in logits)
        factor = weight if t == 1 else 1.0
        total += -factor * math.log((e1 if t == 1 else e0) / (e0 + e1))
        gradient.append(factor * scale * (e1 / (e0 + e1) - t) / len(scores))
    return total / len(scores), gradient


@given(
    samples=st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([0, 1])), min_size=1, max_size=20),
    counts=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
    scale=st.sampled_from([1.0, 30.0]),
    weight=st.sampled_from([None, 4.0]),
)
def test_value_and_gradient_are_the_papers(samples, counts, scale, weight):
    values, targets = zip(*samples, strict=True)
    scores = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    loss = LDAMLoss(*counts, scale=scale, positive_weight=weight)
    value = loss(scores, torch.tensor(targets))
    value.backward()
    expected, gradient = by_definition(values, targets, *counts, 0.5, scale, weight or 1.0)
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-7)  # margins are kept in float32
    assert scores.grad.tolist() == pytest.approx(gradient, rel=1e-4, abs=1e-7)


def test_margins_follow_the_fourth_root_and_the_rarer_class_has_the_wider():
    loss = build("ldam", torch.tensor([1] * 16 + [0] * 256 + [-1] * 5), max_margin=0.8)
    assert loss.margins.tolist() == [[pytest.approx(0.8)], [pytest.approx(0.4)]]


def test_margins_of_each_label():
    targets = torch.tensor([[1, 0], [0, 0], [0, 1], [0, 0]] * 4)
    loss = build("ldam", targets)
    column = build("ldam", targets[:, 0])
    torch.testing.assert_close(loss.margins[:, :1], column.margins)
    scores = torch.randn(16, 2).double()
    mean = (
        column(scores[:, 0], targets[:, 0]) + build("ldam", targets[:, 1])(scores[:, 1], targets[:, 1])
    ) / 2
    torch.testing.assert_close(loss(scores, targets), mean)


def test_without_margin_it_is_cross_entropy():
    scores, targets = torch.randn(40).double(), (torch.rand(40) < 0.3).long()
    nearly = LDAMLoss(10, 30, max_margin=1e-9)(scores, targets)
    torch.testing.assert_close(nearly, CrossEntropyLoss()(scores, targets))


def test_weight_may_come_later():
    scores, targets = torch.randn(20), torch.tensor([0, 1] * 10)
    loss, weighted = LDAMLoss(10, 30), LDAMLoss(10, 30, positive_weight=3.0)
    before = loss(scores, targets)
    loss.positive_weight = torch.tensor(3.0)
    assert torch.equal(loss(scores, targets), weighted(scores, targets))
    assert loss(scores, targets) > before


def test_slopes_pass_gradcheck():
    scores, targets = torch.linspace(-2, 2, 8).double().requires_grad_(), torch.tensor([0, 1, 1, -1] * 2)
    assert torch.autograd.gradcheck(lambda h: LDAMLoss(3, 40, scale=2.0)(h, targets), scores)


@pytest.mark.parametrize("options", [{"max_margin": 0}, {"scale": -1.0}, {"positive_weight": 0.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        LDAMLoss(1, 2, **options)


def test_counts_that_are_none_are_refused():
    with pytest.raises(ValueError, match="counts"):
        LDAMLoss(-1, 4)
    with pytest.raises(ValueError, match="2 labels"):
        LDAMLoss([1, 2], [3, 4])(torch.zeros(4, 3), torch.zeros(4, 3))
