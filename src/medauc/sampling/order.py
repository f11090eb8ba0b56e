"""In which order the members of a class are visited: shuffled as a whole, or by windows of a few shards.

Both orders follow from a name and the number of the turn, so that a position is all there is to save. A window is
shuffled when it is reached: of a set in shards no more than one window's members are ever listed.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Stretch(NamedTuple):
    """Neighbours in a turn.

    Attributes:
        start: position of the first of them.
        members: in the order in which they are visited.
    """

    start: int
    members: list[int]

    def at(self, position: int) -> int | None:
        """The member at a position of the turn; None where it is not among these neighbours."""
        place = position - self.start
        return self.members[place] if 0 <= place < len(self.members) else None


class Order(ABC):
    """Turns through a number of members, each member once a turn."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of members."""

    @abstractmethod
    def stretch(self, cycle: int, position: int) -> Stretch:
        """Those neighbours in turn ``cycle`` that are listed together with the one at ``position``."""

    def identity(self) -> dict[str, Any]:
        """What a saved position belongs to."""
        return {"size": len(self)}

    def shards_from(self, cycle: int, position: int) -> list[int]:
        """Shards of the members that are visited from ``position`` on, as far ahead as is worth fetching."""
        return []


class WholeOrder(Order):
    """Every order of all members is equally likely.

    Args:
        members: what is visited.
        stream: name of the random stream; equal names give equal turns.
    """

    def __init__(self, members: Sequence[int] | Tensor, stream: str) -> None:
        self._members = torch.as_tensor(members)
        self._stream = stream

    def __len__(self) -> int:
        """Number of members."""
        return len(self._members)

    def stretch(self, cycle: int, position: int) -> Stretch:
        """The whole turn."""
        return Stretch(0, self._members[permutation(len(self), f"{self._stream}/{cycle}")].tolist())


@dataclass(frozen=True, eq=False)
class Shards:
    """Where samples lie, for samplers that shall visit few shards at a time.

    The shards of a turn come in random order, ``window`` of them at a time, whose samples are shuffled together. Of two
    samples of a batch the share that is of one shard is about 1 / ``window``, against 1 / (number of shards) in a full
    shuffle; which samples share a window is drawn anew each turn.

    Args:
        of_sample: number of the shard of each of N samples, integers of shape (N,).
        window: most shards whose samples are mixed, >= 1.

    Raises:
        ValueError: ``window`` is less than 1, or ``of_sample`` is not one-dimensional.

    >>> from medauc.sampling import ClassBalancedBatchSampler
    >>> targets = torch.tensor([1, 0]).repeat_interleave(8)
    >>> shards = Shards(torch.arange(16) // 2, window=2)
    >>> sampler = ClassBalancedBatchSampler(targets, batch_size=8, shards=shards)
    >>> [len({int(shards.of_sample[sample]) for sample in batch}) for batch in sampler]
    [4, 4]
    """

    of_sample: Tensor
    window: int

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window must be at least 1, got {self.window}")
        if self.of_sample.ndim != 1:
            raise ValueError(f"of_sample must be (N,), got {tuple(self.of_sample.shape)}")

    def count(self, members: Tensor | None = None) -> int:
        """In how many shards the members lie; None asks for all samples."""
        found = self.of_sample if members is None else self.of_sample[members]
        return int(torch.bincount(found.long()).count_nonzero())


class WindowedOrder(Order):
    """Shards in random order, a window of them at a time, the members of a window shuffled.

    Args:
        members: what is visited, ascending or not.
        stream: name of the random stream.
        shards: where the members lie.
    """

    def __init__(self, members: Tensor, stream: str, shards: Shards) -> None:
        found = shards.of_sample[members]
        by_shard = torch.argsort(found, stable=True)
        numbers, counts = torch.unique_consecutive(found[by_shard], return_counts=True)
        self._members = members[by_shard]
        self._numbers: list[int] = numbers.tolist()
        self._ends: list[int] = counts.cumsum(0).tolist()
        self._window = shards.window
        self._stream = stream
        # Windows of about equal size: a last one of a single shard would be no mixture.
        self._count = -(-len(self._numbers) // shards.window)
        self._turn: tuple[int, list[list[int]], list[int]] | None = None
        self._ahead: tuple[int, int, list[int]] = (-1, -1, [])

    def __len__(self) -> int:
        """Number of members."""
        return len(self._members)

    def identity(self) -> dict[str, Any]:
        """Number of members and shards, and the window."""
        return super().identity() | {"shards": len(self._numbers), "window": self._window}

    def stretch(self, cycle: int, position: int) -> Stretch:
        """The window that holds ``position``."""
        windows, ends = self._windows(cycle)
        number = bisect_right(ends, position)
        parts = [self._members[self._start(place) : self._ends[place]] for place in windows[number]]
        members = torch.cat(parts)
        order = permutation(len(members), f"{self._stream}/{cycle}/window {number}")
        return Stretch(ends[number] - len(members), members[order].tolist())

    def shards_from(self, cycle: int, position: int) -> list[int]:
        """Shards of the window that holds ``position`` and of the one after, over the end of the turn."""
        if position == len(self):
            cycle, position = cycle + 1, 0
        windows, ends = self._windows(cycle)
        number = bisect_right(ends, position)
        if self._ahead[:2] != (cycle, number):  # asked at every batch, another at every window
            found = windows[number : number + 2]
            if len(found) < 2:
                found = [*found, self._windows_of(cycle + 1)[0]]
            shards = dict.fromkeys(self._numbers[place] for window in found for place in window)
            self._ahead = cycle, number, list(shards)
        return self._ahead[2]

    def _start(self, place: int) -> int:
        return self._ends[place - 1] if place else 0

    def _windows(self, cycle: int) -> tuple[list[list[int]], list[int]]:
        """Places of the shards in every window of a turn, and the position behind each window."""
        if self._turn is None or self._turn[0] != cycle:
            windows, ends, end = self._windows_of(cycle), list[int](), 0
            for window in windows:
                end += sum(self._ends[place] - self._start(place) for place in window)
                ends.append(end)
            self._turn = cycle, windows, ends
        return self._turn[1], self._turn[2]

    def _windows_of(self, cycle: int) -> list[list[int]]:
        order = permutation(len(self._numbers), f"{self._stream}/{cycle}/shards")
        return [part.tolist() for part in order.tensor_split(self._count)]


def order_of(members: Tensor, stream: str, shards: Shards | None = None) -> Order:
    """Windows where members lie in more shards than one window holds, else one shuffle of all."""
    if shards is None or shards.count(members) <= shards.window:
        return WholeOrder(members, stream)
    return WindowedOrder(members, stream, shards)


def permutation(count: int, stream: str) -> Tensor:
    """Random order of ``range(count)`` that depends on the stream's name only."""
    seed = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big")
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
