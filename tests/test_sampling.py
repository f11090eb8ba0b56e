import json
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from medauc.sampling import ClassBalancedBatchSampler, ShuffledBatchSampler

SIZES = {
    "positives": st.integers(1, 40),
    "negatives": st.integers(1, 40),
    "batch_size": st.integers(2, 24),
    "share": st.floats(0.01, 0.99),
    "seed": st.integers(-5, 2**40),
}


def targets_of(positives, negatives):
    return [1] * positives + [0] * negatives


def endless(sampler):
    while True:
        yield from sampler


def make(kind, seed=0):
    if kind == "balanced":
        return ClassBalancedBatchSampler(targets_of(7, 30), 8, 0.4, seed)
    return ShuffledBatchSampler(37, 8, seed, drop_last=kind == "dropping")


KINDS = ["balanced", "shuffled", "dropping"]


@given(**SIZES)
@settings(max_examples=80, deadline=None)
def test_every_batch_has_its_share_and_every_member_its_turn(positives, negatives, batch_size, share, seed):
    sampler = ClassBalancedBatchSampler(targets_of(positives, negatives), batch_size, share, seed)
    assert len(sampler) == -(-(positives + negatives) // batch_size)
    batches = list(islice(endless(sampler), 3 * len(sampler)))
    wanted = min(max(round(batch_size * share), 1), batch_size - 1)
    visits = {True: [], False: []}
    for batch in batches:
        assert len(batch) == batch_size
        parts = {
            is_positive: [i for i in batch if (i < positives) == is_positive] for is_positive in (True, False)
        }
        assert len(parts[True]) == wanted
        for is_positive, size in ((True, positives), (False, negatives)):
            repeats = max(Counter(parts[is_positive]).values())
            assert repeats == 1 or size < len(parts[is_positive])
            assert repeats <= -(-len(parts[is_positive]) // size) + 1
            visits[is_positive] += parts[is_positive]
    for is_positive, size in ((True, positives), (False, negatives)):
        for start in range(0, len(visits[is_positive]) - size + 1, size):
            assert len(set(visits[is_positive][start : start + size])) == size


@given(**SIZES, stop=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_balanced_run_continues_as_if_never_interrupted(positives, negatives, batch_size, share, seed, stop):
    arguments = targets_of(positives, negatives), batch_size, share, seed
    sampler, whole = ClassBalancedBatchSampler(*arguments), endless(ClassBalancedBatchSampler(*arguments))
    list(islice(endless(sampler), stop))
    resumed = ClassBalancedBatchSampler(*arguments)
    resumed.load_state_dict(json.loads(json.dumps(sampler.state_dict())))
    list(islice(whole, stop))
    assert list(islice(endless(resumed), 10)) == list(islice(whole, 10))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [0, 1, 3, 4, 5, 9, 10])
def test_resumed_epochs_end_where_the_interrupted_ones_would(kind, stop):
    sampler, whole = make(kind), make(kind)
    list(islice(endless(sampler), stop))
    resumed = make(kind)
    resumed.load_state_dict(sampler.state_dict())
    epochs = [list(whole) for _ in range(6)]
    expected, passed = [], 0
    for epoch in epochs:
        expected.append(epoch[max(stop - passed, 0) :])
        passed += len(epoch)
    expected = [epoch for epoch in expected if epoch]
    assert [list(resumed) for _ in range(len(expected))] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_seed_decides(kind):
    assert list(make(kind, 1)) == list(make(kind, 1))
    assert list(make(kind, 1)) != list(make(kind, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_epochs_differ(kind):
    sampler = make(kind)
    assert list(sampler) != list(sampler)


@pytest.mark.parametrize("kind", KINDS)
def test_global_generators_play_no_part(kind):
    torch.manual_seed(0)
    first = list(make(kind))
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert list(make(kind)) == first
    torch.set_rng_state(state)
    list(make(kind))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", KINDS)
def test_abandoned_epoch_is_followed_by_a_full_one(kind):
    sampler = make(kind)
    next(iter(sampler))
    assert len(list(sampler)) == len(sampler)


@pytest.mark.parametrize("kind", KINDS)
def test_works_in_a_data_loader(kind):
    sampler, alike = make(kind), make(kind)
    loader = DataLoader(TensorDataset(torch.arange(37)), batch_sampler=sampler)
    assert len(loader) == len(sampler)
    assert [batch.tolist() for (batch,) in loader] == list(alike)


@pytest.mark.parametrize(
    "targets", [np.array([[1], [0], [0]], np.uint8), torch.tensor([1.0, 0, 0]), [True, False, False]]
)
def test_targets_may_be_any_array(targets):
    assert next(iter(ClassBalancedBatchSampler(targets, 2)))[0] == 0


def test_fewer_samples_than_a_batch_still_give_one_batch():
    """LibAUC's sampler yields none."""
    batches = list(ClassBalancedBatchSampler([1, 0, 0], batch_size=8))
    assert [Counter(batch)[0] for batch in batches] == [4]
    assert list(ShuffledBatchSampler(3, 8, drop_last=True)) != []


def test_few_negatives_are_walked_too():
    """LibAUC's sampler raises."""
    batches = list(ClassBalancedBatchSampler([0, 1, 1, 1, 1, 1, 1, 1], batch_size=4))
    assert all(batch[2:] == [0, 0] for batch in batches)


def test_order_within_a_turn_is_uniform():
    """Each of 6 negatives should be first in a turn, and last in it, in about a sixth of 3000 turns."""
    sampler = ClassBalancedBatchSampler(targets_of(1, 6), 4, 0.5)
    walked = [i for batch in islice(endless(sampler), 9000) for i in batch[2:]]
    for position in (0, 5):
        counts = Counter(walked[position::6])
        assert len(counts) == 6
        assert all(abs(count - 500) < 6 * (3000 * 5 / 36) ** 0.5 for count in counts.values())


@given(size=st.integers(1, 60), batch_size=st.integers(1, 70), drop=st.booleans(), seed=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_shuffled_epoch_visits_every_sample_once(size, batch_size, drop, seed):
    assume(not drop or size >= batch_size)
    sampler = ShuffledBatchSampler(size, batch_size, seed, drop)
    batches = list(sampler)
    assert len(batches) == len(sampler) == (size // batch_size if drop else -(-size // batch_size))
    visited = [i for batch in batches for i in batch]
    assert len(set(visited)) == len(visited) == (len(batches) * batch_size if drop else size)
    assert set(visited) <= set(range(size))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 0, 0], 4), "all 3 targets are negative"),
        (([1, 1], 4), "all 2 targets are positive"),
        (([], 4), "both classes"),
        (([0, 1, -1], 4), "unknown"),
        (([0, 1, 2], 4), "0 or 1"),
        (([[0, 1], [1, 0]], 4), "ShuffledBatchSampler"),
        (([0, 1], 1), "batch_size"),
        (([0, 1], 4, 0.0), "positive_share"),
        (([0, 1], 4, 1.0), "positive_share"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassBalancedBatchSampler(*arguments)


@pytest.mark.parametrize("arguments", [(0, 4), (4, 0)])
def test_wrong_sizes_are_refused(arguments):
    with pytest.raises(ValueError, match="at least 1"):
        ShuffledBatchSampler(*arguments)


@pytest.mark.parametrize(
    ("saved", "other"),
    [
        (ClassBalancedBatchSampler([0, 1], 2, seed=1), ClassBalancedBatchSampler([0, 1], 2, seed=2)),
        (ClassBalancedBatchSampler([0, 1], 2), ClassBalancedBatchSampler([0, 1], 4)),
        (ClassBalancedBatchSampler([0, 1], 2), ClassBalancedBatchSampler([0, 1, 1], 2)),
        (ShuffledBatchSampler(4, 2), ShuffledBatchSampler(5, 2)),
    ],
)
def test_state_of_another_sampler_is_refused(saved, other):
    with pytest.raises(ValueError, match="this sampler"):
        other.load_state_dict(saved.state_dict())
