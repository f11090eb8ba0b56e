"""Class-balanced and shuffled batches of samples, as one process draws them."""

from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fixtures.samplers import batches_of
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


@given(**SIZES)
@settings(max_examples=80)
def test_every_batch_has_its_share_and_every_member_its_turn(positives, negatives, batch_size, share, seed):
    sampler = ClassBalancedBatchSampler(targets_of(positives, negatives), batch_size, share, seed)
    assert len(sampler) == -(-(positives + negatives) // batch_size)
    batches = list(batches_of(sampler, 3 * len(sampler)))
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


def order_of(members, stream):
    """Reference: the members in the random order that belongs to a stream's name."""
    seed = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big")
    return [members[i] for i in torch.randperm(len(members), generator=torch.Generator().manual_seed(seed))]


def reference_walk(members, part, stream):
    """Reference: ``part`` members a batch from a queue that is refilled turn by turn, none twice where possible."""
    queue, turn = [], 0
    while True:
        batch = []
        while len(batch) < part:
            if not queue:
                queue, turn = order_of(members, f"{stream}/{turn}"), turn + 1
            fresh = [member for member in queue if member not in batch] if part <= len(members) else queue
            batch.append(fresh[0])
            queue.remove(fresh[0])
        yield batch


@given(**SIZES)
@settings(max_examples=40)
def test_balanced_batches_are_those_of_two_plain_queues(positives, negatives, batch_size, share, seed):
    sampler = ClassBalancedBatchSampler(targets_of(positives, negatives), batch_size, share, seed)
    part = min(max(round(batch_size * share), 1), batch_size - 1)
    first = reference_walk(list(range(positives)), part, f"{seed}/positive")
    members = list(range(positives, positives + negatives))
    second = reference_walk(members, batch_size - part, f"{seed}/negative")
    for batch in batches_of(sampler, 12):
        assert batch == next(first) + next(second)


@given(size=st.integers(1, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 9))
@settings(max_examples=30)
def test_shuffled_batches_cut_one_order_an_epoch(size, batch_size, seed):
    sampler = ShuffledBatchSampler(size, batch_size, seed)
    for epoch in range(3):
        assert [i for batch in sampler for i in batch] == order_of(range(size), f"{seed}/{epoch}")


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
    walked = [i for batch in batches_of(sampler, 9000) for i in batch[2:]]
    for position in (0, 5):
        counts = Counter(walked[position::6])
        assert len(counts) == 6
        assert all(abs(count - 500) < 6 * (3000 * 5 / 36) ** 0.5 for count in counts.values())


@given(size=st.integers(1, 60), batch_size=st.integers(1, 70), drop=st.booleans(), seed=st.integers(0, 9))
@settings(max_examples=50)
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
        (([[0, 1], [1, 0]], 4), "LabelBalancedBatchSampler"),
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
