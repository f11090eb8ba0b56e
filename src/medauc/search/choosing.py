"""What to train next: what a dead process left, a leader's further seed, a new trial; then the best on fresh splits."""

import time
from dataclasses import dataclass

from medauc.search.book import Book, Trial
from medauc.search.definition import Definition
from medauc.search.job import Job
from medauc.search.processes import Presence
from medauc.search.race import leader_error, next_seed
from medauc.search.repeats import judged_anew
from medauc.search.stopping import FEWEST, expected_gain, known_values

_EARLY = 10  # trials, after which the best three get a second seed: it tells how much seeds differ
_EARLY_RACERS = 3
_FOR_TRIALS = 0.75  # of the time; the rest is for the race
_EVERY = 5  # trials between two looks at what is still to be gained


@dataclass(frozen=True)
class Limits:
    """How far a search goes; may differ from one start to the next.

    Attributes:
        trials: settings that are tried, 1 or more.
        seeds: most seeds of a leader, 1 or more; 1 leaves the race out.
        minutes: after this time nothing further is begun.
        stop_early: try no further when the gain to be expected is below what seeds make of the leader.
        repeats: fresh splits that the winner is trained on in the end; 0 leaves them out.
    """

    trials: int = 50
    seeds: int = 5
    minutes: float | None = None
    stop_early: bool = True
    repeats: int = 0


class Chooser:
    """Decides, under the lock for decisions, so that several processes decide as one would."""

    def __init__(self, book: Book, definition: Definition, presence: Presence, limits: Limits) -> None:
        self._book, self._definition, self._presence, self._limits = book, definition, presence, limits
        self._start = time.monotonic()

    def choose(self) -> Job | None:
        """The next job, made this process's own; None when there is none to begin, for now or for good."""
        with self._presence.deciding():
            if self.time_is_up():
                return None
            trials = self._book.trials()
            if (left := self._left_behind(trials)) is not None:
                return left
            new = self._wants_trial(trials)
            further = self._race(trials, early=new)
            if further is not None:
                return further
            return Job(self._book.begin(), 0) if new else self._repeat(trials)

    def _left_behind(self, trials: list[Trial]) -> Job | None:
        for trial in trials:
            for seed in trial.unfinished:
                if not self._presence.is_alive(trial.seeds[seed].owner):
                    self._book.begin_seed(trial, seed)
                    return Job(trial, seed)
        return None

    def _repeat(self, trials: list[Trial]) -> Job | None:
        if any(trial.unfinished for trial in trials):  # they decide who has won
            return None
        for number in range(self._limits.repeats):
            for trial in judged_anew(trials, self._definition):
                known = trial.repeats.get(number)
                if known is None or (known.is_open and not self._presence.is_alive(known.owner)):
                    self._book.begin_repeat(trial, number)
                    return Job(trial, number, fresh=True)
        return None

    def abandoned(self) -> list[Job]:
        """Fresh splits that died with their process and are not gone on with: another trial won, or fewer are asked."""
        trials = self._book.trials()
        if self.time_is_up() or any(trial.unfinished for trial in trials):  # it is not known yet who wins
            return []
        judged = {trial.index for trial in judged_anew(trials, self._definition)}
        return [
            Job(trial, number, fresh=True)
            for trial in trials
            for number, one in trial.repeats.items()
            if (trial.index not in judged or number >= self._limits.repeats)
            and one.is_open
            and not self._presence.is_alive(one.owner)
        ]

    def _race(self, trials: list[Trial], early: bool) -> Job | None:
        complete = {trial.index: trial for trial in trials if trial.state == "complete"}
        if early and sum(trial.state != "running" for trial in trials) < _EARLY:
            return None
        results = {index: trial.aucs for index, trial in complete.items()}
        taken = {index: len(trial.seeds) for index, trial in complete.items()}
        if early:
            chosen = next_seed(results, taken, min(2, self._limits.seeds), _EARLY_RACERS)
        else:
            chosen = next_seed(results, taken, self._limits.seeds)
        if chosen is None:
            return None
        self._book.begin_seed(complete[chosen], taken[chosen])
        return Job(complete[chosen], taken[chosen])

    def _wants_trial(self, trials: list[Trial]) -> bool:
        listed = self._definition.is_listed
        most = min(self._limits.trials, len(self._definition.listed)) if listed else self._limits.trials
        if len(trials) >= most or self.time_is_up(_FOR_TRIALS):
            return False
        if not listed and self._book.has_all(trials):
            self._book.ending = f"after {len(trials)} trials, which are all settings of the space"
            return False
        if listed or not self._limits.stop_early:
            return True
        return self._book.ending is None and not self._gain_is_noise(trials)

    def _gain_is_noise(self, trials: list[Trial]) -> bool:
        """Whether what a further trial may gain is below the standard error of the leader's mean AUC over seeds."""
        complete = {trial.index: trial.aucs for trial in trials if trial.state == "complete"}
        known = known_values(trials)
        error = leader_error(complete)
        if error is None or len(known) < max(FEWEST, self._book.looked_at + _EVERY):
            return False
        gain = expected_gain(self._definition.space, known, self._definition.seed)
        if gain >= error:
            self._book.looked_at = len(known)
            return False
        self._book.ending = (
            f"after {len(known)} trials: the next is expected to gain {gain:.4f} at most, less than the standard "
            f"error {error:.4f} of the leader's mean over seeds"
        )
        return True

    def time_is_up(self, share: float = 1.0) -> bool:
        """Whether nothing further is begun; ``share`` of the time may be all that there is."""
        minutes = self._limits.minutes
        return minutes is not None and time.monotonic() - self._start >= 60 * share * minutes
