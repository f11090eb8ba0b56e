"""Orders by windows of shards: turns, windows, what is announced, and how near they come to a full shuffle."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.samplers import batches_of
from medauc.sampling import ClassBalancedBatchSampler, Shards, ShardShuffledBatchSampler
from medauc.sampling.order import WindowedOrder, order_of


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.integers(1, 6), st.integers(0, 3))
@settings(max_examples=80)
def test_a_turn_visits_every_member_once_by_windows_of_few_shards(of_sample, window, cycle):
    shards = Shards(torch.tensor(of_sample), window)
    members = torch.arange(0, len(of_sample), 2)
    order = WindowedOrder(members, "stream", shards)
    position, visited, seen = 0, [], set()
    while position < len(order):
        start, found = order.stretch(cycle, position)
        assert start == position
        assert order.stretch(cycle, position + len(found) - 1) == (start, found)
        held = {of_sample[member] for member in found}
        assert len(held) <= window
        assert not held & seen  # a shard is in one window of a turn
        ahead = order.shards_from(cycle, position)
        assert held <= set(ahead)
        seen |= held
        visited += found
        position += len(found)
        following = order.stretch(cycle, position) if position < len(order) else order.stretch(cycle + 1, 0)
        assert {of_sample[member] for member in following.members} <= set(ahead)
    assert sorted(visited) == members.tolist()


def test_shards_of_a_window_change_from_turn_to_turn():
    order = WindowedOrder(torch.arange(64), "stream", Shards(torch.arange(64) // 4, 4))
    windows = [{member // 4 for member in order.stretch(cycle, 0).members} for cycle in range(6)]
    assert len({frozenset(window) for window in windows}) == 6


@pytest.mark.parametrize("window", [5, 9])
def test_one_window_for_all_shards_is_a_full_shuffle(window):
    """Then the batches are those of a set that does not lie in shards."""
    targets = torch.tensor([1, 0, 0, 0, 0] * 8)
    plain = ClassBalancedBatchSampler(targets, 8, seed=3)
    sharded = ClassBalancedBatchSampler(targets, 8, seed=3, shards=Shards(torch.arange(40) % 5, window))
    assert list(batches_of(plain, 12)) == list(batches_of(sharded, 12))


@given(
    positives=st.integers(1, 30), negatives=st.integers(1, 90), batch_size=st.integers(2, 24),
    share=st.floats(0.05, 0.95), shards=st.integers(1, 20), window=st.integers(1, 4), seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=30)
def test_balance_is_that_of_a_full_shuffle(positives, negatives, batch_size, share, shards, window, seed):
    """Positives a batch, every sample once a turn, nothing twice in a batch: as with a full shuffle."""
    targets = torch.tensor([1] * positives + [0] * negatives)
    of_sample = torch.randint(shards, (len(targets),), generator=torch.Generator().manual_seed(seed))
    sampler = ClassBalancedBatchSampler(targets, batch_size, share, seed, shards=Shards(of_sample, window))
    part = min(max(round(batch_size * share), 1), batch_size - 1)
    counts: Counter[int] = Counter()
    for batch in batches_of(sampler, 12):
        assert int(targets[batch].sum()) == part
        assert targets[batch].tolist() == sorted(targets[batch].tolist(), reverse=True)
        counts.update(batch)
        for kind, size, wanted in ((1, positives, part), (0, negatives, batch_size - part)):
            of_kind = [sample for sample in batch if targets[sample] == kind]
            if wanted <= size:
                assert len(set(of_kind)) == len(of_kind)
            drawn = [counts[sample] for sample in range(len(targets)) if targets[sample] == kind]
            # Members that a batch holds already are held back, and follow right after: at most one turn apart
            assert max(drawn) - min(drawn) <= (1 if wanted <= size else 2)


def test_rare_positives_come_in_every_batch_and_in_turn():
    targets = (torch.arange(5000) % 100 == 7).long()  # 1%
    order = torch.cat([targets.nonzero().flatten(), (targets == 0).nonzero().flatten()])
    of_sample = torch.empty(5000, dtype=torch.long)
    of_sample[order[:50]] = torch.arange(50) // 10  # positives lie in shards of their own
    of_sample[order[50:]] = 5 + torch.arange(4950) // 100
    sampler = ClassBalancedBatchSampler(targets, 64, 0.5, shards=Shards(of_sample, 4))
    batches = list(batches_of(sampler, 155))
    counts = Counter(sample for batch in batches for sample in batch)
    assert {int(targets[batch].sum()) for batch in batches} == {32}
    negatives = [counts[sample] for sample in range(5000) if not targets[sample]]
    assert set(negatives) == {1, 2}  # 155 x 32 = 4,960: ten came twice
    assert negatives.count(2) == 10
    positives = [counts[sample] for sample in range(5000) if targets[sample]]
    assert max(positives) - min(positives) <= 1


def _pairs_of_one_shard(batches, of_sample):
    """Share of a batch's pairs that lie in one shard."""
    same = total = 0
    for batch in batches:
        held = of_sample[batch]
        total += len(held) * (len(held) - 1)
        same += int((held[:, None] == held[None]).sum()) - len(held)
    return same / total


