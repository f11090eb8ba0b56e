import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from fixtures.pair_reference import (
    SURROGATES,
    Pairs,
    Problem,
    assert_labels_are_independent,
    evaluate,
    largest_of_each,
    mean,
    random_problem,
)
from medauc.losses import AveragePrecisionLoss


class Reference:
    """The loss in plain Python, states of samples in dictionaries."""

    def __init__(self, prevalence=None, surrogate="squared_hinge", margin=1.0, gamma=0.9):
        self.prevalence, self.surrogate, self.margin, self.gamma = prevalence, surrogate, margin, gamma
        self.u_positive, self.u_all = {}, {}

    def __call__(self, problem):
        pairs = Pairs(problem, self.surrogate, self.margin, with_positives=True)
        positive = [pairs.y[j] == 1 for j in pairs.others]
        number, total = sum(positive), len(positive)
        share = number / total if self.prevalence is None else self.prevalence
        count = [share / number if good else (1 - share) / (total - number) for good in positive]
        value, weight, seen = 0.0, [], []
        for i, losses in zip(pairs.positives, pairs.loss, strict=True):
            above = [part * loss for part, loss in zip(count, losses, strict=True)]
            good = sum(part for part, is_positive in zip(above, positive, strict=True) if is_positive)
            sample = int(problem.index[i])
            u_positive = self.average(self.u_positive.get(sample), good)
            u_all = self.average(self.u_all.get(sample), sum(above))
            seen.append((sample, u_positive, u_all))
            value += (1 - u_positive / u_all) / number
            weight.append(
                [
                    part * (u_positive - is_positive * u_all) / u_all**2 / number
                    for part, is_positive in zip(count, positive, strict=True)
                ]
            )
        samples, u_positive, u_all = zip(*seen, strict=True)
        self.u_positive |= largest_of_each(samples, u_positive)
        self.u_all |= largest_of_each(samples, u_all)
        return value, pairs.gradient(weight)

    def average(self, old, new):
        return new if old is None else (1 - self.gamma) * old + self.gamma * new


