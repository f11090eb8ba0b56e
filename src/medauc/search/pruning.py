"""What a worker asks after each epoch: whether the trial is still worth its time."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from medauc.search.samplers import make_pruner
from medauc.search.storage import open_storage, open_study

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

GIVEN_UP = "given up"


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
    """

    url: str | None = field(repr=False)  # it may hold a password
    folder: Path
    study: str
    trial: int
    pruner: str
    epochs: int
    best: bool = True

    def __call__(self, epochs: int, auc: float) -> bool:
        """Whether to go on."""
        if math.isnan(auc):
            return True
        storage, study = _opened(self.url, self.folder, self.study)
        known = storage.get_trial(self.trial).intermediate_values
        earlier = [value for step, value in known.items() if step < epochs]
        storage.set_trial_intermediate_value(self.trial, epochs, max([auc, *earlier]) if self.best else auc)
        if not make_pruner(self.pruner, self.epochs).prune(study, storage.get_trial(self.trial)):
            return True
        storage.set_trial_user_attr(self.trial, GIVEN_UP, True)  # a pruner asked twice may say another thing
        return False


@lru_cache(maxsize=1)
def _opened(url: str | None, folder: Path, name: str) -> "tuple[BaseStorage, Study]":
    storage = open_storage(url, folder)
    return storage, open_study(storage, name)
