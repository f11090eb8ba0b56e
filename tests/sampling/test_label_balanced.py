"""Several labels, each in turn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.samplers import batches_of
from medauc.sampling import LabelBalancedBatchSampler


@given(
    samples=st.integers(2, 60), labels=st.integers(1, 5), batch_size=st.integers(2, 20), share=st.floats(0.05, 0.95),
    prevalence=st.floats(0.05, 0.9), unknown=st.floats(0, 0.5), seed=st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=100)
def test_each_label_has_its_balanced_batch_in_turn(
    samples, labels, batch_size, share, prevalence, unknown, seed
):
    rng = np.random.default_rng(seed)
    targets = (rng.random((samples, labels)) < prevalence).astype(int)
    targets[rng.random(targets.shape) < unknown] = -1
    members = [{kind: np.flatnonzero(column == kind).tolist() for kind in (0, 1)} for column in targets.T]
    in_turn = [label for label in range(labels) if members[label][0] and members[label][1]]
    if not in_turn:
        with pytest.raises(
            ValueError, match=f"none of {labels} labels has both positive and negative samples"
        ):
            LabelBalancedBatchSampler(targets, batch_size, share, seed)
        return
    sampler = LabelBalancedBatchSampler(targets, batch_size, share, seed)
    assert sampler.labels == tuple(in_turn)
    assert sampler.skipped_labels == tuple(sorted(set(range(labels)) - set(in_turn)))
    assert len(sampler) == -(-samples // batch_size)
    positives = min(max(round(batch_size * share), 1), batch_size - 1)
    visited = {label: {0: [], 1: []} for label in in_turn}
    for step, batch in enumerate(batches_of(sampler, 6 * len(in_turn))):
        label = in_turn[step % len(in_turn)]
        assert targets[batch, label].tolist() == [1] * positives + [0] * (batch_size - positives)
        visited[label][1] += batch[:positives]
        visited[label][0] += batch[positives:]
    for label, kinds in visited.items():
        for kind, seen in kinds.items():
            turn = len(members[label][kind])
            for start in range(0, len(seen) - turn + 1, turn):
                assert sorted(seen[start : start + turn]) == members[label][kind]


def test_labels_with_equal_targets_are_walked_apart():
    targets = torch.tensor([[1, 1]] * 10 + [[0, 0]] * 10)
    first, second = batches_of(LabelBalancedBatchSampler(targets, 8), 2)
    assert first != second


def test_nan_is_unknown_as_minus_one_is():
    targets = torch.tensor([[1.0, 0], [0, 1], [0, 0], [-1, 1], [1, -1]])
    missing = targets.masked_fill(targets < 0, torch.nan)
    assert list(LabelBalancedBatchSampler(missing, 2)) == list(LabelBalancedBatchSampler(targets, 2))


def test_every_sample_comes_though_a_label_is_rare():
    """One positive in 200 of label 0: it comes again in every batch of its turn, the negatives one after another."""
    targets = np.zeros((200, 2), dtype=int)
    targets[7, 0] = 1
    targets[::2, 1] = 1
    sampler = LabelBalancedBatchSampler(targets, 10)
    turns = list(batches_of(sampler, 80))[::2]
    assert all(batch[:5] == [7] * 5 for batch in turns)
    assert len({sample for batch in turns for sample in batch}) == 200


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 1], r"must be \(N, L\)"),
        ([[0, 2]], "0, 1 or unknown"),
        ([[0, 0.5]], "0, 1 or unknown"),
        ([[1, 1], [1, 1]], "none of 2 labels"),
    ],
)
def test_targets_of_another_kind_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        LabelBalancedBatchSampler(targets, 4)


@pytest.mark.parametrize(
    ("batch_size", "share", "message"), [(1, 0.5, "batch_size"), (4, 1.0, "positive_share")]
)
def test_arguments_out_of_range_are_refused(batch_size, share, message):
    with pytest.raises(ValueError, match=message):
        LabelBalancedBatchSampler([[0, 1], [1, 0]], batch_size, share)


@pytest.mark.parametrize("grouped", [False, True])
def test_prevalence_is_what_the_batches_hold_in_the_long_run(grouped):
    rng = np.random.default_rng(1)
    targets = (rng.random((200, 3)) < [0.5, 0.1, 0.02]).astype(int)
    targets[rng.random(targets.shape) < 0.2] = -1
    groups = np.arange(200) // 2 if grouped else None
    sampler = LabelBalancedBatchSampler(targets, 40, 0.3, groups=groups)
    drawn = targets[[sample for batch in batches_of(sampler, 900) for sample in batch]]
    found = [(column == 1).sum() / (column >= 0).sum() for column in drawn.T]
    np.testing.assert_allclose(sampler.prevalence, found, atol=0.01)


def test_prevalence_of_labels_that_have_no_turn_can_be_divided_by():
    targets = [[1, 0, -1, 1], [0, 0, -1, 1], [0, 0, -1, 1], [0, 0, -1, 1]]
    assert LabelBalancedBatchSampler(targets, 4).prevalence == pytest.approx((0.5, 0.125, 0.5, 0.875))
