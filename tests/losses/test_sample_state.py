import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fixtures.pair_reference import Problem, evaluate, random_problem
from medauc.losses import AveragePrecisionLoss, PartialAUCKLLoss, PartialAUCLoss
from medauc.losses.ranked_pairs import hardest_first, hardest_share

LOSSES = [
    lambda n, **more: PartialAUCLoss(n, 0.2, **more),
    lambda n, **more: PartialAUCLoss(n, 0.2, 0.5, **more),
    lambda n, **more: PartialAUCKLLoss(n, 0.3, **more),
    lambda n, **more: PartialAUCKLLoss(n, 0.3, 0.5, **more),
    AveragePrecisionLoss,
]
NAMES = ["cvar", "two-way cvar", "kl", "two-way kl", "ap"]
every_loss = pytest.mark.parametrize("make", LOSSES, ids=NAMES)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=10), st.floats(0.01, 1))
def test_hardest_share_sums_to_one_and_treats_ties_alike(keys, share):
    keys = torch.tensor([sorted(keys)], dtype=torch.float64)
    weight = hardest_share(keys, torch.tensor([[share * keys.numel()]], dtype=torch.float64))
    assert weight.sum().item() == pytest.approx(1)
    assert weight.max().item() <= 1 / (share * keys.numel()) + 1e-12
    assert (weight.diff() <= 1e-12).all()
    assert (weight.diff()[keys.diff() == 0].abs() <= 1e-12).all()


def test_classes_are_ranked_from_the_hardest():
    generator = torch.Generator().manual_seed(0)
    scores, targets = (
        torch.randn(9, 3, generator=generator),
        torch.randint(-1, 2, (9, 3), generator=generator),
    )
    targets[:, 1] = 0
    positives, negatives = hardest_first(scores, targets == 1, targets == 0)
    for label in range(3):
        for ranked, target, sign in ((positives, 1, 1), (negatives, 0, -1)):
            inside = ranked.valid[label]
            expected = sorted((sign * scores[targets[:, label] == target, label]).tolist())
            assert ranked.ease[label][inside].tolist() == pytest.approx(expected)
            assert (sign * scores[ranked.rows[label], label])[inside].tolist() == pytest.approx(expected)
            assert (ranked.ease[label][~inside] == torch.inf).all()
            assert ranked.number[label] == max(len(expected), 1)


@every_loss
def test_wanting_index_is_named_in_training_and_may_be_left_out_afterwards(make):
    problem = random_problem(4, 8)
    loss = make(12)
    with pytest.raises(ValueError, match="position in the training set"):
        loss(problem.scores, problem.targets)
    first_visit = evaluate(make(12), problem)[0]
    evaluate(loss, problem._replace(scores=-problem.scores))
    loss.eval()
    assert loss(problem.scores, problem.targets).item() == pytest.approx(first_visit)


@pytest.mark.parametrize(
    "index", [torch.arange(11), torch.zeros(12), torch.zeros(12, 1).long(), torch.ones(12, dtype=torch.bool)]
)
def test_index_of_wrong_kind_is_refused(index):
    problem = random_problem(4, 8)
    with pytest.raises(ValueError, match="one integer a sample"):
        PartialAUCLoss(12)(problem.scores, problem.targets, index)


@pytest.mark.parametrize("wrong", [12, -1])
def test_index_outside_the_training_set_is_refused(wrong):
    problem = random_problem(4, 8)
    index = torch.arange(12)
    index[3] = wrong
    with pytest.raises(ValueError, match="made for 12 samples"):
        PartialAUCLoss(12)(problem.scores, problem.targets, index)


def test_wrong_number_of_labels_is_refused():
    with pytest.raises(ValueError, match="1 labels, got 2"):
        PartialAUCLoss(12)(torch.zeros(4, 2), torch.zeros(4, 2), torch.arange(4))


@every_loss
def test_only_positives_of_the_batch_are_remembered(make):
    problem = random_problem(4, 8)
    loss = make(20)
    evaluate(loss, problem)
    seen = problem.index[problem.targets == 1]
    for name, state in loss.named_buffers():
        if state.shape == (20, 1):
            assert (state[seen] >= 0).all(), name
            assert (state >= 0).sum() == 4, name


@every_loss
@pytest.mark.parametrize("view", [0.5, -0.5])
def test_of_a_sample_that_occurs_twice_the_larger_state_is_kept(make, view):
    problem = random_problem(5, 10)
    positive = (problem.targets == 1).nonzero()[0, 0]
    again = torch.cat([torch.arange(15), positive[None]])
    scores = problem.scores[again].clone()
    scores[-1] += view
    twice = Problem(scores, problem.targets[again], problem.index[again])
    apart = make(16)
    evaluate(apart, twice._replace(index=torch.cat([problem.index, torch.tensor([15])])))
    together = make(16)
    evaluate(together, twice)
    for name, state in together.named_buffers():
        if state.shape == (16, 1):
            first, second = apart.get_buffer(name)[problem.index[positive]], apart.get_buffer(name)[15]
            assert first != second
            assert state[problem.index[positive]] == max(first, second), name


@every_loss
def test_states_outlive_a_file_and_follow_dtype_and_device(make):
    problem = random_problem(4, 8)
    loss = make(12)
    evaluate(loss, problem)
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    other = make(12)
    other.load_state_dict(torch.load(file, weights_only=True))
    moved = problem._replace(scores=problem.scores * 0.7)
    assert evaluate(other, moved) == evaluate(loss, moved)
    assert all(state.dtype == torch.float64 for state in other.double().buffers())
    assert all(state.device.type == "meta" for state in other.to("meta").buffers())


@every_loss
def test_transforms_have_no_side_effect(make):
    problem = random_problem(4, 8)
    loss = make(12)
    _, expected = evaluate(make(12), problem)
    found = torch.func.grad(lambda h: loss(h, problem.targets, problem.index))(problem.scores)
    assert found.tolist() == pytest.approx(expected)
    assert all((state == -1).all() for state in loss.buffers())


@every_loss
def test_second_derivative_is_refused_rather_than_wrong(make):
    problem = random_problem(4, 8)
    scores = problem.scores.requires_grad_()
    (gradient,) = torch.autograd.grad(
        make(12)(scores, problem.targets, problem.index), scores, create_graph=True
    )
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


@every_loss
def test_for_targets_counts_samples_and_labels(make):
    kind = type(make(3))
    loss = kind.for_targets(torch.tensor([[0, 1], [1, -1], [0, 0]]))
    assert (loss.num_samples, loss.num_labels) == (3, 2)
    assert kind.for_targets(torch.tensor([0, 1]), num_samples=9).num_samples == 9


@every_loss
@pytest.mark.parametrize("wrong", [{"num_labels": 0}, {"margin": -1.0}, {"activation": "softmax"}])
def test_common_options_out_of_range_are_refused(make, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make(4, **wrong)


def test_a_training_set_has_samples():
    with pytest.raises(ValueError, match="num_samples"):
        PartialAUCLoss(0)
