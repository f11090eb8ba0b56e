import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from torch.nn.functional import binary_cross_entropy_with_logits

from medauc.losses import CrossEntropyLoss, balanced_positive_weight


def test_value_is_scikit_learns_log_loss():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(30, generator=generator, dtype=torch.float64)
    targets = (torch.rand(30, generator=generator) < 0.3).long()
    expected = log_loss(targets.numpy(), scores.sigmoid().numpy())
    assert CrossEntropyLoss()(scores, targets).item() == pytest.approx(expected, rel=1e-10)


def test_weight_multiplies_the_positives_only():
    scores = torch.tensor([0.3, -0.8, 1.2]).double()
    loss = CrossEntropyLoss(positive_weight=4.0)
    for target, factor in ((1, 4.0), (0, 1.0)):
        targets = torch.full((3,), target)
        torch.testing.assert_close(loss(scores, targets), factor * CrossEntropyLoss()(scores, targets))


def test_weight_of_each_label():
    scores = torch.randn(5, 2, dtype=torch.float64)
    targets = torch.ones(5, 2)
    plain = [CrossEntropyLoss()(scores[:, i], targets[:, i]) for i in range(2)]
    value = CrossEntropyLoss(torch.tensor([2.0, 3.0]))(scores, targets)
    torch.testing.assert_close(value, (2 * plain[0] + 3 * plain[1]) / 2)


@pytest.mark.parametrize("unknown", [-1.0, float("nan")])
def test_masked_targets_are_as_if_absent(unknown):
    scores = torch.tensor([0.5, float("inf"), -1.0, float("nan")], requires_grad=True)
    value = CrossEntropyLoss()(scores, torch.tensor([1.0, unknown, 0.0, unknown]))
    value.backward()
    torch.testing.assert_close(value, CrossEntropyLoss()(torch.tensor([0.5, -1.0]), torch.tensor([1, 0])))
    assert scores.grad.isfinite().all()
    assert scores.grad[[1, 3]].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("targets", [torch.zeros(0), torch.full((3,), -1)])
def test_nothing_known_is_zero_with_zero_gradient(targets):
    scores = torch.randn(len(targets), requires_grad=True)
    value = CrossEntropyLoss()(scores, targets)
    value.backward()
    assert value == 0
    assert scores.grad.abs().sum() == 0


def test_extreme_scores_stay_finite():
    scores = torch.tensor([-1e4, 1e4], requires_grad=True)
    value = CrossEntropyLoss()(scores, torch.tensor([1, 0]))
    value.backward()
    assert value.item() == 1e4
    assert scores.grad.isfinite().all()


def test_half_precision_is_computed_in_float32():
    assert CrossEntropyLoss()(torch.zeros(2).bfloat16(), torch.tensor([0, 1])).dtype == torch.float32


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), torch.tensor([1.0, 0.0])])
def test_weight_out_of_range_is_refused(weight):
    with pytest.raises(ValueError, match="positive_weight"):
        CrossEntropyLoss(weight)


def test_weight_for_another_number_of_labels_is_refused():
    with pytest.raises(ValueError, match="2 labels"):
        CrossEntropyLoss(torch.ones(2))(torch.zeros(4, 3), torch.zeros(4, 3))


def test_balanced_weight_makes_both_classes_count_alike():
    targets = torch.tensor([[1, 0], [0, 0], [0, -1], [-1, 0]])
    assert balanced_positive_weight(targets).tolist() == [2.0, 1.0]
    loss = CrossEntropyLoss(balanced_positive_weight(targets[:, 0]))
    scores = torch.zeros(4, requires_grad=True)
    loss(scores, targets[:, 0]).backward()
    assert scores.grad.sum().item() == pytest.approx(0.0, abs=1e-7)


@given(
    smoothing=st.floats(0.001, 0.999),
    weight=st.one_of(st.none(), st.floats(0.01, 50)),
    scores=st.lists(st.floats(-20, 20), min_size=4, max_size=4),
)
def test_smoothing_is_the_cross_entropy_with_both_classes_mixed(smoothing, weight, scores):
    """Each sample's term is that of its class and of the other, (1 - s / 2) and s / 2, times its own class's weight."""
    scores, targets = torch.tensor(scores, dtype=torch.float64), torch.tensor([1, 0, 0, -1])
    found = CrossEntropyLoss(weight, label_smoothing=smoothing)(scores, targets)
    expected = 0.0
    for score, target in zip(scores[:3], targets[:3].double(), strict=True):
        own, other = (binary_cross_entropy_with_logits(score, t) for t in (target, 1 - target))
        sample_weight = weight if target == 1 and weight is not None else 1.0
        expected += sample_weight * ((1 - smoothing / 2) * own + smoothing / 2 * other) / 3
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("weight", [None, 30.0])
def test_smoothed_scores_have_their_optimum_where_the_softened_target_is(weight):
    """Also for negatives beside heavy positives, which a weight on the softened target's terms would pull up."""
    loss, smoothing = CrossEntropyLoss(weight, label_smoothing=0.2), 0.2
    for target, best in ((1, 1 - smoothing / 2), (0, smoothing / 2)):
        score = torch.logit(torch.tensor([best], dtype=torch.float64)).requires_grad_()
        loss(score, torch.tensor([target])).backward()
        assert abs(score.grad.item()) < 1e-6


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_out_of_range(smoothing):
    with pytest.raises(ValueError, match="label_smoothing"):
        CrossEntropyLoss(label_smoothing=smoothing)
