"""What all batch samplers promise: seeds, epochs, resuming, and ranks that share one global batch."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from fixtures.samplers import BATCH, GROUPS, KINDS, SAMPLES, TARGETS, batches_of
from medauc.sampling import (
    ClassBalancedBatchSampler,
    GroupShuffledBatchSampler,
    LabelBalancedBatchSampler,
    ShuffledBatchSampler,
)

every_kind = pytest.mark.parametrize("kind", KINDS)
any_kind = st.sampled_from(list(KINDS))


def saved(sampler):
    """The state, as a checkpoint in JSON would give it back."""
    return json.loads(json.dumps(sampler.state_dict()))


@every_kind
def test_seed_decides(kind):
    assert list(KINDS[kind](seed=1)) == list(KINDS[kind](seed=1))
    assert list(KINDS[kind](seed=1)) != list(KINDS[kind](seed=2))


@every_kind
def test_epochs_differ_and_have_equal_numbers_of_batches(kind):
    sampler = KINDS[kind]()
    epochs = [list(sampler) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert {len(epoch) for epoch in epochs} == {len(sampler)}


@every_kind
def test_global_generators_play_no_part(kind):
    torch.manual_seed(0)
    first = list(KINDS[kind]())
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert list(KINDS[kind]()) == first
    torch.set_rng_state(state)
    list(KINDS[kind]())
    assert torch.equal(torch.get_rng_state(), state)


def test_another_interpreter_draws_the_same():
    """Strings hash differently in each process; batches must not depend on it."""
    program = "from fixtures.samplers import *; print([list(kind(seed=5)) for kind in KINDS.values()])"
    expected = str([list(kind(seed=5)) for kind in KINDS.values()])
    tests = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONHASHSEED": "123", "PYTHONPATH": tests}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == expected


@every_kind
def test_abandoned_epoch_is_followed_by_a_full_one(kind):
    sampler = KINDS[kind]()
    next(iter(sampler))
    assert len(list(sampler)) == len(sampler)


@every_kind
def test_works_in_a_data_loader(kind):
    sampler, alike = KINDS[kind](), KINDS[kind]()
    loader = DataLoader(TensorDataset(torch.arange(SAMPLES + 4)), batch_sampler=sampler)
    assert len(loader) == len(sampler)
    assert [batch.tolist() for (batch,) in loader] == list(alike)


@every_kind
@pytest.mark.parametrize("stop", range(9))
def test_resumed_epochs_end_where_the_interrupted_ones_would(kind, stop):
    whole = KINDS[kind]()
    epochs = [list(whole) for _ in range(6)]
    sampler = KINDS[kind]()
    list(batches_of(sampler, stop))
    resumed = KINDS[kind]()
    resumed.load_state_dict(saved(sampler))
    remaining, passed = [], 0
    for epoch in epochs:
        remaining.append(epoch[max(stop - passed, 0) :])
        passed += len(epoch)
    remaining = [epoch for epoch in remaining if epoch]
    assert [list(resumed) for _ in remaining] == remaining


@every_kind
def test_loading_leaves_the_state_alone_and_a_loaded_state_saves_as_itself(kind):
    sampler, resumed = KINDS[kind](), KINDS[kind]()
    list(batches_of(sampler, 7))
    state = saved(sampler)
    resumed.load_state_dict(state)
    list(batches_of(resumed, 5))
    assert state == saved(sampler)
    resumed.load_state_dict(state)
    assert saved(resumed) == state


@given(kind=any_kind, replicas=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_ranks_together_draw_what_one_process_would(kind, replicas, seed):
    whole = KINDS[kind](seed=seed)
    ranks = [KINDS[kind](seed=seed, num_replicas=replicas, rank=rank) for rank in range(replicas)]
    assert {len(sampler) for sampler in ranks} == {len(whole)}
    for batch, *parts in zip(
        batches_of(whole, 10), *(batches_of(sampler, 10) for sampler in ranks), strict=True
    ):
        assert Counter(batch) == Counter(i for part in parts for i in part)
        assert all(parts)
        for part in parts:  # in the order of the whole batch
            places = iter(batch)
            assert all(sample in places for sample in part)
    assert all(saved(sampler) == saved(whole) for sampler in ranks)


@given(
    positives=st.integers(1, 30), negatives=st.integers(1, 60), batch_size=st.integers(2, 24),
    share=st.floats(0.01, 0.99), replicas=st.integers(1, 8),
)  # fmt: skip
@settings(max_examples=60)
def test_each_rank_has_its_share_of_either_class(positives, negatives, batch_size, share, replicas):
    replicas = min(replicas, batch_size)
    targets = torch.tensor([1] * positives + [0] * negatives)
    ranks = [
        ClassBalancedBatchSampler(targets, batch_size, share, num_replicas=replicas, rank=rank)
        for rank in range(replicas)
    ]
    for parts in zip(*(batches_of(sampler, 4) for sampler in ranks), strict=True):
        for classed in (
            [int(targets[part].sum()) for part in parts],
            [int((targets[part] == 0).sum()) for part in parts],
        ):
            assert max(classed) - min(classed) <= 1
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(
    kind=any_kind,
    before=st.integers(1, 4),
    after=st.integers(1, 4),
    stop=st.integers(0, 9),
    rank=st.integers(0, 3),
)
@settings(max_examples=60)
def test_resumes_on_another_number_of_processes(kind, before, after, stop, rank):
    whole = batches_of(KINDS[kind]())
    list(islice(whole, stop))
    interrupted = KINDS[kind](num_replicas=before, rank=rank % before)
    list(batches_of(interrupted, stop))
    ranks = [KINDS[kind](num_replicas=after, rank=place) for place in range(after)]
    for sampler in ranks:
        sampler.load_state_dict(saved(interrupted))
    parts_of = [batches_of(sampler, 8) for sampler in ranks]
    for batch, *parts in zip(islice(whole, 8), *parts_of, strict=True):
        assert Counter(batch) == Counter(i for part in parts for i in part)


def test_a_finished_epoch_resumes_as_finished_where_epochs_have_another_length():
    """Whether a short last batch is left out may depend on the number of processes."""
    short = ShuffledBatchSampler(37, 12, drop_last=True)
    long = ShuffledBatchSampler(37, 12)
    for first, second in ((short, long), (long, short)):
        list(first)
        second.load_state_dict(first.state_dict())
        assert len(list(second)) == len(second)


@pytest.mark.parametrize("make", [*KINDS.values()], ids=[*KINDS])
@pytest.mark.parametrize(("replicas", "rank"), [(2, 2), (2, -1), (0, 0)])
def test_a_rank_that_there_is_not_is_refused(make, replicas, rank):
    with pytest.raises(ValueError, match=r"rank must lie in \[0, num_replicas\)"):
        make(num_replicas=replicas, rank=rank)


@pytest.mark.parametrize("make", [*KINDS.values()], ids=[*KINDS])
def test_a_batch_must_have_something_for_every_process(make):
    with pytest.raises(ValueError, match="batch_size is that of all processes together"):
        make(num_replicas=BATCH + 1)


@pytest.mark.parametrize(
    ("samples", "drop_last", "hint"), [(26, False, "drop_last=True"), (3, True, "batch_size$")]
)
def test_a_last_batch_too_short_for_the_processes_is_refused(samples, drop_last, hint):
    with pytest.raises(ValueError, match=f"too few for 4 processes.*{hint}"):
        ShuffledBatchSampler(samples, 8, drop_last=drop_last, num_replicas=4)


@pytest.mark.parametrize(
    ("saved_by", "other"),
    [
        (ClassBalancedBatchSampler([0, 1], 2, seed=1), ClassBalancedBatchSampler([0, 1], 2, seed=2)),
        (ClassBalancedBatchSampler([0, 1], 2), ClassBalancedBatchSampler([0, 1], 4)),
        (ClassBalancedBatchSampler([0, 1], 2), ClassBalancedBatchSampler([0, 1, 1], 2)),
        (ClassBalancedBatchSampler([0, 1], 4), ClassBalancedBatchSampler([0, 1], 4, 0.25)),
        (KINDS["balanced groups"](), ClassBalancedBatchSampler(TARGETS, BATCH, 0.5, groups=GROUPS)),
        (KINDS["balanced groups"](), ClassBalancedBatchSampler(TARGETS, BATCH, 0.4, groups=range(SAMPLES))),
        (KINDS["balanced groups"](), KINDS["balanced"]()),
        (KINDS["balanced"](), KINDS["balanced groups"]()),
        (KINDS["balanced"](), KINDS["labels"]()),
        (LabelBalancedBatchSampler([[0, 1], [1, 1]], 2), LabelBalancedBatchSampler([[1, 0], [1, 1]], 2)),
        (ShuffledBatchSampler(4, 2), ShuffledBatchSampler(5, 2)),
        (KINDS["shuffled groups"](), GroupShuffledBatchSampler(range(SAMPLES), BATCH)),
        (KINDS["shuffled"](), KINDS["shuffled groups"]()),
        (ShuffledBatchSampler(2, 2), ClassBalancedBatchSampler([0, 1], 2)),
    ],
)  # fmt: skip
def test_state_of_another_sampler_is_refused(saved_by, other):
    with pytest.raises(ValueError, match="this sampler"):
        other.load_state_dict(saved_by.state_dict())
