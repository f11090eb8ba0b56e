"""Batches in random order without balance: of samples, and of whole groups."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from torch import Tensor

from medauc.sampling.base import ResumableBatchSampler, require_length, require_same
from medauc.sampling.groups import Groups
from medauc.sampling.order import WholeOrder, permutation
from medauc.sampling.part import Part
from medauc.sampling.walk import Walk


class ShuffledBatchSampler(ResumableBatchSampler):
    """Batches of all samples in a new random order each epoch, every sample once.

    Args:
        num_samples: number of samples N, >= 1.
        batch_size: samples a batch over all processes, >= 1.
        seed: any integer; equal seeds give equal batches.
        drop_last: leave out a last batch that is not full, unless it is the only one.
        num_replicas: number of processes that share each batch, sample by sample in turn.
        rank: which of them this one is, in ``[0, num_replicas)``.

    Raises:
        ValueError: an argument out of range, or a batch with fewer samples than processes.

    >>> sampler = ShuffledBatchSampler(5, batch_size=2)
    >>> batches = list(sampler)
    >>> [len(batch) for batch in batches], sorted(sum(batches, []))
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        seed: int = 0,
        drop_last: bool = False,
        *,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        if num_samples < 1 or batch_size < 1:
            raise ValueError(
                f"num_samples and batch_size must be at least 1, got {num_samples}, {batch_size}"
            )
        super().__init__(batch_size, seed, num_replicas, rank)
        self.num_samples = num_samples
        self._length = max(num_samples // batch_size if drop_last else -(-num_samples // batch_size), 1)
        last = min(num_samples - (self._length - 1) * batch_size, batch_size)
        if last < num_replicas:
            raise ValueError(
                f"the last batch has {last} of {num_samples} samples, too few for {num_replicas} processes: "
                "take another batch_size" + (" or drop_last=True" if self._length > 1 else "")
            )
        self._epoch = -1
        self._order: list[int] = []

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._length

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only; the same on every rank."""
        return super().state_dict() | {"num_samples": self.num_samples, "epoch": self._epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of another sampler: other seed, batch size or number of samples.
        """
        super().load_state_dict(state_dict)
        require_same(state_dict, num_samples=self.num_samples)
        self._epoch = state_dict["epoch"]
        self._order = self._permutation()

    def _begin_epoch(self) -> None:
        self._epoch += 1
        self._order = self._permutation()

    def _permutation(self) -> list[int]:
        return permutation(self.num_samples, f"{self.seed}/{self._epoch}").tolist()

    def _next_part(self) -> Part:
        start = (self._handed_out - 1) * self.batch_size
        batch = self._order[start : start + self.batch_size]
        return Part(batch, range(self.rank, len(batch), self.num_replicas))


class GroupShuffledBatchSampler(ResumableBatchSampler):
    """Batches of whole groups in random order: samples of one patient always come together.

    Groups are walked through in random order, every group once before any comes again. A batch ends where
    the next group would not fit, so most hold a little less than ``batch_size`` samples. The walk goes on
    over batches and epochs; an epoch is ``ceil(N / batch_size)`` batches, about one turn.

    Args:
        groups: the group of each of N samples: anything hashable, or an integer tensor of shape (N,).
        batch_size: most samples a batch may hold over all processes, >= the largest group.
        seed: any integer; equal seeds give equal batches.
        epoch_batches: batches an epoch, >= 1; None takes ``ceil(N / batch_size)``.
        num_replicas: number of processes that share each batch by whole groups of about equal sum; then
            ``batch_size`` >= ``num_replicas`` times the largest group.
        rank: which of them this one is, in ``[0, num_replicas)``.

    Raises:
        ValueError: an argument out of range, a group that does not fit (it is named), a sample without group,
            or fewer groups than processes.

    >>> sampler = GroupShuffledBatchSampler(["ann", "ann", "bob", "cyd", "cyd"], batch_size=3)
    >>> batches = list(sampler)
    >>> len(batches), all(({0, 1} <= set(b)) == bool({0, 1} & set(b)) for b in batches)
    (2, True)
    """

    def __init__(
        self,
        groups: Iterable[Hashable] | Tensor,
        batch_size: int,
        seed: int = 0,
        *,
        epoch_batches: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(batch_size, seed, num_replicas, rank)
        self._groups = Groups.of(groups)
        count = len(self._groups.members)
        self._groups.require_room(batch_size, num_replicas, range(count))
        if count < num_replicas:
            raise ValueError(f"{count} groups are too few for {num_replicas} processes")
        self._walk = Walk(WholeOrder(range(count), f"{seed}/groups"))
        samples = sum(map(len, self._groups.members))
        self._length = require_length(epoch_batches) or -(-samples // batch_size)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._length

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only; the same on every rank."""
        return super().state_dict() | {"groups": self._walk.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of another sampler: other seed, batch size or number of groups.
        """
        super().load_state_dict(state_dict)
        self._walk.load_state_dict(state_dict["groups"])

    def _next_part(self) -> Part:
        batch: dict[int, None] = {}
        room = self.batch_size
        while (group := self._walk.due(batch)) not in batch and self._groups.size(group) <= room:
            batch[self._walk.take(batch)] = None
            room -= self._groups.size(group)
        return self._groups.deal([list(batch)], self.num_replicas, self.rank)
