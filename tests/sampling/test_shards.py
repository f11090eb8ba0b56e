"""A split scored by several processes: every sample once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medauc.sampling import SequentialShardSampler


@given(st.integers(0, 300), st.integers(1, 20))
def test_the_ranks_joined_in_order_are_the_whole_in_order(samples, replicas):
    shards = [SequentialShardSampler(samples, replicas, rank) for rank in range(replicas)]
    blocks = [list(shard) for shard in shards]
    assert [sample for block in blocks for sample in block] == list(range(samples))
    assert [len(shard) for shard in shards] == [len(block) for block in blocks]
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    assert [list(shard) for shard in shards] == blocks  # a second pass is the same


@pytest.mark.parametrize(
    ("arguments", "message"), [((-1,), "num_samples"), ((5, 2, 2), "rank"), ((5, 0, 0), "rank")]
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SequentialShardSampler(*arguments)
