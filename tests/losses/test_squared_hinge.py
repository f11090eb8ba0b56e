"""The sort against exact integers: at sizes where no sum over pairs can be written out in floating point."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from medauc.losses import PairwiseAUCLoss

STEPS = 1024  # scores are whole multiples of 1/1024, exact in float32


def exact(positives, negatives, margin):
    """Mean squared hinge of all pairs and its derivative by every distinct score, from counts in Python integers.

    With k positives below a negative z, their sum s and sum of squares t, the negative adds k z^2 - 2 z s + t.
    """
    levels = sorted({*positives.tolist(), *(negatives + margin).tolist()})
    good = dict(zip(*(x.tolist() for x in np.unique(positives, return_counts=True)), strict=True))
    bad = dict(zip(*(x.tolist() for x in np.unique(negatives + margin, return_counts=True)), strict=True))
    total, count, first, second = 0, 0, 0, 0
    by_negative, by_positive = {}, {}
    for level in levels:
        if level in bad:
            total += bad[level] * (count * level**2 - 2 * level * first + second)
            by_negative[level - margin] = 2 * (count * level - first)
        if level in good:
            count += good[level]
            first += good[level] * level
            second += good[level] * level**2
    count = first = 0
    for level in reversed(levels):
        if level in good:
            by_positive[level] = -2 * (first - count * level)
        if level in bad:
            count += bad[level]
            first += bad[level] * level
    pairs = len(positives) * len(negatives)
    return Fraction(total, pairs * STEPS**2), by_positive, by_negative, Fraction(1, pairs * STEPS)


def deviations(n, prevalence, offset, margin=1.0, seed=0):
    """Largest relative errors of value and gradient of float32 scores."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < prevalence
    whole = np.rint((rng.normal(size=n) + truth) * STEPS / 4).astype(np.int64) + int(offset * STEPS)
    scores = torch.from_numpy(whole / STEPS).float()
    assert (scores.double().numpy() * STEPS == whole).all()
    value, by_positive, by_negative, unit = exact(whole[truth], whole[~truth], int(margin * STEPS))
    scores.requires_grad_()
    found = PairwiseAUCLoss("squared_hinge", margin)(scores, torch.from_numpy(truth))
    found.backward()
    expected = np.empty(n)
    for members, table in ((truth, by_positive), (~truth, by_negative)):
        levels, place = np.unique(whole[members], return_inverse=True)
        expected[members] = np.array([float(table[level] * unit) for level in levels.tolist()])[place]
    gradient = scores.grad.double().numpy()
    assert ((gradient == 0) == (expected == 0)).all()
    some = expected != 0
    return abs(found.item() / float(value) - 1), np.abs(gradient[some] / expected[some] - 1).max()


@pytest.mark.parametrize("offset", [0.0, 8000.0])
@pytest.mark.parametrize(("n", "prevalence"), [(1000, 0.5), (200_000, 0.01)])
def test_float32_scores_lose_nothing_but_the_rounding_of_the_result(n, prevalence, offset):
    """2^-24 is half a unit in the last place of float32; every element of the gradient holds to it."""
    assert max(deviations(n, prevalence, offset)) < 2**-23


@pytest.mark.slow
def test_ten_million_samples():
    assert max(deviations(10_000_000, 0.05, 0.0)) < 2**-23


def test_float64_scores_keep_twelve_digits():
    rng = np.random.default_rng(0)
    truth = rng.random(6_000) < 0.3
    scores = torch.from_numpy(rng.normal(size=6_000) + truth).requires_grad_()
    value = PairwiseAUCLoss("squared_hinge")(scores, torch.from_numpy(truth))
    value.backward()
    good, bad = scores.detach()[truth], scores.detach()[~truth]
    total, by_positive = 0.0, []
    for part in good.split(500):
        short = (1 - part[:, None] + bad).relu()
        total += short.square().sum().item()
        by_positive.append(-2 * short.sum(1))
    pairs = len(good) * len(bad)
    assert value.item() == pytest.approx(total / pairs, rel=1e-12)
    torch.testing.assert_close(scores.grad[truth], torch.cat(by_positive) / pairs, rtol=1e-12, atol=0)


def test_pairs_exactly_at_the_margin_add_nothing_whatever_the_order_of_ties():
    scores = torch.tensor([1.0, 0.0, 1.0, 0.0], requires_grad=True)
    for targets in ([1, 0, 1, 0], [1, 0, 1, -1]):
        value = PairwiseAUCLoss("squared_hinge")(scores, torch.tensor(targets))
        assert value == 0
        assert torch.autograd.grad(value, scores)[0].abs().sum() == 0


def test_an_outlier_does_not_blur_the_others():
    """Coefficients of a parabola would lose the close pair next to 1e12."""
    scores = torch.tensor([1e12, 1e12 + 0.5, -1e12], dtype=torch.float64, requires_grad=True)
    value = PairwiseAUCLoss("squared_hinge")(scores, torch.tensor([1, 0, 0]))
    assert value == 1.5**2 / 2
    assert torch.autograd.grad(value, scores)[0].tolist() == [-1.5, 1.5, 0.0]
