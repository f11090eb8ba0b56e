"""The form of ``search.json``: every trial of a search, its winner, and what the winner is worth."""

from typing import Any, ClassVar

from pydantic import Field

from medauc.evaluation.figures import Document, Figure, Strict
from medauc.search.book import State


class Row(Strict):
    """One trial; ``auc`` is the mean over its ``seeds``, ``curve`` what the pruner saw, by epoch."""

    index: int
    state: State
    values: dict[str, Any]
    auc: float | None
    seeds: list[float]
    epochs: int
    seconds: float
    error: str | None = None
    curve: dict[int, float] = Field(default_factory=dict)


class Winner(Strict):
    """The best trial: its AUC as found, and corrected for having been chosen as the highest of ``candidates``."""

    index: int
    values: dict[str, Any]
    seeds: list[float]
    found: Figure
    corrected: Figure
    optimism: float
    candidates: int
    start: float | None

    @property
    def lines(self) -> list[str]:
        """What it is worth, in words."""
        if self.candidates == 1:
            return [
                f"validation AUC {self.found.text()}; no other was trained to its end, so none was chosen"
            ]
        gain = [] if self.start is None else [f"the recipe it started from: {self.start:.3f}"]
        return [
            f"validation AUC {self.found.text()}, which is optimistic: it is the best of {self.candidates}",
            f"corrected for that: {self.corrected.text()} (optimism {self.optimism:.3f})",
            *gain,
        ]


class Found(Document):
    """A search and what it found so far; ``ending`` says why it tried no further, where that was not the limit."""

    kind: ClassVar[str] = "a search"

    name: str
    dataset: str
    objective: str
    sampler: str
    pruner: str
    space: dict[str, Any]
    rows: list[Row]
    winner: Winner | None
    importance: dict[str, float]
    importance_method: str
    ending: str | None
    notes: list[str]

    def count(self, state: State) -> int:
        """How many trials are in a state."""
        return sum(row.state == state for row in self.rows)

    @property
    def counts(self) -> str:
        """How many trials became what, in words."""
        words = {
            "complete": "complete",
            "pruned": "given up early",
            "failed": "failed",
            "running": "unfinished",
        }
        parts = [f"{number} {word}" for state, word in words.items() if (number := self.count(state))]  # type: ignore[arg-type]
        return f"{len(self.rows)} trials: {', '.join(parts)}" if parts else "no trial yet"
