"""What the duplicates between test and the other splits are worth, for a run and for two simple models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medauc.audit.collection import Collection
from medauc.audit.duplicates import Duplicates, stacked_thumbnails
from medauc.audit.effect import Effect, refit_effect, removal_effect
from medauc.audit.facts import ImageFacts
from medauc.audit.similarity import vectors_of
from medauc.audit.simple_models import SIMPLE_MODELS, fitted_rows
from medauc.errors import InputError
from medauc.evaluation import Predictions


def effects_of_duplicates(
    collection: Collection,
    facts: Sequence[ImageFacts],
    duplicates: Duplicates,
    run: Predictions | None = None,
    run_name: str = "run",
) -> list[Effect]:
    """Tell how AUC on test changes without duplicates; nothing where test has none in other splits.

    Args:
        collection: what is audited.
        facts: of its images.
        duplicates: of them.
        run: scores of a model; its test ids must be those of the collection.
        run_name: what the run is called.

    Raises:
        InputError: the run scored other test samples.
    """
    test = collection.splits == "test"
    twins = duplicates.twins(test, ~test)
    found = [] if run is None else _of_run(collection, twins, run, run_name)
    if not twins.any():
        return found
    usable = np.array([fact.thumbnail is not None for fact in facts], dtype=np.bool_)
    dims = {len(fact.shape) for fact in facts if fact.thumbnail is not None}
    if len(dims) > 1:
        return found
    pictures = vectors_of(stacked_thumbnails(facts))
    vectors = np.zeros((len(facts), pictures.shape[1]), np.float32)
    vectors[usable] = pictures
    for number, label in enumerate(collection.label_names):
        known = usable & (collection.targets[:, number] >= 0)
        found += _of_simple_models(collection, vectors, number, label, known, duplicates)
    return found


def _of_run(
    collection: Collection, twins: NDArray[np.bool_], run: Predictions, run_name: str
) -> list[Effect]:
    scored = run.select("test")
    place = {name: row for row, name in enumerate(collection.ids.tolist())}
    missing = [name for name in scored.ids if name not in place or collection.splits[place[name]] != "test"]
    if missing or not scored.n:
        what = (
            f"{len(missing)} of its test samples are not in test here, {missing[0]!r} first"
            if missing
            else "it has none"
        )
        raise InputError(f"--run {run_name}: scores of another data set ({what})")
    rows = np.array([place[name] for name in scored.ids])
    found = []
    for label in scored.labels or (None,):
        target = scored.target(label).astype(np.int64)
        known = target >= 0
        kept = rows[known]
        effect = removal_effect(
            run_name, label, target[known], scored.score(label)[known], collection.groups[kept], twins[kept]
        )
        found += [] if effect is None else [effect]
    return found


def _of_simple_models(
    collection: Collection,
    vectors: NDArray[np.float32],
    number: int,
    label: str,
    known: NDArray[np.bool_],
    duplicates: Duplicates,
) -> list[Effect]:
    target, groups = collection.targets[:, number], collection.groups
    train, test = known & (collection.splits == "train"), known & (collection.splits == "test")
    shared = duplicates.twins(train, test)
    twins = duplicates.twins(test, known & (collection.splits != "test"))[test]
    rows = fitted_rows(np.flatnonzero(train), shared[train])
    clean = rows[~shared[rows]]
    if any(len(np.unique(target[part])) < 2 for part in (rows, clean, test)):
        return []
    name = label if len(collection.label_names) > 1 else None
    found: list[Effect | None] = []
    for model, score in SIMPLE_MODELS.items():
        every, without = (score(vectors[part], target[part], vectors[test]) for part in (rows, clean))
        found.append(removal_effect(model, name, target[test], every, groups[test], twins))
        removed = target[rows[shared[rows]]]
        found.append(refit_effect(model, name, target[test], (every, without), groups[test], removed))
    return [effect for effect in found if effect is not None]
