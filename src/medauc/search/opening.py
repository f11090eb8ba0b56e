"""Opening a search: begun anew or as it was left, and refused before anything is begun."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from medauc.data.folds import assign_folds
from medauc.errors import InputError
from medauc.search.book import Book
from medauc.search.definition import Definition, SearchFolder
from medauc.search.job import Options, Workplace
from medauc.search.processes import Presence
from medauc.search.repeats import FreshSplits
from medauc.search.run import Search, tell_outage
from medauc.search.samplers import require_data_only
from medauc.search.storage import open_storage, open_study
from medauc.search.worth import require_resampling
from medauc.training.ensemble_folder import EnsembleFolder
from medauc.training.origin import require_unseen
from medauc.training.plan import Plan


def open_search(
    plan: Plan, definition: Definition, out: Path, *, url: str | None = None, **options: Unpack[Options]
) -> Search:
    """Open a search, begun anew or as it was left.

    Args:
        plan: data and recipe.
        definition: what the search is.
        out: its folder.
        url: of the storage, with its password; None for the journal in the folder.
        **options: of :class:`~medauc.search.job.Workplace`.

    Raises:
        InputError: the folder holds another search or cannot be written, the storage cannot be reached or must not be
            trusted with the sampler, a class is too rare, or weights to start from have seen what the folds hold out.
        DatabaseAway: the storage was reached, and then no more.
    """
    require_resampling(plan.dataset, definition.folds)
    if definition.folds is not None:
        for weights in definition.weights:
            require_unseen(Path(weights), plan.dataset.name, plan.dataset.md5)
    if url is not None:
        require_data_only(definition.sampler)
    folder = SearchFolder(out)
    if out.is_dir() and any(out.iterdir()) and not folder.definition.exists() and not folder.lock.exists():
        raise InputError(f"{out}: not empty and not a search; name another folder with --out")
    made = [place for place in (out, *out.parents) if not place.exists()]
    presence = Presence(folder.processes, folder.lock)
    try:
        with presence.deciding():
            folder.remove_leftovers()
            assigned = _new_folds(out, plan, definition.folds)  # refused before anything is begun
            storage = open_storage(url, out)
            study = folder.begin(definition, lambda name: open_study(storage, name))
            assignment = None if definition.folds is None else _folds(out, plan, assigned)
            book = Book(storage, study, definition, presence.token)
    except BaseException as error:
        presence.close()
        _remove_empty(folder, made)
        tell_outage(error)
        raise
    place = Workplace(
        folder, definition, study, FreshSplits(plan.dataset, definition), url, assignment, **options
    )
    return Search(place, book, presence)


def _remove_empty(folder: SearchFolder, made: Sequence[Path]) -> None:
    """What was refused leaves no folders; one that holds anything, or another process, stays."""
    if folder.path in made:
        with suppress(OSError):
            folder.processes.rmdir()
            folder.lock.unlink(missing_ok=True)
            for place in made:
                place.rmdir()


def _new_folds(out: Path, plan: Plan, folds: int | None) -> NDArray[np.int64] | None:
    """The fold of each sample, by a column where the recipe says so; None without folds, or where they are there."""
    if folds is None or EnsembleFolder(out).folds.exists():
        return None
    section = plan.recipe.ensemble
    return assign_folds(plan.dataset, folds, seed=0, by=section.folds_by, order_by=section.folds_order_by)


def _folds(out: Path, plan: Plan, new: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """The fold of each sample, as written down when the search was begun, which is now where they are new."""
    run = EnsembleFolder(out)
    if new is not None:
        run.write_folds(plan.dataset, new)
    return run.read_folds(plan.dataset)
