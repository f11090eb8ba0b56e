"""Looking on while a training runs: a search hears of every epoch, and can end what is not worth its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watch = Callable[[int, float], bool]
"""Called after each epoch, when it is safe on disk, with the epochs so far and the newest validation AUC (NaN where it
is not defined); of a training that resumes, for its last epoch again. False ends the training."""

_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


class GivenUp(Exception):
    """Who watches the training wants no more of it; it can be resumed like one that was killed."""


class WatchLost(Exception):
    """Who watches the training cannot be told: it ends unfinished, by no fault of its own, and can be resumed."""


@contextmanager
def watched_by(watch: Watch | None) -> Iterator[None]:
    """Have every training in this block watched.

    >>> with watched_by(lambda epochs, auc: epochs < 3):
    ...     heard(2, 0.7)
    ...     heard(3, 0.8)
    Traceback (most recent call last):
    medauc.training.watch.GivenUp: given up after 3 epochs
    """
    before = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(before)


def heard(epochs: int, auc: float) -> None:
    """Tell who watches, if anybody does, of an epoch.

    Raises:
        GivenUp: the training shall end.
    """
    watch = _watch.get()
    if watch is not None and not watch(epochs, auc):
        raise GivenUp(f"given up after {epochs} epochs")
