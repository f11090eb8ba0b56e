import copy
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.losses import AUCMLoss, PairwiseAUCLoss
from medauc.losses.pairs import SURROGATES, sum_over_pairs

every_surrogate = pytest.mark.parametrize("surrogate", SURROGATES)

PHI = {
    "square": lambda d, margin: (margin - d) ** 2,
    "squared_hinge": lambda d, margin: max(0.0, margin - d) ** 2,
    "logistic": lambda d, margin: float(np.logaddexp(0.0, -d)),
    "sigmoid": lambda d, margin: math.exp(-float(np.logaddexp(0.0, d))),
}
SLOPE = {
    "square": lambda d, margin: -2 * (margin - d),
    "squared_hinge": lambda d, margin: -2 * max(0.0, margin - d),
    "logistic": lambda d, margin: -math.exp(-float(np.logaddexp(0.0, d))),
    "sigmoid": lambda d, margin: -math.exp(-float(np.logaddexp(0.0, d) + np.logaddexp(0.0, -d))),
}


def phi(surrogate, d, margin):
    """The surrogates in torch, to be differentiated by it."""
    if surrogate == "logistic":
        return torch.logaddexp(torch.zeros_like(d), -d)
    if surrogate == "sigmoid":
        return 1 / (1 + d.exp())
    return ((margin - d).relu() if surrogate == "squared_hinge" else margin - d).square()


def pair_by_pair(surrogate, positives, negatives, margin, fixed_positives=(), fixed_negatives=()):
    """Mean over pairs in Python floats, and its gradient by positives, then negatives; pairs of fixed ones are out."""
    pairs = [(i, j) for i in range(len(positives)) for j in range(len(negatives) + len(fixed_negatives))]
    pairs += [
        (i, j)
        for i in range(len(positives), len(positives) + len(fixed_positives))
        for j in range(len(negatives))
    ]
    left, right = [*positives, *fixed_positives], [*negatives, *fixed_negatives]
    slopes = [0.0] * len(left), [0.0] * len(right)
    total = 0.0
    for i, j in pairs:
        total += PHI[surrogate](left[i] - right[j], margin) / len(pairs)
        slope = SLOPE[surrogate](left[i] - right[j], margin) / len(pairs)
        slopes[0][i] += slope
        slopes[1][j] -= slope
    return total, slopes[0][: len(positives)], slopes[1][: len(negatives)]


