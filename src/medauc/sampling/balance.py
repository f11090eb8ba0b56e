"""How a balanced batch is drawn: samples one by one, or whole groups."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from medauc.sampling.base import require_same
from medauc.sampling.groups import Groups
from medauc.sampling.order import Shards, order_of
from medauc.sampling.part import Part
from medauc.sampling.walk import Walk


class Balance(ABC):
    """The positive and negative units (samples or groups) of one label, and how a batch is drawn from them.

    Args:
        positive: numbers of the positive units.
        negative: numbers of the negative units.
        stream: name of the random stream.
        share: share of a batch's samples that positive units make up.
        shards: where samples lie, if they are to be visited by windows of shards.
    """

    def __init__(
        self, positive: Tensor, negative: Tensor, stream: str, share: float, shards: Shards | None = None
    ) -> None:
        self.share = share
        self._walks = {
            "positive": Walk(order_of(positive, f"{stream}/positive", shards)),
            "negative": Walk(order_of(negative, f"{stream}/negative", shards)),
        }

    @abstractmethod
    def draw(self, num_replicas: int, rank: int) -> Part:
        """Draw a batch, positives first, with the part of ``rank``."""

    def shards_ahead(self) -> list[int]:
        """Shards of the samples that come next."""
        return [shard for walk in self._walks.values() for shard in walk.shards_ahead()]

    def state_dict(self) -> dict[str, Any]:
        """Positions of both walks."""
        return {name: walk.state_dict() for name, walk in self._walks.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to saved positions; raise ValueError when they are of other units."""
        for name, walk in self._walks.items():
            walk.load_state_dict(state_dict[name])


class SampleBalance(Balance):
    """Draws samples, the same number of either class for every batch."""

    def __init__(
        self,
        positive: Tensor,
        negative: Tensor,
        stream: str,
        batch_size: int,
        positive_share: float,
        shards: Shards | None = None,
    ) -> None:
        positives = min(max(round(batch_size * positive_share), 1), batch_size - 1)
        super().__init__(positive, negative, stream, positives / batch_size, shards)
        self._parts = {"positive": positives, "negative": batch_size - positives}

    def draw(self, num_replicas: int, rank: int) -> Part:
        """Draw a batch; sample by sample its members go to the ranks in turn."""
        batch = [sample for kind in self._walks for sample in self._take(kind)]
        return Part(batch, range(rank, len(batch), num_replicas))

    def state_dict(self) -> dict[str, Any]:
        """Positions of both walks, and the number of positives a batch."""
        return super().state_dict() | {"positives": self._parts["positive"]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to saved positions; raise ValueError when they are of other samples or shares."""
        require_same(state_dict, positives=self._parts["positive"])
        super().load_state_dict(state_dict)

    def _take(self, kind: str) -> list[int]:
        walk, part = self._walks[kind], self._parts[kind]
        if part > len(walk):  # repeats cannot be avoided
            return [walk.take(()) for _ in range(part)]
        taken: dict[int, None] = {}
        for _ in range(part):
            taken[walk.take(taken)] = None
        return list(taken)


class GroupBalance(Balance):
    """Draws whole groups, of the kind that is behind its share, until the next one does not fit."""

    def __init__(
        self,
        positive: Tensor,
        negative: Tensor,
        stream: str,
        groups: Groups,
        batch_size: int,
        positive_share: float,
    ) -> None:
        super().__init__(positive, negative, stream, positive_share)
        self._groups = groups
        self._batch_size = batch_size

    def draw(self, num_replicas: int, rank: int) -> Part:
        """Draw a batch, its groups dealt to the ranks by size; the first two groups are of either kind."""
        drawn: dict[str, list[int]] = {kind: [] for kind in self._walks}
        held: dict[str, set[int]] = {kind: set() for kind in self._walks}
        of_positive, total = 0, 0
        while True:
            kind = "positive" if of_positive <= self.share * total else "negative"
            size = self._groups.size(self._walks[kind].due(held[kind]))
            if total + size > self._batch_size:
                return self._groups.deal(list(drawn.values()), num_replicas, rank)
            group = self._walks[kind].take(held[kind])
            drawn[kind].append(group)
            held[kind].add(group)
            total += size
            of_positive += size if kind == "positive" else 0

    def state_dict(self) -> dict[str, Any]:
        """Positions of both walks, and the share."""
        return super().state_dict() | {"positive_share": self.share}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to saved positions; raise ValueError when they are of other groups or another share."""
        require_same(state_dict, positive_share=self.share)
        super().load_state_dict(state_dict)
