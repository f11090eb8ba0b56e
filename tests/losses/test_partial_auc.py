import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pair_reference import (
    SURROGATES,
    Pairs,
    Problem,
    assert_labels_are_independent,
    evaluate,
    largest_of_each,
    largest_share,
    mean,
    random_problem,
)
from medauc.losses import PartialAUCLoss


class Reference:
    """The loss in plain Python, states of samples in a dictionary."""

    def __init__(self, max_fpr, min_tpr=None, surrogate="squared_hinge", margin=1.0, state_lr=0.3):
        self.max_fpr, self.min_tpr, self.state_lr = max_fpr, min_tpr, state_lr
        self.surrogate, self.margin = surrogate, margin
        self.threshold, self.positive_threshold = {}, None

    def __call__(self, problem):
        pairs = Pairs(problem, self.surrogate, self.margin)
        rows = [
            self.one_positive(losses, self.threshold.get(int(problem.index[i])))
            for i, losses in zip(pairs.positives, pairs.loss, strict=True)
        ]
        self.threshold |= largest_of_each(problem.index[pairs.positives].tolist(), [row[2] for row in rows])
        value, outer, self.positive_threshold = self.over_positives([row[0] for row in rows])
        weight = [[share * pair for pair in row[1]] for share, row in zip(outer, rows, strict=True)]
        return value, pairs.gradient(weight)

    def one_positive(self, losses, known):
        """Risk, weight of each pair, and the next threshold."""
        size = self.max_fpr * len(losses)
        if not known:
            weight = largest_share(losses, self.max_fpr)
            own = sorted(losses, reverse=True)[math.ceil(size) - 1]
            return sum(w * loss for w, loss in zip(weight, losses, strict=True)), weight, own
        weight = [(loss > known) / size for loss in losses]
        risk = known + sum(max(0.0, loss - known) for loss in losses) / size
        return risk, weight, known * (1 + self.state_lr * (sum(weight) - 1))

    def over_positives(self, risks):
        """Value, weight of each positive, and the next threshold among positives."""
        if self.min_tpr is None:
            return mean(risks), [1 / len(risks)] * len(risks), None
        share, known = 1 - self.min_tpr, self.positive_threshold
        size = share * len(risks)
        if not known:
            weight = largest_share(risks, share)
            own = sorted(risks, reverse=True)[math.ceil(size) - 1]
            return sum(w * risk for w, risk in zip(weight, risks, strict=True)), weight, own
        weight = [(risk > known) / size for risk in risks]
        value = known + sum(max(0.0, risk - known) for risk in risks) / size
        return value, weight, known * (1 + self.state_lr * (sum(weight) - 1))


