"""The random order in which the members of a class, samples or groups, are visited."""

from collections.abc import Container, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from medauc.sampling.base import require_same


class Walk:
    """Endless walk through ``members``, each turn in a new order, every member once a turn.

    A batch that reaches into a new turn should not hold a member twice, so members that it holds already are
    held back and follow right after. Cycle, offset and the held ones give the order back.

    Args:
        members: what is walked through, at least one.
        stream: name of the random stream; equal names give equal walks.
    """

    def __init__(self, members: Sequence[int] | Tensor, stream: str) -> None:
        self._members = torch.as_tensor(members)
        self._stream = stream
        self._order: list[int] = []
        self._held: list[int] = []
        self._offset = 0
        self._turn(0)

    def __len__(self) -> int:
        """Number of members."""
        return len(self._members)

    def due(self, batch: Container[int]) -> int:
        """The next member that ``batch`` does not hold; the next one of all if it holds the rest of the turn."""
        if not self._held and self._offset == len(self._order):
            self._turn(self._cycle + 1)
        for member in self._held:
            if member not in batch:
                return member
        for position in range(self._offset, len(self._order)):
            if self._order[position] not in batch:
                return self._order[position]
        return self._held[0] if self._held else self._order[self._offset]

    def take(self, batch: Container[int]) -> int:
        """Step past the member that is due, and return it."""
        member = self.due(batch)
        if member in self._held:
            self._held.remove(member)
            return member
        while self._order[self._offset] != member:
            self._held.append(self._order[self._offset])
            self._offset += 1
        self._offset += 1
        return member

    def state_dict(self) -> dict[str, Any]:
        """Position, plain numbers only."""
        return {"size": len(self), "cycle": self._cycle, "offset": self._offset, "held": list(self._held)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position; raise ValueError when it is one among another number of members."""
        require_same(state_dict, size=len(self))
        self._turn(state_dict["cycle"])
        self._offset, self._held = state_dict["offset"], list(state_dict["held"])

    def _turn(self, cycle: int) -> None:
        self._cycle, self._offset, self._held = cycle, 0, []
        self._order = self._members[permutation(len(self), f"{self._stream}/{cycle}")].tolist()


def permutation(count: int, stream: str) -> Tensor:
    """Random order of ``range(count)`` that depends on the stream's name only."""
    seed = int.from_bytes(blake2b(stream.encode(), digest_size=8).digest(), "big")
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