@given(
    positives=st.integers(1, 7),
    negatives=st.integers(1, 20),
    prevalence=st.none() | st.floats(0.01, 0.99),
    surrogate=st.sampled_from(SURROGATES),
    margin=st.floats(0.2, 2),
    grid=st.sampled_from([None, 0.5, 100.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_first_visit_is_the_formula_over_all_pairs(
    positives, negatives, prevalence, surrogate, margin, grid, seed
):
    problem = random_problem(positives, negatives, seed, grid)
    loss = AveragePrecisionLoss(40, prevalence, surrogate, margin, "none")
    value, gradient = evaluate(loss, problem)
    expected, expected_gradient = Reference(prevalence, surrogate, margin)(problem)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert gradient == pytest.approx(expected_gradient, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("prevalence", [None, 0.02])
def test_whole_batch_gradient_is_autograds_through_the_smoothed_average_precision(surrogate, prevalence):
    problem = random_problem(6, 15)
    scores = problem.scores.clone().requires_grad_()
    good = problem.targets == 1
    lead = scores - scores[good][:, None]
    counts = {
        "squared_hinge": (1 + lead).clamp(min=0) ** 2,
        "logistic": torch.nn.functional.softplus(lead),
        "sigmoid": lead.sigmoid(),
    }[surrogate]
    share = 6 / 21 if prevalence is None else prevalence
    among_positives = share * counts[:, good].mean(1)
    precision = among_positives / (among_positives + (1 - share) * counts[:, ~good].mean(1))
    (expected,) = torch.autograd.grad(1 - precision.mean(), scores)
    loss = AveragePrecisionLoss(21, prevalence, surrogate, activation="none", gamma=1.0).double()
    for _ in range(2):  # gamma = 1 keeps no memory: a second visit is like the first
        value, gradient = evaluate(loss, problem)
        assert value == pytest.approx(1 - precision.mean().item())
        assert gradient == pytest.approx(expected.tolist(), abs=1e-14)


@pytest.mark.parametrize("prevalence", [None, 0.05])
@pytest.mark.parametrize("gamma", [0.2, 1.0])
def test_batch_after_batch_follows_the_paper(prevalence, gamma):
    whole = random_problem(12, 40, seed=3)
    loss = AveragePrecisionLoss(52, prevalence, margin=0.8, activation="none", gamma=gamma).double()
    reference = Reference(prevalence, margin=0.8, gamma=gamma)
    generator = torch.Generator().manual_seed(0)
    for step in range(12):
        rows = torch.randint(52, (24,), generator=generator)
        jitter = 0.3 * torch.randn(24, generator=generator, dtype=torch.float64)
        batch = Problem(whole.scores[rows] + jitter - 0.05 * step, whole.targets[rows], whole.index[rows])
        value, gradient = evaluate(loss, batch)
        expected, expected_gradient = reference(batch)
        assert value == pytest.approx(expected, rel=1e-9)
        assert gradient == pytest.approx(expected_gradient, rel=1e-8, abs=1e-10)
        for name in ("u_positive", "u_all"):
            for sample, average in getattr(reference, name).items():
                assert getattr(loss, name)[sample, 0].item() == pytest.approx(average, rel=1e-9)
    assert (loss.u_all == -1).sum() == 52 - len(reference.u_all)


def test_sharp_counts_give_average_precision_itself():
    """Scores far apart saturate the sigmoid to 0 and 1 (a sample counts half against itself)."""
    for seed in range(10):
        problem = random_problem(7, 30, seed)
        far = problem._replace(scores=1e3 * problem.scores.argsort().argsort().double())
        value, _ = evaluate(AveragePrecisionLoss(37, surrogate="sigmoid", activation="none"), far)
        y, h = far.targets, far.scores
        rank = [(((h > h[i]) & (y == 1)).sum() + 0.5, (h > h[i]).sum() + 0.5) for i in range(37) if y[i] == 1]
        assert value == pytest.approx(1 - mean([(above / total).item() for above, total in rank]), rel=1e-6)
        # The half only shifts counts: at least as high as the figure reported after training.
        assert 1 - value <= average_precision_score(y, h) + 1e-9


def test_prevalence_undoes_class_balanced_batches():
    """Three copies of each positive and the true prevalence: the value of the untouched batch."""
    problem = random_problem(4, 30)
    copies = torch.cat([torch.arange(34), *[(problem.targets == 1).nonzero()[:, 0]] * 2])
    balanced = Problem(problem.scores[copies], problem.targets[copies], problem.index[copies])
    expected, _ = evaluate(AveragePrecisionLoss(34), problem)
    assert evaluate(AveragePrecisionLoss(34), balanced)[0] < expected - 0.1
    assert evaluate(AveragePrecisionLoss(34, prevalence=4 / 34), balanced)[0] == pytest.approx(expected)


def test_gradients_agree_with_finite_differences():
    problem = random_problem(4, 9, seed=1)
    loss = AveragePrecisionLoss(13, prevalence=0.1).eval()
    assert torch.autograd.gradcheck(lambda h: loss(h, problem.targets), (problem.scores.requires_grad_(),))


def test_value_is_the_mean_over_labels_each_with_its_own_states_and_prevalence():
    many = AveragePrecisionLoss(30, prevalence=(0.1, 0.2, 0.3), num_labels=3)
    single = [AveragePrecisionLoss(30, prevalence=share) for share in (0.1, 0.2, 0.3)]
    assert_labels_are_independent(many, single)
    for i, loss in enumerate(single):
        torch.testing.assert_close(many.u_all[:, i], loss.u_all[:, 0])
    assert (many.u_all[:, 2] == -1).all()


def test_batch_without_negatives_teaches_nothing_and_spoils_no_average():
    loss = AveragePrecisionLoss(6)
    scores = torch.randn(6, requires_grad=True)
    value = loss(scores, torch.ones(6), torch.arange(6))
    value.backward()
    assert value.item() == 0
    assert (scores.grad == 0).all()
    assert (loss.u_all == -1).all()


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_extreme_raw_scores_stay_finite(surrogate):
    loss = AveragePrecisionLoss(6, surrogate=surrogate, activation="none")
    for factor in (1e4, -1e4, 1.0):
        scores = (factor * torch.tensor([1.0, -1.0, 0.0, 1.0, -1.0, 0.1])).requires_grad_()
        value = loss(scores, torch.tensor([1, 1, 1, 0, 0, 0]), torch.arange(6))
        value.backward()
        assert 0 <= value.item() <= 1
        assert scores.grad.isfinite().all()


@pytest.mark.parametrize(
    "options",
    [
        {"prevalence": 0.0},
        {"prevalence": 1},
        {"prevalence": (0.1, 0.2)},
        {"gamma": 0.0},
        {"gamma": 1.01},
        {"surrogate": "hinge"},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        AveragePrecisionLoss(10, **options)