@given(
    positives=st.integers(1, 7),
    negatives=st.integers(1, 30),
    max_fpr=st.floats(0.02, 1),
    min_tpr=st.none() | st.floats(0, 0.95),
    surrogate=st.sampled_from(SURROGATES),
    margin=st.floats(0.2, 3),
    grid=st.sampled_from([None, 0.5, 100.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_first_visit_is_the_mean_of_the_hardest_pairs(
    positives, negatives, max_fpr, min_tpr, surrogate, margin, grid, seed
):
    """The exact inner solution: sorted losses of all pairs; a grid of 100 makes all scores equal."""
    problem = random_problem(positives, negatives, seed, grid)
    loss = PartialAUCLoss(40, max_fpr, min_tpr, surrogate, margin, "none")
    value, gradient = evaluate(loss, problem)
    expected, expected_gradient = Reference(max_fpr, min_tpr, surrogate, margin)(problem)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert gradient == pytest.approx(expected_gradient, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("min_tpr", [None, 0.6])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_batch_after_batch_follows_the_paper(min_tpr, surrogate):
    """Visits in any mixture of first, later and repeated ones; value, gradient and every state."""
    whole = random_problem(12, 40, seed=3)
    loss = PartialAUCLoss(52, 0.15, min_tpr, surrogate, 0.8, "none", state_lr=0.07).double()
    reference = Reference(0.15, min_tpr, surrogate, 0.8, 0.07)
    generator = torch.Generator().manual_seed(0)
    for step in range(12):
        rows = torch.randint(52, (24,), generator=generator)
        jitter = 0.3 * torch.randn(24, generator=generator, dtype=torch.float64)
        batch = Problem(whole.scores[rows] + jitter - 0.05 * step, whole.targets[rows], whole.index[rows])
        value, gradient = evaluate(loss, batch)
        expected, expected_gradient = reference(batch)
        assert value == pytest.approx(expected, rel=1e-9)
        assert gradient == pytest.approx(expected_gradient, rel=1e-8, abs=1e-10)
        known = torch.full((52,), -1.0, dtype=torch.float64)
        for sample, threshold in reference.threshold.items():
            known[sample] = threshold
        torch.testing.assert_close(loss.threshold[:, 0], known)
        if min_tpr is not None:
            assert loss.positive_threshold.item() == pytest.approx(reference.positive_threshold)


def test_whole_range_is_the_mean_over_all_pairs():
    problem = random_problem(5, 8)
    pairs = Pairs(problem, "squared_hinge", 1.0)
    value, gradient = evaluate(PartialAUCLoss(13, 1.0, 0.0, activation="none"), problem)
    assert value == pytest.approx(mean([mean(row) for row in pairs.loss]))
    assert gradient == pytest.approx(pairs.gradient([[1 / 40] * 8] * 5))


def test_value_bounds_the_area_lost_below_max_fpr():
    """The squared hinge with margin 1 is at least the 0-1 loss of a pair, so the loss at least 1 - partial AUC."""
    for seed in range(20):
        problem = random_problem(9, 20, seed)
        hardest = problem.scores[problem.targets == 0].sort(descending=True).values[:5]
        missed = (problem.scores[problem.targets == 1][:, None] <= hardest).double().mean()
        assert evaluate(PartialAUCLoss(29, 0.25, activation="none"), problem)[0] >= missed


@pytest.mark.parametrize("min_tpr", [None, 0.4])
def test_gradients_agree_with_finite_differences(min_tpr):
    problem = random_problem(4, 9, seed=1)
    loss = PartialAUCLoss(13, 0.3, min_tpr, "logistic").eval()
    scores = problem.scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda h: loss(h, problem.targets), (scores,))


@pytest.mark.parametrize("min_tpr", [None, 0.25])
def test_labels_are_independent_problems_with_their_own_states(min_tpr):
    options = {"max_fpr": 0.2, "min_tpr": min_tpr}
    many = PartialAUCLoss(30, num_labels=3, **options)
    single = [PartialAUCLoss(30, **options) for _ in range(3)]
    assert_labels_are_independent(many, single)
    for i, loss in enumerate(single):
        assert torch.equal(many.threshold[:, i], loss.threshold[:, 0])
    assert (many.threshold[:, 2] == -1).all()
    assert (many.threshold[:, :2] >= 0).any(0).all()


def test_thresholds_find_the_quantile_that_no_batch_can_show():
    """Batches of 4 negatives for a tail of 5%: a batch's own threshold is its maximum, far below on average."""
    generator = torch.Generator().manual_seed(0)
    negatives = torch.randn(400, generator=generator)
    loss = PartialAUCLoss(401, 0.05, surrogate="logistic", activation="none", state_lr=0.02)
    targets = torch.tensor([1, 0, 0, 0, 0])
    followed, own = [], []
    for step in range(1500):
        rows = torch.randint(400, (4,), generator=generator)
        index = torch.cat([torch.tensor([400]), rows])
        loss(torch.cat([torch.zeros(1), negatives[rows]]), targets, index)
        if step >= 300:
            followed.append(loss.threshold[400, 0].clone())
            own.append(torch.nn.functional.softplus(negatives[rows].max()))
    truth = torch.nn.functional.softplus(negatives).quantile(0.95)
    assert torch.stack(own).mean() < truth - 0.25
    assert torch.stack(followed).mean().item() == pytest.approx(truth.item(), abs=0.1)


def test_small_tails_still_have_a_gradient():
    """5% of 8 negatives is less than one: the hardest bears it all, on a first visit too."""
    problem = random_problem(2, 8)
    _, gradient = evaluate(PartialAUCLoss(10, 0.05, activation="none"), problem)
    touched = [j for j in range(10) if problem.targets[j] == 0 and gradient[j] != 0]
    assert touched == [int(problem.scores.masked_fill(problem.targets == 1, -torch.inf).argmax())]


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("min_tpr", [None, 0.5])
def test_extreme_raw_scores_stay_finite(surrogate, min_tpr):
    loss = PartialAUCLoss(6, 0.3, min_tpr, surrogate, activation="none")
    for _ in range(3):
        scores = torch.tensor([1e4, -1e4, 0.0, 1e4, -1e4, 1e-3], requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = loss(scores, torch.tensor([1, 1, 1, 0, 0, 0]), torch.arange(6))
            value.backward()
        assert value.isfinite()
        assert scores.grad.isfinite().all()


@pytest.mark.parametrize("min_tpr", [None, 0.5])
def test_thresholds_of_zero_start_anew(min_tpr):
    """A batch ranked right by more than the margin has no loss: a step in proportion to zero would stay there."""
    problem = random_problem(6, 20)
    loss = PartialAUCLoss(26, 0.2, min_tpr, activation="none").double()
    apart = problem._replace(scores=problem.scores + 20.0 * problem.targets)
    assert evaluate(loss, apart) == (0.0, [0.0] * 26)
    assert (loss.threshold[problem.index[problem.targets == 1]] == 0).all()
    again = evaluate(loss, problem)
    fresh = evaluate(PartialAUCLoss(26, 0.2, min_tpr, activation="none").double(), problem)
    assert again[0] == pytest.approx(fresh[0])
    assert again[1] == pytest.approx(fresh[1])


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_margin_and_scores_in_other_units_give_the_same_training(scale):
    whole = random_problem(12, 40, seed=3)
    losses = [PartialAUCLoss(52, 0.2, 0.5, margin=unit, activation="none").double() for unit in (1.0, scale)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(6):
        rows = torch.randperm(52, generator=generator)[:30]
        batch = Problem(whole.scores[rows], whole.targets[rows], whole.index[rows])
        one, other = (
            evaluate(losses[0], batch),
            evaluate(losses[1], batch._replace(scores=scale * batch.scores)),
        )
        assert other[0] == pytest.approx(scale**2 * one[0])
        assert other[1] == pytest.approx([scale * slope for slope in one[1]])


def test_large_batches_in_blocks_equal_small_blocks(monkeypatch):
    problem = random_problem(40, 90)
    expected = evaluate(PartialAUCLoss(130, 0.1, 0.3), problem)
    monkeypatch.setattr("medauc.losses.ranked_pairs._PAIRS_ON_CPU", 7 * 90)
    value, gradient = evaluate(PartialAUCLoss(130, 0.1, 0.3), problem)
    assert value == pytest.approx(expected[0], rel=1e-12)
    assert gradient == pytest.approx(expected[1], rel=1e-10)


@pytest.mark.parametrize(
    "options",
    [
        {"max_fpr": 0.0},
        {"max_fpr": 1.1},
        {"min_tpr": 1.0},
        {"min_tpr": -0.1},
        {"state_lr": -0.1},
        {"state_lr": 1.0},
        {"margin": 0.0},
        {"surrogate": "square"},
        {"activation": "tanh"},
        {"num_labels": 0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PartialAUCLoss(10, **options)
