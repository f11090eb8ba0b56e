"""What a worker asks after each epoch: whether the trial is still worth its time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from medauc.errors import InputError
from medauc.search.samplers import make_pruner
from medauc.search.storage import JOURNAL, Unreachable, open_storage
from medauc.training.watch import WatchLost

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

GIVEN_UP = "given up"
_PASSED = "passed"  # the last epoch after which a trial was worth going on
_PATIENCE = 300.0  # seconds that the database may be away
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds between attempts, doubling


@dataclass(frozen=True)
class Pruning:
    """Writes each epoch's validation AUC to the storage and asks the pruner; it can be sent to another process.

    Attributes:
        url: of the storage, None for the journal in ``folder``.
        folder: the search's.
        study: its name in the storage.
        trial: Optuna's id of the trial.
        pruner: its name.
        epochs: most epochs of any trial.
        best: judge by the best epoch so far, since its weights would be kept; else by the newest.
        last: the trial's last epoch, where giving up would save nothing and lose the result; None where folds follow.
    """

    url: str | None = field(repr=False)  # it may hold a password
    folder: Path
    study: str
    trial: int
    pruner: str
    epochs: int
    best: bool = True
    last: int | None = None

    def __call__(self, epochs: int, auc: float) -> bool:
        """Whether to go on; asked again, as a training that resumes does, it says what it said.

        Raises:
            InputError: the journal is not seen from here.
            WatchLost: the database could not be reached for minutes.
        """
        if self.url is None:
            return self._verdict(epochs, auc)
        return _persist(lambda: self._verdict(epochs, auc))

    def _verdict(self, epochs: int, auc: float) -> bool:
        storage, study = _opened(self.url, self.folder, self.study)
        trial = storage.get_trial(self.trial)
        if GIVEN_UP in trial.user_attrs:
            return False
        if math.isnan(auc) or trial.user_attrs.get(_PASSED, 0) >= epochs:
            return True
        earlier = [value for step, value in trial.intermediate_values.items() if step < epochs]
        storage.set_trial_intermediate_value(self.trial, epochs, max([auc, *earlier]) if self.best else auc)
        pruner = make_pruner(self.pruner, self.epochs)
        given_up = epochs != self.last and pruner.prune(study, storage.get_trial(self.trial))
        # Asked twice, a pruner may say another thing: others have told more meanwhile.
        if given_up:
            storage.set_trial_user_attr(self.trial, GIVEN_UP, True)
        else:
            storage.set_trial_user_attr(self.trial, _PASSED, epochs)
        return not given_up


def _persist(judge: Callable[[], bool]) -> bool:
    """Judge, through an outage of the database that is not too long."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    until, pause = time.monotonic() + _PATIENCE, _FIRST_PAUSE
    while True:
        try:
            return judge()
        except (StorageInternalError, DBAPIError, Unreachable) as error:
            if time.monotonic() + pause > until:
                reason = " ".join(str(error.__cause__ or error).split())
                raise WatchLost(f"the search's database cannot be reached: {reason}") from error
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


@lru_cache(maxsize=1)
def _opened(url: str | None, folder: Path, name: str) -> "tuple[BaseStorage, Study]":
    """Storage and study as the search made them; never new ones, which nobody else would look at."""
    from optuna import load_study

    if url is None and not (folder / JOURNAL).is_file():
        raise InputError(
            f"{folder} is not seen where the trial is trained; name a database with --storage, or take --pruner none"
        )
    storage = open_storage(url, folder)
    return storage, load_study(study_name=name, storage=storage)
