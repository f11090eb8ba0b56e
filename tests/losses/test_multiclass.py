import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from medauc.losses import MultiClassAUCLoss, PairwiseAUCLoss
from medauc.losses.pairs import SURROGATES

SCHEMES = ["ovr", "ovo"]


def class_by_class(scores, targets, scheme, surrogate, margin=1.0):
    """The definition, with one PairwiseAUCLoss (tested by itself) for every comparison of two sets of samples."""
    classes = scores.shape[1]
    loss = PairwiseAUCLoss(surrogate, margin)
    values = []
    for i in range(classes):
        others = [j for j in range(classes) if j != i]
        for rest in [others] if scheme == "ovr" else [[j] for j in others]:
            inside = (targets == i) | torch.isin(targets, torch.tensor(rest))
            values.append(loss(scores[:, i], torch.where(inside, (targets == i).long(), -1)))
    return torch.stack(values).mean()


@given(
    scheme=st.sampled_from(SCHEMES),
    surrogate=st.sampled_from(SURROGATES),
    classes=st.integers(2, 5),
    size=st.integers(0, 16),
    seed=st.integers(0, 999),
)
@settings(max_examples=60)
def test_value_and_gradient_are_those_of_the_definition(scheme, surrogate, classes, size, seed):
    """Classes absent from small batches and unknown targets included."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(size, classes, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(-1, classes, (size,), generator=generator)
    for activation, activate in (("none", lambda s: s), ("softmax", lambda s: s.softmax(1))):
        value = MultiClassAUCLoss(classes, scheme, surrogate, activation=activation)(scores, targets)
        expected = class_by_class(activate(scores), targets, scheme, surrogate)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(*(torch.autograd.grad(v, scores)[0] for v in (value, expected)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_steep_sigmoid_is_one_minus_scikit_learns_multiclass_auc(scheme):
    """As the surrogate nears the step, the loss nears 1 - AUC as scikit-learn computes it."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 60)
    probabilities = rng.dirichlet(np.ones(4), 60)
    expected = 1 - roc_auc_score(targets, probabilities, multi_class=scheme, average="macro")
    steep = torch.from_numpy(probabilities * 1e7)
    loss = MultiClassAUCLoss(4, scheme, "sigmoid", activation="none")
    assert loss(steep, torch.from_numpy(targets)).item() == pytest.approx(expected, abs=1e-6)


def test_ovo_does_not_depend_on_how_frequent_classes_are():
    scores, targets = torch.randn(12, 3, dtype=torch.float64), torch.arange(12) % 3
    often = torch.cat([scores, scores[targets == 1]]), torch.cat([targets, targets[targets == 1]])
    ovo, ovr = MultiClassAUCLoss(3, "ovo"), MultiClassAUCLoss(3, "ovr")
    torch.testing.assert_close(ovo(*often), ovo(scores, targets))
    assert abs(ovr(*often) - ovr(scores, targets)) > 1e-4


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_score_of_two_classes_stands_for_minus_and_plus_its_half(scheme):
    scores, targets = torch.randn(9, dtype=torch.float64), torch.tensor([0, 1, -1] * 3)
    loss = MultiClassAUCLoss(2, scheme)
    both = loss(torch.stack([-scores / 2, scores / 2], 1), targets)
    torch.testing.assert_close(loss(scores, targets), both)
    torch.testing.assert_close(loss(scores[:, None], targets[:, None]), both)
    # Softmax of the two is the sigmoid of the score, and either class ranks all pairs alike.
    torch.testing.assert_close(both, PairwiseAUCLoss(activation="sigmoid")(scores, targets))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("activation", ["softmax", "none"])
def test_gradients_agree_with_finite_differences(scheme, activation):
    scores = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    loss = MultiClassAUCLoss(3, scheme, "logistic", activation=activation)
    assert torch.autograd.gradcheck(lambda s: loss(s, torch.arange(8) % 3), scores)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("present", [[], [0], [-1, -1]])
def test_nothing_to_compare_is_zero_with_zero_gradient(scheme, present):
    scores = torch.randn(len(present), 3, requires_grad=True)
    value = MultiClassAUCLoss(3, scheme)(scores, torch.tensor(present, dtype=torch.long))
    value.backward()
    assert value == 0
    assert scores.grad.abs().sum() == 0


@pytest.mark.parametrize("unknown", [-1.0, float("nan")])
def test_unknown_samples_are_as_if_absent_even_when_their_scores_are_not_numbers(unknown):
    scores, targets = torch.randn(6, 3), torch.tensor([0.0, 1, 2, 2, 1, 0])
    loss = MultiClassAUCLoss(3, "ovo")
    longer = torch.cat([scores, torch.full((1, 3), float("nan"))]).requires_grad_()
    value = loss(longer, torch.cat([targets, torch.tensor([unknown])]))
    value.backward()
    torch.testing.assert_close(value, loss(scores, targets))
    assert longer.grad.isfinite().all()
    assert longer.grad[-1].abs().sum() == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_training_separates_classes(scheme):
    torch.manual_seed(0)
    centres = torch.tensor([[2.0, 0.0], [-2.0, 2.0], [-2.0, -2.0]])
    targets = torch.arange(90) % 3
    features = centres[targets] + torch.randn(90, 2)
    network = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        MultiClassAUCLoss(3, scheme)(network(features), targets).backward()
        optimizer.step()
    probabilities = network(features).detach().softmax(1).numpy()
    assert roc_auc_score(targets, probabilities, multi_class=scheme) > 0.97


def test_number_of_classes_is_taken_from_the_training_set():
    for targets in (torch.tensor([0, 3, -1]), torch.tensor([[0.0], [3.0], [float("nan")]])):
        assert MultiClassAUCLoss.for_targets(targets).num_classes == 4
    assert MultiClassAUCLoss.for_targets(torch.tensor([0, 1]), num_classes=5).num_classes == 5
    assert MultiClassAUCLoss.for_targets(torch.tensor([0, 0])).num_classes == 2


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        (torch.zeros(4, 2), torch.zeros(4), r"\(N, 3\)"),
        (torch.zeros(4), torch.zeros(4), r"\(N, 3\)"),
        (torch.zeros(4, 3), torch.zeros(4, 3), "PairwiseAUCLoss"),
        (torch.zeros(4, 3), torch.zeros(5), "4 rows"),
        (torch.zeros(1, 3), torch.tensor([3]), "found 3"),
        (torch.zeros(1, 3), torch.tensor([0.5]), "found 0.5"),
    ],
)
def test_wrong_input_is_refused(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        MultiClassAUCLoss(3)(scores, targets)


@pytest.mark.parametrize(
    "options",
    [
        {"num_classes": 1},
        {"scheme": "ova"},
        {"surrogate": "hinge"},
        {"margin": 0.0},
        {"activation": "sigmoid"},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MultiClassAUCLoss(**{"num_classes": 3, **options})


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_extreme_scores_stay_finite(scheme, surrogate):
    scores = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [1e4, 1e4, -1e4]], requires_grad=True)
    for activation in ("softmax", "none"):
        value = MultiClassAUCLoss(3, scheme, surrogate, activation=activation)(scores, torch.arange(3))
        assert value.isfinite()
        assert torch.autograd.grad(value, scores)[0].isfinite().all()
