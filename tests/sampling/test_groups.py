"""Patients that stay together: whole groups in a batch and on a process, each once a turn."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.samplers import batches_of
from medauc.sampling import ClassBalancedBatchSampler, GroupShuffledBatchSampler, LabelBalancedBatchSampler

sizes = st.lists(st.integers(1, 6), min_size=1, max_size=15)


def cohort(positive_sizes, negative_sizes, seed):
    """Samples of patients in random order: their groups, and targets with one positive or more a positive patient."""
    rng = np.random.default_rng(seed)
    all_sizes = [*positive_sizes, *negative_sizes]
    groups = np.repeat(np.arange(len(all_sizes)), all_sizes)
    targets = np.zeros(len(groups), dtype=int)
    for group in range(len(positive_sizes)):
        members = np.flatnonzero(groups == group)
        targets[rng.choice(members, rng.integers(1, len(members) + 1), replace=False)] = 1
    order = rng.permutation(len(groups))
    return groups[order], targets[order]


def groups_of(batch, groups):
    """Groups of a batch in its order; fails when one is not whole."""
    times = Counter(batch)
    drawn = [groups[sample] for sample in batch]
    for group in set(drawn):
        assert len({times[sample] for sample in np.flatnonzero(groups == group)}) == 1
    heads = {groups[sample]: sample for sample in reversed(range(len(groups)))}
    return [groups[sample] for sample in batch if heads[groups[sample]] == sample]


def assert_turns(visited, members):
    """Every member once before any comes again."""
    for start in range(0, len(visited) - len(members) + 1, len(members)):
        assert set(visited[start : start + len(members)]) == set(members)


@given(sizes, sizes, st.integers(0, 30), st.floats(0.05, 0.95), st.integers(0, 10**6))
@settings(max_examples=100)
def test_balanced_batches_of_whole_groups(positive_sizes, negative_sizes, spare, share, seed):
    groups, targets = cohort(positive_sizes, negative_sizes, seed)
    size_of = Counter(groups.tolist())
    largest = max(size_of.values())
    batch_size = max(positive_sizes) + max(negative_sizes) + spare
    sampler = ClassBalancedBatchSampler(targets, batch_size, share, seed, groups=groups)
    kinds = {"positive": set(range(len(positive_sizes)))}
    kinds["negative"] = set(size_of) - kinds["positive"]
    visited = {kind: [] for kind in kinds}
    for batch in batches_of(sampler, 3 * len(sampler) + 5):
        drawn = groups_of(batch, groups)
        assert batch_size - largest < len(batch) <= batch_size
        of_positive = sum(size_of[group] for group in drawn if group in kinds["positive"])
        assert abs(of_positive - share * len(batch)) <= largest
        for kind, members in kinds.items():
            of_kind = [group for group in drawn if group in members]
            assert of_kind
            assert len(set(of_kind)) == min(
                len(of_kind), len(members)
            )  # none twice while another could be had
            visited[kind] += of_kind
    for kind, members in kinds.items():
        assert_turns(visited[kind], members)


@given(sizes, st.integers(0, 30), st.integers(0, 10**6))
@settings(max_examples=100)
def test_shuffled_batches_of_whole_groups(group_sizes, spare, seed):
    groups, _ = cohort([], group_sizes, seed)
    batch_size = max(group_sizes) + spare
    sampler = GroupShuffledBatchSampler(groups, batch_size, seed)
    assert len(sampler) == -(-len(groups) // batch_size)
    visited = []
    for batch in batches_of(sampler, 3 * len(sampler) + 5):
        drawn = groups_of(batch, groups)
        assert len(set(drawn)) == len(drawn)
        assert len(batch) <= batch_size
        assert len(batch) > batch_size - max(group_sizes) or len(drawn) == len(group_sizes)
        visited += drawn
    assert_turns(visited, set(groups))


@given(sizes, sizes, st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=60)
def test_processes_get_whole_groups_of_about_equal_sum(positive_sizes, negative_sizes, replicas, seed):
    groups, targets = cohort(positive_sizes, negative_sizes, seed)
    size_of = Counter(groups.tolist())
    batch_size = max(replicas, 2) * max(size_of.values())
    makers = [lambda **place: ClassBalancedBatchSampler(targets, batch_size, groups=groups, **place)]
    if len(size_of) >= replicas:
        makers.append(lambda **place: GroupShuffledBatchSampler(groups, batch_size, **place))
    for make in makers:
        ranks = [batches_of(make(num_replicas=replicas, rank=rank), 6) for rank in range(replicas)]
        for batch, *parts in zip(batches_of(make(), 6), *ranks, strict=True):
            drawn = [groups_of(part, groups) for part in parts]
            assert Counter(groups_of(batch, groups)) == Counter(
                group for groups_ in drawn for group in groups_
            )
            largest = max(size_of[group] for groups_ in drawn for group in groups_)
            assert max(map(len, parts)) - min(map(len, parts)) <= largest
            assert min(map(len, parts)) > 0


def test_groups_of_one_sample_are_the_sampler_without_groups_but_for_order():
    targets = torch.tensor([1] * 10 + [0] * 30)
    sampler = ClassBalancedBatchSampler(targets, 8, 0.25, groups=range(40))
    assert [int(targets[batch].sum()) for batch in batches_of(sampler, 20)] == [2] * 20
    assert {len(batch) for batch in batches_of(sampler, 20)} == {8}


def test_a_multi_label_turn_draws_whole_groups_with_their_unknowns():
    """Patient c has no known target of label 0, so it comes for label 1 only; b brings its unknown along."""
    groups = np.array(list("aabbccdd"))
    targets = [[1, 0], [0, 0], [0, 0], [-1, 1], [-1, 1], [-1, 0], [0, 0], [0, 0]]
    sampler = LabelBalancedBatchSampler(targets, 4, groups=groups)
    turns = [groups_of(batch, groups) for batch in batches_of(sampler, 24)]
    assert {group for turn in turns[::2] for group in turn} == set("abd")
    assert all(turn[0] == "a" and turn[1] in "bd" for turn in turns[::2])
    assert all(turn[0] in "bc" and turn[1] in "ad" for turn in turns[1::2])


@pytest.mark.parametrize(
    "groups",
    [list("aabbc"), np.array(list("aabbc")), torch.tensor([7, 7, -1, -1, 3]), [(1, "x"), (1, "x"), 2, 2, 3.5],
     (c for c in "aabbc")],
)  # fmt: skip
def test_groups_may_be_anything_hashable(groups):
    expected = list(GroupShuffledBatchSampler([0, 0, 1, 1, 2], 3))
    assert list(GroupShuffledBatchSampler(groups, 3)) == expected


TARGETS = [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("groups", "batch_size", "replicas", "message"),
    [
        (
            "aaabbc",
            4,
            1,
            "at least 5 to fit group 'a' of 3 samples and 'b' of 2 samples into one batch, got 4",
        ),
        ("aaabbc", 5, 2, "at least 6 to fit .*'a' of 3 samples.* of 2 processes, got 5"),
        ("aaabb", 6, 1, "got 5 names for 6 samples"),
        ([1, 1, None, 2, 2, 2], 6, 1, "sample 2 has no group"),
        ([1, 1, float("nan"), 2, 2, 2], 6, 1, "sample 2 has no group"),
        ("abccba", 6, 1, "every group holds a positive"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, batch_size, replicas, message):
    with pytest.raises(ValueError, match=message):
        ClassBalancedBatchSampler(TARGETS, batch_size, groups=groups, num_replicas=replicas)


@pytest.mark.parametrize(
    ("groups", "batch_size", "replicas", "message"),
    [
        ("aaab", 2, 1, "at least 3 to fit group 'a' of 3 samples into one batch, got 2"),
        ("aaab", 5, 2, "at least 6 to fit group 'a' of 3 samples into one batch of 2 processes, got 5"),
        ("aaab", 9, 3, "2 groups are too few for 3 processes"),
        ("", 9, 1, "groups must name"),
    ],
)
def test_groups_that_cannot_be_shuffled_are_refused(groups, batch_size, replicas, message):
    with pytest.raises(ValueError, match=message):
        GroupShuffledBatchSampler(groups, batch_size, num_replicas=replicas)


def test_a_label_without_groups_of_both_kinds_is_skipped():
    targets = [[1, 1], [0, 0], [0, 1], [0, 0]]
    assert LabelBalancedBatchSampler(targets, 4, groups="aabb").skipped_labels == (1,)
    with pytest.raises(ValueError, match="none of 1 labels has both positive and negative groups"):
        LabelBalancedBatchSampler([[1], [0]], 2, groups="aa")
