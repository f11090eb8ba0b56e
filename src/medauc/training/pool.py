"""What all executors share: places that are filled from an iterator, and outcomes as they come."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from medauc.training.unit import Outcome, Unit


class Pool(ABC):
    """The loop of :meth:`medauc.training.executor.Executor.run`; subclasses say how a unit is begun, awaited, stopped.

    Attributes:
        busy: what runs, by what tells of its end.
    """

    def __init__(self) -> None:
        self.busy: dict[Any, Any] = {}

    def __enter__(self) -> Self:
        """Nothing starts before there is work."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what runs."""
        self.close()

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        """See :meth:`medauc.training.executor.Executor.run`."""
        waiting = iter(units)
        try:
            while self.fill(waiting):
                for ready in self.wait():
                    outcome = self.collect(ready)
                    if outcome is not None:
                        yield outcome
        finally:  # given up: a killed run resumes from its last epoch
            self.stop()

    def fill(self, waiting: Iterator[Unit]) -> bool:
        """Begin units until all places are taken; tell whether anything runs."""
        while len(self.busy) < self.jobs and (unit := next(waiting, None)) is not None:
            self.begin(unit)
        return bool(self.busy)

    @property
    @abstractmethod
    def jobs(self) -> int:
        """Trainings at a time, as it stands."""

    @abstractmethod
    def begin(self, unit: Unit) -> None:
        """Start a unit and note it in ``busy``."""

    @abstractmethod
    def wait(self) -> Iterable[Any]:
        """Keys of ``busy`` that have ended, after a while or none."""

    @abstractmethod
    def collect(self, ready: Any) -> Outcome | None:
        """Take it from ``busy`` and give its outcome; None while the unit is tried again."""

    @abstractmethod
    def stop(self) -> None:
        """End what runs."""

    @abstractmethod
    def close(self) -> None:
        """End what runs, and leave."""
