import math

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
    mean,
    random_problem,
)
from medauc.losses import PartialAUCKLLoss, PartialAUCLoss


class Reference:
    """The loss in plain Python, with u and v themselves rather than their logarithms."""

    def __init__(
        self, temperature, positive_temperature=None, surrogate="squared_hinge", margin=1.0, gamma=0.9
    ):
        self.temperature, self.positive_temperature = temperature, positive_temperature
        self.surrogate, self.margin, self.gamma = surrogate, margin, gamma
        self.u, self.v = {}, None

    def __call__(self, problem):
        pairs = Pairs(problem, self.surrogate, self.margin)
        power = [[math.exp(loss / self.temperature) for loss in row] for row in pairs.loss]
        samples = [int(problem.index[i]) for i in pairs.positives]
        u = [self.average(self.u.get(i), mean(row)) for i, row in zip(samples, power, strict=True)]
        self.u |= largest_of_each(samples, u)
        value, outer = self.over_positives(u)
        negatives = len(pairs.others)
        weight = [
            [share * pair / average / negatives for pair in row]
            for share, average, row in zip(outer, u, power, strict=True)
        ]
        return value, pairs.gradient(weight)

    def over_positives(self, u):
        if self.positive_temperature is None:
            return mean([self.temperature * math.log(average) for average in u]), [1 / len(u)] * len(u)
        powers = [average ** (self.temperature / self.positive_temperature) for average in u]
        self.v = self.average(self.v, mean(powers))
        return self.positive_temperature * math.log(self.v), [power / self.v / len(u) for power in powers]

    def average(self, old, new):
        return new if old is None else (1 - self.gamma) * old + self.gamma * new


@given(
    positives=st.integers(1, 7),
    negatives=st.integers(1, 20),
    temperature=st.floats(0.1, 5),
    positive_temperature=st.none() | st.floats(0.1, 5),
    surrogate=st.sampled_from(SURROGATES),
    margin=st.floats(0.2, 2),
    grid=st.sampled_from([None, 0.5, 100.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_first_visit_is_the_formula_over_all_pairs(
    positives, negatives, temperature, positive_temperature, surrogate, margin, grid, seed
):
    problem = random_problem(positives, negatives, seed, grid)
    problem = problem._replace(scores=problem.scores.clamp(-1.5, 1.5))  # within the range of the plain exp
    loss = PartialAUCKLLoss(40, temperature, positive_temperature, surrogate, margin, "none")
    value, gradient = evaluate(loss, problem)
    expected, expected_gradient = Reference(temperature, positive_temperature, surrogate, margin)(problem)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert gradient == pytest.approx(expected_gradient, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("positive_temperature", [None, 0.7])
@pytest.mark.parametrize("gamma", [0.2, 1.0])
def test_batch_after_batch_follows_the_paper(positive_temperature, gamma):
    whole = random_problem(12, 40, seed=3)
    loss = PartialAUCKLLoss(
        52, 0.5, positive_temperature, margin=0.8, activation="none", gamma=gamma
    ).double()
    reference = Reference(0.5, positive_temperature, margin=0.8, gamma=gamma)
    generator = torch.Generator().manual_seed(0)
    for step in range(12):
        rows = torch.randint(52, (24,), generator=generator)
        jitter = 0.3 * torch.randn(24, generator=generator, dtype=torch.float64)
        batch = Problem(whole.scores[rows] + jitter - 0.05 * step, whole.targets[rows], whole.index[rows])
        value, gradient = evaluate(loss, batch)
        expected, expected_gradient = reference(batch)
        assert value == pytest.approx(expected, rel=1e-9)
        assert gradient == pytest.approx(expected_gradient, rel=1e-8, abs=1e-10)
        for sample, average in reference.u.items():
            assert loss.log_u[sample, 0].item() == pytest.approx(math.log(average), rel=1e-9, abs=1e-12)
        if positive_temperature is not None:
            assert loss.log_v.item() == pytest.approx(math.log(reference.v), rel=1e-9)
    assert ((loss.log_u == -1).sum() == 52 - len(reference.u)).all()


@pytest.mark.parametrize("positive_temperature", [None, 0.4])
def test_gradients_agree_with_finite_differences(positive_temperature):
    problem = random_problem(4, 9, seed=1)
    loss = PartialAUCKLLoss(13, 0.3, positive_temperature).eval()
    assert torch.autograd.gradcheck(lambda h: loss(h, problem.targets), (problem.scores.requires_grad_(),))


def test_temperature_goes_from_the_hardest_negative_to_the_mean_over_all():
    problem = random_problem(5, 12)
    pairs = Pairs(problem, "squared_hinge", 1.0)

    def value(temperature, positive_temperature=None):
        return evaluate(PartialAUCKLLoss(17, temperature, positive_temperature, activation="none"), problem)[
            0
        ]

    assert value(1e-3) == pytest.approx(mean([max(row) for row in pairs.loss]), abs=0.01)
    assert value(1e5) == pytest.approx(mean([mean(row) for row in pairs.loss]), abs=1e-3)
    assert value(1e-3, 1e-3) == pytest.approx(max(max(row) for row in pairs.loss), abs=0.01)
    assert value(0.3, 1e5) == pytest.approx(value(0.3), abs=1e-3)


def test_entropic_risk_bounds_the_hard_limit():
    """For every temperature, CVaR at share b is at most the KL value plus temperature * log(1 / b)."""
    for seed in range(10):
        problem = random_problem(6, 20, seed)
        hard = evaluate(PartialAUCLoss(26, 0.15, activation="none"), problem)[0]
        for temperature in (0.1, 0.5, 2.0):
            soft = evaluate(PartialAUCKLLoss(26, temperature, activation="none"), problem)[0]
            assert hard <= soft + temperature * math.log(1 / 0.15)


@pytest.mark.parametrize("positive_temperature", [None, 0.01, 10.0])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_nothing_overflows(temperature, positive_temperature, surrogate):
    """exp(L / lambda) would be exp(4e10) here; the weights of the averages change by as much between batches."""
    loss = PartialAUCKLLoss(6, temperature, positive_temperature, surrogate, activation="none", gamma=0.1)
    for factor in (1e4, 1.0, -1e4, 1e-3):
        scores = (factor * torch.tensor([1.0, -1.0, 0.0, 1.0, -1.0, 0.1])).requires_grad_()
        value = loss(scores, torch.tensor([1, 1, 1, 0, 0, 0]), torch.arange(6))
        value.backward()
        assert value.isfinite()
        assert scores.grad.isfinite().all()
        assert loss.log_u.isfinite().all()


@pytest.mark.parametrize("positive_temperature", [None, 0.5])
def test_labels_are_independent_problems_with_their_own_states(positive_temperature):
    many = PartialAUCKLLoss(30, 0.4, positive_temperature, num_labels=3)
    single = [PartialAUCKLLoss(30, 0.4, positive_temperature) for _ in range(3)]
    assert_labels_are_independent(many, single)
    for i, loss in enumerate(single):
        torch.testing.assert_close(many.log_u[:, i], loss.log_u[:, 0])
        if positive_temperature is not None:
            torch.testing.assert_close(many.log_v[i], loss.log_v[0])


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.0},
        {"positive_temperature": -1.0},
        {"gamma": 0.0},
        {"gamma": 1.5},
        {"temperature": math.nan},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PartialAUCKLLoss(10, **options)
