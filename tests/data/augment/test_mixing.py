"""Mixup: who is mixed with whom, by how much, and what becomes of the targets."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.augment import Mixup
from medauc.errors import InputError


def one_hot_batch(targets):
    """Images whose pixel i is 1 in sample i alone, so that a mixture shows its parts."""
    return torch.eye(len(targets)).view(len(targets), 1, 1, -1), torch.as_tensor(targets)


def parts_of(mixed):
    """Share of every sample (column) in every mixture (row)."""
    return mixed.flatten(1)


@settings(max_examples=50)
@given(targets=st.lists(st.integers(-1, 1), min_size=1, max_size=12), seed=st.integers(0, 999))
def test_same_class_mixes_two_of_equal_target_and_keeps_all_targets(targets, seed):
    images, truth = one_hot_batch(targets)
    torch.manual_seed(seed)
    mixed, kept = Mixup(0.5)(images, truth)
    assert torch.equal(kept, truth)
    shares = parts_of(mixed)
    torch.testing.assert_close(shares.sum(1), torch.ones(len(truth)))
    assert (shares.diagonal() >= 0.5 - 1e-6).all()
    for own, row in zip(truth, shares, strict=True):
        assert (truth[row > 0] == own).all()
        assert (row > 0).sum() <= 2


@settings(max_examples=50)
@given(
    targets=st.lists(st.tuples(*[st.integers(-1, 1)] * 2), min_size=1, max_size=12),
    seed=st.integers(0, 999),
)
def test_with_several_labels_only_samples_that_agree_in_all_are_mixed(targets, seed):
    images, truth = one_hot_batch(targets)
    torch.manual_seed(seed)
    mixed, kept = Mixup(1.0)(images, truth)
    assert torch.equal(kept, truth)
    for own, row in zip(truth, parts_of(mixed), strict=True):
        assert (truth[row > 0] == own).all()


@settings(max_examples=50)
@given(
    targets=st.lists(st.tuples(*[st.integers(-1, 1)] * 3), min_size=2, max_size=12),
    seed=st.integers(0, 999),
)
def test_any_mixes_targets_as_images_and_unknown_with_anything_is_unknown(targets, seed):
    images, truth = one_hot_batch(targets)
    torch.manual_seed(seed)
    mixed, soft = Mixup(1.0, "any")(images, truth)
    shares = parts_of(mixed)
    for row, label in zip(shares, soft, strict=True):
        parts = truth[row > 0]
        unknown = (parts == -1).any(0)
        expected = (row @ truth.float()).where(~unknown, -1.0)
        torch.testing.assert_close(label, expected)


def test_every_other_sample_of_the_class_is_a_partner_equally_often():
    targets = torch.tensor([1, 0, 1, 0, 1, 1])
    images, _ = one_hot_batch(targets)
    torch.manual_seed(0)
    counts = torch.zeros(6, 6)
    for _ in range(1500):
        mixed, _ = Mixup(1.0)(images, targets)
        counts += (parts_of(mixed) > 0) & ~torch.eye(6, dtype=torch.bool)
    positives = counts[0, [2, 4, 5]] / counts[0].sum()
    torch.testing.assert_close(positives, torch.full((3,), 1 / 3), atol=0.05, rtol=0)  # 4 standard errors
    assert counts[1, 3] == counts[1].sum()
    assert counts[targets[:, None] != targets].sum() == 0


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_are_a_beta_distribution_folded_about_one_half(alpha):
    images = torch.zeros(4000, 1, 1, 2)
    images[::2, ..., 0], images[1::2, ..., 1] = 1, 1
    torch.manual_seed(0)
    mixed, soft = Mixup(alpha, "any")(images, torch.arange(4000) % 2)
    own = torch.where(torch.arange(4000) % 2 == 0, mixed[:, 0, 0, 0], mixed[:, 0, 0, 1])
    assert own.min() >= 0.5
    if alpha >= 1:  # less, and rounding to 1 is common
        crossed = own[own < 1]  # with a partner of the other colour, as about half are
        law = scipy.stats.beta(alpha, alpha)
        assert scipy.stats.kstest(crossed.numpy(), lambda x: 2 * law.cdf(x) - 1).pvalue > 1e-3
    expected = scipy.stats.beta(alpha + 1, alpha).sf(0.5)  # the mean of the folded law
    mixtures = 1 - (1 - expected) / 2  # a partner of the own colour, as every other one, changes nothing
    assert own.mean() == pytest.approx(mixtures, abs=0.01)
    assert (soft >= 0).all()


def test_the_mean_of_each_class_is_kept_on_average():
    targets = torch.tensor([0] * 10 + [1] * 4)
    images = torch.rand(14, 1, 4, 4)
    torch.manual_seed(0)
    mixed = torch.stack([Mixup(0.4)(images, targets)[0] for _ in range(3000)]).mean(0)
    for label in (0, 1):
        members = targets == label
        torch.testing.assert_close(mixed[members].mean(0), images[members].mean(0), atol=0.01, rtol=0)


def test_a_sample_alone_in_its_class_stays_to_the_bit():
    images = torch.rand(4, 1, 3, 3)
    mixed, _ = Mixup(1.0)(images, torch.tensor([0, 0, 0, 1]))
    assert torch.equal(mixed[3], images[3])
    assert not torch.equal(mixed[:3], images[:3])


def test_nothing_is_mixed_in_evaluation_or_without_alpha():
    images, targets = torch.rand(4, 1, 3, 3), torch.tensor([0, 0, 1, 1])
    for mixup in (Mixup(1.0, "any").eval(), Mixup()):
        state = torch.get_rng_state()
        mixed, kept = mixup(images, targets)
        assert mixed is images
        assert kept is targets
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("alpha", [1e-3, 0.01, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_extreme_alphas_make_finite_mixtures_of_the_images_own_dtype(alpha, dtype):
    images = torch.rand(500, 1, 2, 2).to(dtype)
    mixed, soft = Mixup(alpha, "any")(images, torch.arange(500) % 2)
    assert mixed.dtype == dtype
    assert mixed.isfinite().all()
    assert ((soft >= 0) & (soft <= 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1}, "mixup is -1; it must be at least 0"),
        ({"alpha": math.inf}, "mixup is inf"),
        ({"alpha": 1, "partners": "all"}, "mixup_partners is 'all'; it must be same_class or any"),
    ],
)
def test_mixup_options_out_of_range_are_named(options, message):
    with pytest.raises(InputError, match=message):
        Mixup(**options)
