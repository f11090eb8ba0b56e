"""Batches of sample indices: seedable, and resumable at any batch. Only torch is needed.

Both samplers are given to a ``DataLoader`` as ``batch_sampler``, or iterated directly. One pass (``iter``) is
an epoch; the next pass goes on where the last one stopped, so that no two epochs are alike. ``state_dict``
holds the position after the batch handed out last. Loader workers fetch ahead: with them, save between
epochs.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler


class _ResumableBatchSampler(Sampler[list[int]], ABC):
    """Counts the batches of an epoch; the subclass knows which batch is next."""

    def __init__(self, batch_size: int, seed: int) -> None:
        self.batch_size = batch_size
        self.seed = seed
        self._handed_out = 0
        self._resumed = False

    @abstractmethod
    def __len__(self) -> int:
        """Number of batches in an epoch."""

    @abstractmethod
    def _begin_epoch(self) -> None: ...

    @abstractmethod
    def _next_batch(self) -> list[int]: ...

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of one epoch, or what is left of it right after ``load_state_dict``."""
        if not self._resumed:
            self._handed_out = 0
            self._begin_epoch()
        self._resumed = False
        while self._handed_out < len(self):
            self._handed_out += 1
            yield self._next_batch()

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only."""
        return {"seed": self.seed, "batch_size": self.batch_size, "handed_out": self._handed_out}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of a sampler with another seed or batch size.
        """
        for name in ("seed", "batch_size"):
            if state_dict[name] != getattr(self, name):
                raise ValueError(f"state has {name}={state_dict[name]}, this sampler {getattr(self, name)}")
        self._handed_out = state_dict["handed_out"]
        self._resumed = 0 < self._handed_out < len(self)


