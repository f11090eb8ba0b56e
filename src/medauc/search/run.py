"""Running a search: every free place gets the next training, every outcome goes into the book."""

import statistics
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from medauc.errors import InputError
from medauc.evaluation import Evaluation
from medauc.search.book import Book, Seed
from medauc.search.choosing import Chooser, Limits
from medauc.search.job import Job, Workplace
from medauc.search.processes import Presence, wait_until_free
from medauc.search.storage import outage
from medauc.training.claim import claimed
from medauc.training.elapsed import epochs_of
from medauc.training.executor import Executor
from medauc.training.run_folder import RunFolder
from medauc.training.unit import Outcome, Unit

_HOPELESS = 3  # trials that failed, and none that did not

Tell = Callable[[Job, Seed, bool], None]


class Stopped(Exception):
    """Ctrl-C, or a database that is away: the search can be continued by the same command."""


class DatabaseAway(Stopped):
    """What the search found cannot be read either."""


class TrialsFailed(Exception):
    """No trial of a search was trained to its end."""


class Search:
    """A search that is open in this process, beside others maybe (:func:`~medauc.search.opening.open_search`).

    Attributes:
        book: what is known so far.
        running: what is being trained, by run folder.
        most: trials that the limits allow.
        known: all trials, as of the last one that ended here.
        seconds: how long each trial took that ended here.
    """

    def __init__(self, place: Workplace, book: Book, presence: Presence) -> None:
        self.place, self.book = place, book
        self.running: dict[Path, Job] = {}
        self.most = 0
        self.known = book.trials()
        self.seconds: list[float] = []
        self._presence = presence
        self._waiting: deque[Unit] = deque()

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Leave to others what is not finished.

        Raises:
            DatabaseAway: in place of what the database's driver says, wherever in the context it was asked.
        """
        self._presence.close()
        if error is not None:
            tell_outage(error)

    def describe(self, limits: Limits) -> str:
        """One line on what is about to be searched, and how much is done already."""
        definition = self.place.definition
        most = min(limits.trials, len(definition.listed)) if definition.is_listed else limits.trials
        done = sum(trial.state != "running" for trial in self.known)
        begun = f", {done} done" if done else ""
        fields = ", ".join(definition.asked.parameters)
        return f"{self.place.folder.path}: {most} trials by {definition.sampler}{begun}; may vary: {fields}"

    def deciding(self) -> AbstractContextManager[None]:
        """Keep other processes from deciding or writing results meanwhile."""
        return self._presence.deciding()

    @property
    def elsewhere(self) -> int:
        """How many trainings other processes are at."""
        trials, here = self.book.trials(), self._presence
        owners = [trial.seeds[seed].owner for trial in trials for seed in trial.unfinished]
        owners += [one.owner for trial in trials for one in trial.repeats.values() if one.is_open]
        return sum(owner != here.token and here.is_alive(owner) for owner in owners)

    def run(
        self, executor: Executor, limits: Limits, tell: Tell = lambda job, result, given_up: None
    ) -> None:
        """Train until the limits are reached, or further gain is within noise.

        Args:
            executor: trains.
            limits: how far to go.
            tell: called for each seed of a trial that ends, with what it gave and whether it was given up.

        Raises:
            Stopped: Ctrl-C, or the database was away: for minutes, or at a moment when something was to be written.
            TrialsFailed: the first three trials failed, or all.
            InputError: the same, by the user's fault; or a file cannot be written.
        """
        definition = self.place.definition
        self.most = min(limits.trials, len(definition.listed)) if definition.is_listed else limits.trials
        if self.place.splits.refusal is not None:
            limits = replace(limits, repeats=0)
        chooser = Chooser(self.book, definition, self._presence, limits)
        try:
            while self._pass(executor, chooser, tell):
                continue
            self._tidy_abandoned(chooser)
        except KeyboardInterrupt:
            raise Stopped(
                "interrupted; the same command goes on, with unfinished trainings from their last epoch"
            ) from None
        except Exception as error:
            tell_outage(error)
            raise
        finally:
            self.running.clear()
            self._waiting.clear()
        self._require_success(fewest=1)

    def _tidy_abandoned(self, chooser: Chooser) -> None:
        """What a worker still is at whose parent has died is left to the next start: nobody waits under the lock."""
        with self._presence.deciding():
            for job in chooser.abandoned():
                run = RunFolder(self.place.run(job, None))
                if run.checkpoints.exists():
                    with suppress(InputError), claimed(run.path):
                        self.place.tidy(job, self.running)

    def _pass(self, executor: Executor, chooser: Chooser, tell: Tell) -> bool:
        """Train as long as there is something to begin; whether there was (units that have ended cannot go on)."""
        some = False
        for outcome in executor.run(self._units(chooser, tell)):
            some = True
            self._take(outcome, tell)
            self._require_success(fewest=_HOPELESS)
        return some

    def _units(self, chooser: Chooser, tell: Tell) -> Iterator[Unit]:
        while True:
            while not self._waiting:
                job = chooser.choose()
                if job is None:
                    return
                first, *others = self.place.parts(job)
                if job.is_first and job.trial.given_up:  # its process died before it was written down
                    job.epochs = epochs_of(self.place.run(job, first))
                    self._end(job, None, None, tell, given_up=True)
                    continue
                try:  # of a trial's first seed the first part alone: it may be given up
                    self._queue(job, [first] if job.is_first else [first, *others])
                except InputError as error:  # each value is allowed, but not all together
                    self._end(job, None, str(error), tell)
            if chooser.time_is_up():  # the other folds of a trial are left for the next start
                return
            yield self._waiting.popleft()

    def _queue(self, job: Job, parts: Sequence[int | None]) -> None:
        for fold in parts:
            unit = self.place.unit(job, fold)
            wait_until_free(unit.folder)
            self.running[unit.folder] = job
            self._waiting.append(unit)

    def _take(self, outcome: Outcome, tell: Tell) -> None:
        job = self.running.pop(outcome.unit.folder)
        if job.ended:  # another part of it has failed
            self.place.tidy(job, self.running)
            return
        if outcome.lost is not None:  # nothing is written down, so that the trial can be gone on with
            raise DatabaseAway(f"{outcome.lost}; when it is back, the same command goes on")
        run = RunFolder(outcome.unit.folder)
        job.seconds += outcome.seconds
        job.epochs += epochs_of(run.path)
        if outcome.given_up:
            self._end(job, None, None, tell, given_up=True)
        elif outcome.error is not None:
            self._end(job, None, outcome.error, tell, crashed=outcome.details is not None)
        else:
            auroc = Evaluation.read(run.evaluation).splits["val"].auroc
            # Training without both classes in validation is refused.
            assert auroc is not None
            assert auroc.value is not None
            job.aucs.append(auroc.value)
            parts = self.place.parts(job)
            if len(job.aucs) == len(parts):
                self._end(job, statistics.fmean(job.aucs), None, tell)
            elif job.is_first and len(job.aucs) == 1:
                self._queue(job, parts[1:])

    def _end(
        self,
        job: Job,
        auc: float | None,
        error: str | None,
        tell: Tell,
        *,
        given_up: bool = False,
        crashed: bool = False,
    ) -> None:
        job.ended = True
        for unit in [unit for unit in self._waiting if self.running[unit.folder] is job]:
            self._waiting.remove(unit)
            del self.running[unit.folder]
        self.place.tidy(job, self.running)  # first, since nobody looks again at what is written down
        result = Seed(self._presence.token, auc, error, job.epochs, round(job.seconds, 1), crashed)
        with self._presence.deciding():
            if job.fresh:
                self.book.finish_repeat(job.trial, job.seed, result)
            else:
                self.book.finish(job.trial, job.seed, result, given_up=given_up)
            self.known = self.book.trials()
        if job.is_first:
            self.seconds.append(job.seconds)
        tell(job, result, given_up)

    def _require_success(self, fewest: int) -> None:
        """Raise when so many trials failed, whenever that was, and none was trained to its end."""
        if len(self.known) < fewest or any(trial.state != "failed" for trial in self.known):
            return
        last = self.known[-1].seeds[0]
        message = f"no trial of {len(self.known)} could be trained, the last: {last.error}"
        raise TrialsFailed(message) if last.crashed else InputError(message)


def tell_outage(error: BaseException) -> None:
    """Raise :class:`DatabaseAway` where an error means that."""
    reason = outage(error)
    if reason is not None:
        raise DatabaseAway(
            f"the search's database cannot be reached: {reason}; when it is back, the same command goes on"
        ) from error
