"""What one field of a recipe may be: numbers of a range, or a list of choices."""

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.trial import Trial

Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``log``: drawn evenly on the logarithmic scale."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False

    @property
    def ends(self) -> tuple[float, ...]:
        """What has to be allowed for all to be allowed."""
        return self.low, self.high

    def suggest(self, trial: "Trial", key: str) -> Any:
        """What the sampler takes next."""
        if self.integer:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(key, low, high, log=self.log, step=step)
        return trial.suggest_float(key, self.low, self.high, log=self.log, step=self.step)

    def points(self, count: int = 5) -> tuple[Scalar, ...]:
        """All steps, or ``count`` values evenly spread.

        >>> Range(0.001, 0.1, log=True).points(3), Range(8, 32, step=8, integer=True).points()
        ((0.001, 0.01, 0.1), (8, 16, 24, 32))
        """
        if self.step is not None or (self.integer and count == self.count):
            digits = 15  # as the sampler draws them, less the last bit of 0.1 + 0.2
            found = [self.low + place * (self.step or 1) for place in range(self.count or 0)]
        else:
            digits = 6
            shares = [place / (count - 1) for place in range(count)]
            low, high = (math.log(end) if self.log else end for end in self.ends)
            found = [low + share * (high - low) for share in shares]
            found = [math.exp(value) for value in found] if self.log else found
        rounded = [min(max(float(f"{value:.{digits}g}"), self.low), self.high) for value in found]
        return tuple(dict.fromkeys(round(value) if self.integer else value for value in rounded))

    @property
    def count(self) -> int | None:
        """How many values there are; None where they cannot be counted.

        >>> Range(8, 32, step=8, integer=True).count, Range(1, 9, integer=True).count, Range(0.1, 0.2).count
        (4, 9, None)
        """
        step = self.step or (1 if self.integer else None)
        return None if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    def place(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1."""
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return (at - low) / (high - low)

    def holds(self, value: Any) -> bool:
        """Whether a value is one that could be drawn."""
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9

    def plain(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"low": self.low, "high": self.high} | {
            key: value for key, value in (("log", self.log), ("step", self.step)) if value
        }


@dataclass(frozen=True)
class Choices:
    """A list of values of any kind."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """What has to be allowed for all to be allowed."""
        return self.values

    def suggest(self, trial: "Trial", key: str) -> Any:
        """What the sampler takes next; lists go to it as text."""
        named = {label(value): value for value in self.values}
        return named[trial.suggest_categorical(key, list(named))]

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)

    def points(self, count: int = 5) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return label(value) in map(label, self.values)

    def plain(self) -> list[Any]:
        """As it stands in a file."""
        return list(self.values)


Parameter = Range | Choices


def label(value: Any) -> Scalar:
    """What stands for a choice where only plain values can."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)