class ClassBalancedBatchSampler(_ResumableBatchSampler):
    """Batches with a fixed number of positives, for one binary target.

    Each class is walked through in random order, every sample once before any comes again; the walk goes on
    over batches and epochs. A batch holds ``round(batch_size * positive_share)`` positives, but at least one
    sample of either class, positives first. Within a batch a sample comes twice only when its class is
    smaller than its part of the batch. An epoch is ``ceil(N / batch_size)`` batches, all of them full.

    Args:
        targets: 0 or 1 for each of N samples, shape (N,) or (N, 1).
        batch_size: samples a batch, >= 2.
        positive_share: share of positives in a batch, in (0, 1).
        seed: any integer; equal seeds give equal batches.

    Raises:
        ValueError: an argument out of range, more than one target a sample, a target other than 0 and 1, or
            only one class.

    >>> sampler = ClassBalancedBatchSampler([0, 0, 0, 0, 0, 1], batch_size=4, positive_share=0.25)
    >>> batches = list(sampler)
    >>> [batch[0] for batch in batches], sorted(batches[0][1:] + batches[1][1:3])
    ([5, 5], [0, 1, 2, 3, 4])
    """

    def __init__(
        self, targets: Sequence[Any] | Tensor, batch_size: int, positive_share: float = 0.5, seed: int = 0
    ) -> None:
        if batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, one sample of either class, got {batch_size}")
        if not 0 < positive_share < 1:
            raise ValueError(f"positive_share must lie strictly between 0 and 1, got {positive_share}")
        super().__init__(batch_size, seed)
        truth = _binary(targets)
        positives = min(max(round(batch_size * positive_share), 1), batch_size - 1)
        self._length = -(-len(truth) // batch_size)
        self._walks = {
            "positive": _Walk(truth.nonzero().flatten(), positives, f"{seed}/positive"),
            "negative": _Walk((~truth).nonzero().flatten(), batch_size - positives, f"{seed}/negative"),
        }

    def __len__(self) -> int:
        """Number of batches in an epoch, ``ceil(N / batch_size)``."""
        return self._length

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only."""
        return super().state_dict() | {name: walk.state_dict() for name, walk in self._walks.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of a sampler with other targets, share, seed or batch size.
        """
        super().load_state_dict(state_dict)
        for name, walk in self._walks.items():
            walk.load_state_dict(state_dict[name])

    def _begin_epoch(self) -> None:
        """Nothing starts anew: the walks go on."""

    def _next_batch(self) -> list[int]:
        return [index for walk in self._walks.values() for index in walk.take()]


class ShuffledBatchSampler(_ResumableBatchSampler):
    """Batches of all samples in a new random order each epoch, every sample once.

    Args:
        num_samples: number of samples N, >= 1.
        batch_size: samples a batch, >= 1.
        seed: any integer; equal seeds give equal batches.
        drop_last: leave out a last batch that is not full, unless it is the only one.

    Raises:
        ValueError: an argument out of range.

    >>> sampler = ShuffledBatchSampler(5, batch_size=2)
    >>> batches = list(sampler)
    >>> [len(batch) for batch in batches], sorted(sum(batches, []))
    ([2, 2, 1], [0, 1, 2, 3, 4])
    """

    def __init__(self, num_samples: int, batch_size: int, seed: int = 0, drop_last: bool = False) -> None:
        if num_samples < 1 or batch_size < 1:
            raise ValueError(
                f"num_samples and batch_size must be at least 1, got {num_samples}, {batch_size}"
            )
        super().__init__(batch_size, seed)
        self.num_samples = num_samples
        self._length = max(num_samples // batch_size if drop_last else -(-num_samples // batch_size), 1)
        self._epoch = -1
        self._order: list[int] = []

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._length

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only."""
        return super().state_dict() | {"num_samples": self.num_samples, "epoch": self._epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of a sampler with another seed, batch size or number of samples.
        """
        if state_dict["num_samples"] != self.num_samples:
            raise ValueError(
                f"state is for {state_dict['num_samples']} samples, this sampler {self.num_samples}"
            )
        super().load_state_dict(state_dict)
        self._epoch = state_dict["epoch"]
        self._order = self._permutation()

    def _begin_epoch(self) -> None:
        self._epoch += 1
        self._order = self._permutation()

    def _permutation(self) -> list[int]:
        return _permutation(self.num_samples, f"{self.seed}/{self._epoch}").tolist()

    def _next_batch(self) -> list[int]:
        start = (self._handed_out - 1) * self.batch_size
        return self._order[start : start + self.batch_size]


class _Walk:
    """Endless walk through the members of a class, ``share`` at a time, each turn in a new order.

    A batch across two turns must not hold a member twice, so the new turn passes over those that ended the
    old one (``ended``) until the batch is full; they follow right after. Cycle, offset and ``ended`` give the
    order back.
    """

    def __init__(self, members: Tensor, share: int, stream: str) -> None:
        self._members = members
        self._share = share
        self._stream = stream
        self._turn(0, [])

    def take(self) -> list[int]:
        """The next ``share`` members."""
        taken: list[int] = []
        while len(taken) < self._share:
            if self._offset == len(self._order):
                self._turn(self._cycle + 1, taken if len(self._members) >= self._share else [])
            piece = self._order[self._offset : self._offset + self._share - len(taken)]
            self._offset += len(piece)
            taken = taken + piece
        return taken

    def state_dict(self) -> dict[str, Any]:
        return {
            "size": len(self._members),
            "share": self._share,
            "cycle": self._cycle,
            "offset": self._offset,
            "ended": list(self._ended),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if (state_dict["size"], state_dict["share"]) != (len(self._members), self._share):
            raise ValueError(
                f"state walks {state_dict['size']} samples by {state_dict['share']} a batch, "
                f"this sampler {len(self._members)} by {self._share}"
            )
        self._turn(state_dict["cycle"], list(state_dict["ended"]))
        self._offset = state_dict["offset"]

    def _turn(self, cycle: int, ended: list[int]) -> None:
        self._cycle, self._offset, self._ended = cycle, 0, ended
        order = self._members[_permutation(len(self._members), f"{self._stream}/{cycle}")].tolist()
        if ended:
            barred = set(ended)
            first = list(islice((index for index in order if index not in barred), self._share - len(ended)))
            placed = set(first)
            order = first + [index for index in order if index not in placed]
        self._order: list[int] = order


def _permutation(count: int, stream: str) -> Tensor:
    """Random order of ``range(count)`` that depends on the stream's name only."""
    seed = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big")
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def _binary(targets: Sequence[Any] | Tensor) -> Tensor:
    """Targets as booleans of shape (N,)."""
    truth = torch.as_tensor(targets)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth.squeeze(1)
    if truth.ndim != 1:
        raise ValueError(
            f"targets must be (N,) or (N, 1), got {tuple(truth.shape)}: several labels have no common "
            "balance, use ShuffledBatchSampler"
        )
    positive = truth == 1
    if not (positive | (truth == 0)).all():
        raise ValueError("targets must be 0 or 1 everywhere: leave out samples whose target is unknown")
    if positive.all() or not positive.any():
        kind = "positive" if len(truth) and positive.all() else "negative"
        raise ValueError(f"all {len(truth)} targets are {kind}: balanced batches need both classes")
    return positive.cpu()