@pytest.mark.parametrize("window", [2, 8, 32])
def test_pairs_of_one_shard_are_as_many_as_the_window_says(window):
    """Of 64 shards of 50: (50 - 1) / (50 window - 1) of the pairs, and (50 - 1) / (3200 - 1) in a full shuffle."""
    of_sample = torch.arange(3200) // 50
    sampler = ShardShuffledBatchSampler(
        torch.zeros(3200), Shards(of_sample, window), batch_size=25
    )  # none of two windows
    found = _pairs_of_one_shard(batches_of(sampler, 640), of_sample)
    assert found == pytest.approx(49 / (50 * window - 1), rel=0.05)


def test_the_next_turn_does_not_remember_the_order_of_the_last():
    """Rank correlation of positions in two turns: of 3,200 samples its standard error is 0.018 if there is none."""
    of_sample = torch.arange(3200) // 50
    sampler = ShardShuffledBatchSampler(torch.zeros(3200), Shards(of_sample, 8), batch_size=40)
    turns = [
        torch.tensor([sample for batch in sampler for sample in batch]).argsort().double() for _ in range(20)
    ]
    correlations = [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in pairwise(turns)]
    # Whole shards move together, 64 of them: the error of a correlation is that of 64 places, 0.13.
    assert abs(sum(correlations) / 19) < 3 * 0.13 / 19**0.5
    assert all(abs(value) < 4 * 0.13 for value in correlations)


def test_shards_of_one_class_do_not_make_batches_of_one_class():
    """Positives a batch vary as in draws without replacement, hypergeometrically, though shards hold one class."""
    targets = torch.tensor([1] * 400 + [0] * 3600)
    sampler = ShardShuffledBatchSampler(targets, Shards(torch.arange(4000) // 50, 4), batch_size=50)
    counts = torch.tensor([float(targets[batch].sum()) for batch in batches_of(sampler, 800)])
    assert float(counts.mean()) == pytest.approx(5.0, abs=1e-9)  # ten whole turns
    variance = 50 * 0.1 * 0.9 * (4000 - 50) / (4000 - 1)
    assert float(counts.var()) == pytest.approx(variance, rel=4 * (2 / 800) ** 0.5)


@pytest.mark.parametrize("kind", ["balanced", "shuffled"])
def test_what_is_drawn_was_announced(kind):
    targets = torch.tensor([1] * 40 + [0] * 400)
    shards = Shards(torch.arange(440) // 10, 3)
    sampler = (
        ClassBalancedBatchSampler(targets, 16, 0.25, shards=shards)
        if kind == "balanced"
        else ShardShuffledBatchSampler(targets, shards, 16)
    )
    announced = set(sampler.shards_ahead())
    assert len(announced) <= 4 * 3  # two classes, a window and the next
    for batch in batches_of(sampler, 80):
        assert {int(shards.of_sample[sample]) for sample in batch} <= announced
        announced = set(sampler.shards_ahead())


def test_states_of_other_windows_are_refused():
    targets, of_sample = torch.tensor([1, 0] * 30), torch.arange(60) // 4
    state = ClassBalancedBatchSampler(targets, 8, shards=Shards(of_sample, 3)).state_dict()
    for other in (Shards(of_sample, 4), Shards(of_sample // 2, 3), None):
        sampler = ClassBalancedBatchSampler(targets, 8, shards=other)
        with pytest.raises(ValueError, match="state"):
            sampler.load_state_dict(state)
    shuffled = ShardShuffledBatchSampler(targets, Shards(of_sample, 3), 8).state_dict()
    with pytest.raises(ValueError, match="state has orders"):
        ShardShuffledBatchSampler(targets, Shards(of_sample, 4), 8).load_state_dict(shuffled)


def test_wrong_arguments_are_refused():
    targets, of_sample = torch.tensor([1, 0] * 30), torch.arange(60) // 4
    with pytest.raises(ValueError, match="window must be at least 1"):
        Shards(of_sample, 0)
    with pytest.raises(ValueError, match="of_sample must be"):
        Shards(of_sample[None], 1)
    with pytest.raises(ValueError, match="give groups or shards"):
        ClassBalancedBatchSampler(targets, 8, groups=of_sample, shards=Shards(of_sample, 3))
    with pytest.raises(ValueError, match="epoch_batches must be at least 1"):
        ClassBalancedBatchSampler(targets, 8, epoch_batches=0)
    with pytest.raises(ValueError, match="classes must be"):
        ShardShuffledBatchSampler(targets[None], Shards(of_sample, 3), 8)


def test_members_in_few_shards_are_shuffled_as_a_whole():
    shards = Shards(torch.arange(20) // 2, window=4)
    assert isinstance(order_of(torch.arange(8), "a", shards), type(order_of(torch.arange(8), "a")))
    assert isinstance(order_of(torch.arange(9), "a", shards), WindowedOrder)
