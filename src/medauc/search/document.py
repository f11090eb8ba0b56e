"""The form of ``search.json``: every trial of a search, its winner, and what the winner is worth."""

from statistics import fmean
from typing import Any, ClassVar

from pydantic import Field

from medauc.evaluation.figures import Document, Figure, Strict
from medauc.search.book import State


class Row(Strict):
    """One trial; ``auc`` is the mean over its ``seeds``, ``curves`` the AUC of each by epoch, as a pruner sees it."""

    index: int
    state: State
    values: dict[str, Any]
    auc: float | None
    seeds: list[float]
    epochs: int
    seconds: float
    error: str | None = None
    curves: list[dict[int, float]] = Field(default_factory=list)

    @property
    def last(self) -> float | None:
        """Its AUC; of one that was given up, the last that was known."""
        known = [curve for curve in self.curves[:1] if curve]
        return self.auc if self.auc is not None else known[0][max(known[0])] if known else None


class Repeated(Strict):
    """A recipe trained anew on fresh splits: AUC of each (``start``: of the recipe that the search started from).

    ``optimism`` is the AUC that the search found less ``mean``; ``gain`` the mean of the differences from ``start``.
    """

    aucs: list[float]
    start: list[float]
    mean: Figure
    sd: float | None
    optimism: float
    gain: Figure | None

    @property
    def lines(self) -> list[str]:
        """What it says, in words."""
        sd = "" if self.sd is None else f", SD {self.sd:.3f}"
        splits = f"{len(self.aucs)} fresh splits" if len(self.aucs) > 1 else "1 fresh split"
        lines = [f"trained anew on {splits}: {self.mean.text()}{sd} (optimism {self.optimism:.3f})"]
        if self.gain is not None:
            lines.append(
                f"the recipe it started from, on the same: {fmean(self.start):.3f}; gain {self.gain.text()}"
            )
        return lines


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
    repeated: Repeated | None = None

    @property
    def lines(self) -> list[str]:
        """What it is worth, in words."""
        anew = [] if self.repeated is None else self.repeated.lines
        if self.candidates == 1:
            return [
                f"validation AUC {self.found.text()}; no other was trained to its end, so none was chosen",
                *anew,
            ]
        gain = [] if self.start is None else [f"the recipe it started from: {self.start:.3f}"]
        return [
            f"validation AUC {self.found.text()}, which is optimistic: it is the best of {self.candidates}",
            f"corrected for that: {self.corrected.text()} (optimism {self.optimism:.3f})",
            *gain,
            *anew,
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
