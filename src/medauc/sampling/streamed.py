"""Batches of a set in shards in nearly random order, without balance."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from medauc.sampling.base import ResumableBatchSampler, require_length, require_same
from medauc.sampling.order import Order, Shards, Stretch, order_of, permutation
from medauc.sampling.part import Part


class ShardShuffledBatchSampler(ResumableBatchSampler):
    """Batches of all samples, every sample once a turn, that visit few shards at a time.

    How many samples of either class a batch holds is drawn as a full shuffle of the whole set would; which
    ones, from a window of shards of that class (:class:`~medauc.sampling.Shards`). So shards that hold one class only
    do not make batches of one class.

    Args:
        classes: class of each of N samples, integers >= 0 of shape (N,); all zero where there are no classes.
        shards: where the samples lie.
        batch_size: samples a batch over all processes, >= 1.
        seed: any integer; equal seeds give equal batches.
        drop_last: leave out a turn's last batch that is not full, unless it is the only one.
        epoch_batches: batches an epoch; None takes those of a turn. The next epoch goes on where this one stopped.
        num_replicas: number of processes that share each batch, sample by sample in turn.
        rank: which of them this one is, in ``[0, num_replicas)``.

    Raises:
        ValueError: an argument out of range, or a batch with fewer samples than processes.

    >>> shards = Shards(torch.arange(12) // 3, window=1)
    >>> sampler = ShardShuffledBatchSampler(torch.zeros(12, dtype=torch.int8), shards, batch_size=3)
    >>> batches = list(sampler)
    >>> [len({sample // 3 for sample in batch}) for batch in batches], sorted(sum(batches, [])) == list(range(12))
    ([1, 1, 1, 1], True)
    """

    def __init__(
        self,
        classes: Tensor,
        shards: Shards,
        batch_size: int,
        seed: int = 0,
        drop_last: bool = False,
        *,
        epoch_batches: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        count = len(classes)
        if count < 1 or batch_size < 1 or classes.ndim != 1:
            raise ValueError(
                f"classes must be (N,) with N at least 1 and batch_size at least 1, got {tuple(classes.shape)}, "
                f"{batch_size}"
            )
        super().__init__(batch_size, seed, num_replicas, rank)
        self._batches = max(count // batch_size if drop_last else -(-count // batch_size), 1)
        last = min(count - (self._batches - 1) * batch_size, batch_size)
        if last < num_replicas:
            raise ValueError(
                f"the last batch has {last} of {count} samples, too few for {num_replicas} processes: "
                "take another batch_size" + (" or drop_last=True" if self._batches > 1 else "")
            )
        self._length = require_length(epoch_batches) or self._batches
        self._orders: list[Order] = [
            order_of((classes == kind).nonzero().flatten(), f"{seed}/class {kind}", shards)
            for kind in torch.bincount(classes.long()).nonzero().flatten().tolist()
        ]
        self._ends = torch.tensor([len(order) for order in self._orders]).cumsum(0)
        self._positions: list[int] = []  # of the next sample of each class
        self._begin(0)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._length

    def shards_ahead(self) -> list[int]:
        """Shards of the samples that come next, in the order in which they are worth fetching."""
        return [
            shard
            for order, position in zip(self._orders, self._positions, strict=True)
            for shard in order.shards_from(self._turn, position)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only; the same on every rank."""
        orders = [order.identity() for order in self._orders]
        return super().state_dict() | {"orders": orders, "turn": self._turn, "drawn": self._drawn}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of another sampler: other seed, batch size, samples, shards or window.
        """
        super().load_state_dict(state_dict)
        require_same(state_dict, orders=[order.identity() for order in self._orders])
        self._begin(state_dict["turn"])
        self._drawn = state_dict["drawn"]
        handed_out = self._kinds[: self._drawn * self.batch_size].long()
        self._positions = torch.bincount(handed_out, minlength=len(self._orders)).tolist()

    def _begin(self, turn: int) -> None:
        """Draw the classes of a turn's samples, in their order; a byte a sample."""
        self._turn, self._drawn = turn, 0
        order = permutation(int(self._ends[-1]), f"{self.seed}/{turn}/classes")
        self._kinds = torch.bucketize(order, self._ends, right=True).to(torch.int8)
        self._positions = [0] * len(self._orders)
        self._stretches = [Stretch(0, []) for _ in self._orders]

    def _next_part(self) -> Part:
        if self._drawn >= self._batches:  # more, where a saved turn had one more batch
            self._begin(self._turn + 1)
        start = self._drawn * self.batch_size
        batch = [self._take(kind) for kind in self._kinds[start : start + self.batch_size].tolist()]
        self._drawn += 1
        return Part(batch, range(self.rank, len(batch), self.num_replicas))

    def _take(self, kind: int) -> int:
        position = self._positions[kind]
        self._positions[kind] += 1
        member = self._stretches[kind].at(position)
        if member is None:
            stretch = self._stretches[kind] = self._orders[kind].stretch(self._turn, position)
            member = stretch.members[position - stretch.start]
        return member
