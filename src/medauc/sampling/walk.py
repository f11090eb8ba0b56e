"""Visiting the members of a class, samples or groups, without end."""

from collections.abc import Container, Mapping
from typing import Any

from medauc.sampling.base import require_same
from medauc.sampling.order import Order, Stretch


class Walk:
    """Endless walk through the turns of an order.

    A batch that reaches into a new turn should not hold a member twice, so members that it holds already are
    held back and follow right after. Cycle, offset and the held ones give the order back.

    Args:
        order: of at least one member.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._size = len(order)
        self._held: list[int] = []
        self._turn(0)

    def __len__(self) -> int:
        """Number of members."""
        return self._size

    def due(self, batch: Container[int]) -> int:
        """The next member that ``batch`` does not hold; the next one of all if it holds the rest of the turn."""
        if not self._held and self._offset == self._size:
            self._turn(self._cycle + 1)
        for member in self._held:
            if member not in batch:
                return member
        for position in range(self._offset, self._size):
            member = self._at(position)
            if member not in batch:
                return member
        return self._held[0] if self._held else self._at(self._offset)

    def take(self, batch: Container[int]) -> int:
        """Step past the member that is due, and return it."""
        member = self.due(batch)
        if member in self._held:
            self._held.remove(member)
            return member
        while self._at(self._offset) != member:
            self._held.append(self._at(self._offset))
            self._offset += 1
        self._offset += 1
        return member

    def shards_ahead(self) -> list[int]:
        """Shards of the members that come next; none where they are not visited by shards."""
        return self._order.shards_from(self._cycle, self._offset)

    def state_dict(self) -> dict[str, Any]:
        """Position, plain numbers only."""
        place = {"cycle": self._cycle, "offset": self._offset, "held": list(self._held)}
        return self._order.identity() | place

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position; raise ValueError when it is one among another number of members."""
        if state_dict.keys() != self.state_dict().keys():
            raise ValueError("state is of another order: of windows of shards, or of none")
        require_same(state_dict, **self._order.identity())
        self._turn(state_dict["cycle"])
        self._offset, self._held = state_dict["offset"], list(state_dict["held"])

    def _turn(self, cycle: int) -> None:
        self._cycle, self._offset, self._held = cycle, 0, []
        self._stretch = Stretch(0, [])

    def _at(self, position: int) -> int:
        """The member at a position of this turn."""
        member = self._stretch.at(position)
        if member is None:
            self._stretch = self._order.stretch(self._cycle, position)
            member = self._stretch.members[position - self._stretch.start]
        return member