def check(loss, scores, targets, fixed_positives=(), fixed_negatives=(), rtol=1e-9):
    """Value and gradient of one label against the sum pair by pair."""
    h = torch.as_tensor(scores, dtype=torch.float64).requires_grad_()
    y = torch.as_tensor(targets)
    value = loss(h, y)
    value.backward()
    known = h.detach().tolist(), y.tolist()
    good, bad = ([s for s, t in zip(*known, strict=True) if t == c] for c in (1, 0))
    expected = pair_by_pair(loss.surrogate, good, bad, loss.margin, fixed_positives, fixed_negatives)
    np.testing.assert_allclose(value.item(), expected[0], rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(h.grad[y == 1], expected[1], rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(h.grad[y == 0], expected[2], rtol=rtol, atol=1e-12)
    assert (h.grad[y == -1] == 0).all()


@given(
    surrogate=st.sampled_from(SURROGATES),
    samples=st.lists(
        st.tuples(
            st.one_of(st.floats(-4, 4), st.sampled_from([0.0, 0.5, 1.0])), st.sampled_from([-1, 0, 0, 1])
        ),
        max_size=14,
    ),
    margin=st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(max_examples=150)
def test_value_and_gradient_are_those_of_all_pairs(surrogate, samples, margin):
    """Sizes from empty on, any prevalence, ties with and without the margin between them, masked entries."""
    scores, targets = [s for s, _ in samples], [t for _, t in samples]
    check(PairwiseAUCLoss(surrogate, margin), scores, torch.tensor(targets, dtype=torch.long))


@every_surrogate
def test_constant_scores_are_one_pair(surrogate):
    check(PairwiseAUCLoss(surrogate), [0.3] * 7, [1, 0, 0, 1, 0, -1, 1])


@every_surrogate
@pytest.mark.parametrize("scale", [1e4, 1e8])
def test_extreme_scores(surrogate, scale):
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(size=8), [scale, -scale, scale, -scale]])
    check(PairwiseAUCLoss(surrogate), scores, [1, 0] * 6, rtol=1e-7)


@every_surrogate
def test_float32_scores_near_its_limit_give_no_nan(surrogate):
    scores = torch.tensor([1e30, -1e30, 0.0, -1e30, 1e30, 1.0], requires_grad=True)
    value = PairwiseAUCLoss(surrogate)(scores, torch.tensor([1, 1, 1, 0, 0, 0]))
    value.backward()
    assert not value.isnan()  # a square of 1e60 is infinite in float32
    assert scores.grad.isfinite().all()


@every_surrogate
@pytest.mark.parametrize("offset", [1e6, -1.6e7])
def test_an_offset_of_all_scores_changes_nothing(surrogate, offset):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(-8, 9, (300,), generator=generator).float()  # exact in float32 at both offsets
    targets = (torch.rand(300, generator=generator) < 0.2).long()
    near, far = scores.clone().requires_grad_(), (scores + offset).requires_grad_()
    values = [PairwiseAUCLoss(surrogate)(h, targets) for h in (near, far)]
    for value in values:
        value.backward()
    torch.testing.assert_close(values[0], values[1], rtol=1e-6, atol=0)
    torch.testing.assert_close(near.grad, far.grad, rtol=1e-5, atol=1e-9)


@every_surrogate
@pytest.mark.parametrize(("positives", "negatives"), [(0, 4), (4, 0), (0, 0)])
@pytest.mark.parametrize("memory", [0, 3])
def test_no_pair_is_zero_with_zero_gradient_and_silent(surrogate, positives, negatives, memory):
    scores = torch.randn(positives + negatives, requires_grad=True)
    targets = (torch.arange(positives + negatives) < positives).long()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = PairwiseAUCLoss(surrogate, memory=memory)(scores, targets)
        value.backward()
    assert value == 0
    assert scores.grad.abs().sum() == 0


@every_surrogate
@pytest.mark.parametrize("activation", ["none", "sigmoid"])
def test_first_and_second_derivatives_agree_with_finite_differences(surrogate, activation):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(9, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(-1, 2, (9, 2), generator=generator)
    loss = PairwiseAUCLoss(surrogate, 0.7, activation)
    assert torch.autograd.gradcheck(lambda h: loss(h, targets), scores)
    assert torch.autograd.gradgradcheck(lambda h: loss(h, targets), scores)


@every_surrogate
def test_hessian_by_torch_func_is_that_of_the_written_out_pairs(surrogate):
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(1, 11, generator=generator, dtype=torch.float64)
    weights = torch.rand(2, 1, 11, generator=generator, dtype=torch.float64)
    weights[0, :, :5], weights[1, :, 5:] = 0, 0

    def written_out(h):
        d = h[0, :, None] - h[0, None, :]
        return (weights[0, 0, :, None] * weights[1, 0] * phi(surrogate, d, 0.6)).sum()

    def ours(h):
        return sum_over_pairs(surrogate, h, weights, 0.6).sum()

    for derivative in (torch.func.grad, lambda f: torch.func.jacrev(torch.func.grad(f))):
        torch.testing.assert_close(derivative(ours)(scores), derivative(written_out)(scores))


@every_surrogate
def test_vmap_of_gradients_is_the_loop(surrogate):
    scores, targets = torch.randn(4, 10).double(), torch.randint(-1, 2, (4, 10))
    loss = PairwiseAUCLoss(surrogate)
    together = torch.func.vmap(torch.func.grad(loss))(scores, targets)
    alone = torch.stack([torch.func.grad(loss)(h, y) for h, y in zip(scores, targets, strict=True)])
    torch.testing.assert_close(together, alone)


@every_surrogate
def test_labels_are_independent_and_one_without_pairs_counts_in_the_mean(surrogate):
    scores = torch.randn(20, 3, dtype=torch.float64)
    targets = torch.randint(-1, 2, (20, 3))
    targets[:, 1] = torch.randint(-1, 1, (20,))
    loss = PairwiseAUCLoss(surrogate)
    single = [loss(scores[:, i], targets[:, i]) for i in range(3)]
    assert single[1] == 0
    torch.testing.assert_close(loss(scores, targets), sum(single) / 3)


@every_surrogate
def test_chunks_of_a_large_batch_fit_together(surrogate):
    """700 x 800 pairs do not fit into one chunk; the mean over pairs is that of torch's own broadcasting."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(1500, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = (torch.randperm(1500, generator=generator) < 700).long()
    good, bad = scores[targets == 1], scores[targets == 0]
    d = good[:, None] - bad
    expected = phi(surrogate, d, 1.0).mean()
    value = PairwiseAUCLoss(surrogate)(scores, targets)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, scores)[0] for v in (value, expected)))


def test_square_is_aucm_v2_with_its_dual_variable_unconstrained():
    scores, targets = torch.randn(30, dtype=torch.float64), (torch.arange(30) < 11).long()
    a, b = scores[targets == 1].mean(), scores[targets == 0].mean()
    aucm = AUCMLoss(0.8, "v2", activation="none").double()
    with torch.no_grad():
        for variable, value in ((aucm.a, a), (aucm.b, b), (aucm.alpha, 0.8 + b - a)):
            variable.copy_(value)
    torch.testing.assert_close(PairwiseAUCLoss("square", 0.8)(scores, targets), aucm(scores, targets))


def test_squared_hinge_equals_the_square_when_no_pair_reaches_the_margin():
    scores, targets = torch.rand(40, dtype=torch.float64), (torch.arange(40) < 9).long()
    torch.testing.assert_close(
        PairwiseAUCLoss("squared_hinge", margin=1.5)(scores, targets),
        PairwiseAUCLoss("square", margin=1.5)(scores, targets),
    )


# -- memory -----------------------------------------------------------------------------------------------------


@every_surrogate
@given(data=st.data())
@settings(max_examples=15)
def test_memory_adds_exactly_the_pairs_with_the_last_scores(surrogate, data):
    """The reference keeps its own plain lists of what was seen."""
    size = data.draw(st.integers(1, 6))
    loss = PairwiseAUCLoss(surrogate, memory=size).double()
    seen = {0: [], 1: []}
    for _ in range(4):
        batch = data.draw(st.lists(st.tuples(st.floats(-2, 2), st.sampled_from([-1, 0, 1])), max_size=6))
        scores, targets = [s for s, _ in batch], [t for _, t in batch]
        check(loss, scores, torch.tensor(targets, dtype=torch.long), seen[1][-size:], seen[0][-size:])
        for score, target in batch:
            if target >= 0:
                seen[target].append(score)
        for row, target in ((0, 1), (1, 0)):
            kept = loss.remembered[row, 0]
            assert kept[~kept.isnan()].tolist() == seen[target][-size:]


def test_a_batch_without_positives_learns_from_remembered_ones():
    loss = PairwiseAUCLoss(memory=8)
    loss(torch.tensor([1.0, 0.0]), torch.tensor([1, 0]))
    scores = torch.tensor([0.5, 0.7], requires_grad=True)
    loss(scores, torch.tensor([0, 0])).backward()
    assert (scores.grad > 0).all()


def test_memory_of_each_label_skips_what_is_unknown():
    loss = PairwiseAUCLoss(memory=2, num_labels=2)
    loss(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([[1, -1], [1, 0], [1, 0]]))
    assert loss.remembered[0, 0].tolist() == [3.0, 5.0]
    assert loss.remembered[0, 1].isnan().all()
    assert loss.remembered[1, 1].tolist() == [4.0, 6.0]


def test_a_score_that_is_not_a_number_is_never_remembered():
    loss = PairwiseAUCLoss(memory=2)
    loss(torch.tensor([float("nan"), 1.0]), torch.tensor([1, 1]))
    assert loss.remembered[0, 0, 1] == 1.0
    assert loss.remembered[0, 0, 0].isnan()


def test_evaluation_uses_memory_and_leaves_it():
    loss = PairwiseAUCLoss(memory=4)
    loss(torch.tensor([1.0, 0.0]), torch.tensor([1, 0]))
    before = loss.remembered.clone()
    loss.eval()
    assert loss(torch.tensor([0.5]), torch.tensor([0])) == 0.25
    torch.testing.assert_close(loss.remembered, before, equal_nan=True)


def test_memory_survives_state_dict_and_deepcopy_bit_by_bit():
    first = PairwiseAUCLoss(memory=5)
    batches = [(torch.randn(6), torch.randint(0, 2, (6,))) for _ in range(6)]
    for batch in batches[:3]:
        first(*batch)
    second, third = PairwiseAUCLoss(memory=5), copy.deepcopy(first)
    second.load_state_dict(first.state_dict())
    for batch in batches[3:]:
        assert len({loss(*batch).item() for loss in (first, second, third)}) == 1


def test_without_memory_there_is_no_state():
    assert not PairwiseAUCLoss(num_labels=3).state_dict()


def test_for_targets_remembers_for_their_labels():
    assert PairwiseAUCLoss.for_targets(torch.zeros(5, 3), memory=2).remembered.shape == (2, 3, 2)
    assert PairwiseAUCLoss.for_targets(torch.zeros(5), memory=2).num_labels == 1


def test_memory_for_another_number_of_labels_is_refused():
    with pytest.raises(ValueError, match="num_labels=2, scores have 3"):
        PairwiseAUCLoss(memory=4, num_labels=2)(torch.zeros(4, 3), torch.zeros(4, 3))


@pytest.mark.parametrize(
    "options",
    [{"surrogate": "hinge"}, {"margin": 0.0}, {"activation": "tanh"}, {"memory": -1}, {"num_labels": 0}],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PairwiseAUCLoss(**options)


@every_surrogate
def test_autocast_computes_as_without_it(surrogate):
    scores, targets = torch.randn(64), (torch.arange(64) < 20).long()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = PairwiseAUCLoss(surrogate)(scores, targets)
    assert value == PairwiseAUCLoss(surrogate)(scores, targets)


@every_surrogate
def test_half_precision_scores_are_computed_in_float32(surrogate):
    scores, targets = torch.randn(16).bfloat16(), torch.tensor([0, 1] * 8)
    value = PairwiseAUCLoss(surrogate)(scores, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, PairwiseAUCLoss(surrogate)(scores.float(), targets))
