"""Batches of sample indices: seedable, resumable at any batch, shared by several processes. Only torch is needed.

The batch samplers are given to a ``DataLoader`` as ``batch_sampler``, or iterated directly. One pass (``iter``) is
an epoch; the next pass goes on where the last one stopped, so that no two epochs are alike. ``state_dict``
holds the position after the batch handed out last. Loader workers fetch ahead: with them, save between
epochs.

``batch_size`` is that of all processes together. With ``num_replicas`` processes each sampler hands out its
``rank``'s part of the batch that a single process would have drawn; states are equal on all ranks and load on
any number of processes.
"""

from medauc.sampling.balanced import ClassBalancedBatchSampler, LabelBalancedBatchSampler
from medauc.sampling.order import Shards
from medauc.sampling.shards import SequentialShardSampler
from medauc.sampling.shuffled import GroupShuffledBatchSampler, ShuffledBatchSampler
from medauc.sampling.streamed import ShardShuffledBatchSampler

__all__ = [
    "ClassBalancedBatchSampler",
    "GroupShuffledBatchSampler",
    "LabelBalancedBatchSampler",
    "SequentialShardSampler",
    "ShardShuffledBatchSampler",
    "Shards",
    "ShuffledBatchSampler",
]
