"""One audit: measure all images, find duplicates, leaks and shortcuts, and say what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medauc import __version__
from medauc.audit.associations import find_associations
from medauc.audit.collection import Collection, Progress
from medauc.audit.composition import (
    find_differences,
    intensity_features,
    label_features,
    summarise,
)
from medauc.audit.document import Audit, Failure
from medauc.audit.duplicates import NEAR, Duplicates, find_duplicates
from medauc.audit.facts import ImageFacts
from medauc.audit.features import features_of
from medauc.audit.findings import find_all
from medauc.audit.material import Material, leaking_groups
from medauc.audit.refetch import Refetch
from medauc.audit.reporting import association_report, duplicate_report, shortcut_report
from medauc.audit.shortcuts import find_shortcuts
from medauc.audit.worth import effects_of_duplicates
from medauc.evaluation import Predictions


@dataclass(frozen=True, eq=False)
class Audited:
    """An audit with what its page draws on.

    Attributes:
        audit: all that was found.
        collection: what was audited.
        facts: of each of its images.
        duplicates: pairs by row number.
    """

    audit: Audit
    collection: Collection
    facts: Sequence[ImageFacts]
    duplicates: Duplicates


def audit_collection(
    collection: Collection,
    *,
    run: Predictions | None = None,
    run_name: str = "run",
    near: float = NEAR,
    orientations: bool = False,
    progress: Progress | None = None,
) -> Audited:
    """Audit a data set.

    Args:
        collection: who and what the images are (:func:`medauc.audit.collection_of`).
        run: predictions of a model on this data set; what duplicates do to its test AUC is told.
        run_name: what the run is called.
        near: likeness from which two images count as one picture, between 0 and 1.
        orientations: also find flipped copies.
        progress: called after each block with the numbers of images measured and in all.

    Raises:
        InputError: the run scored other test samples.

    >>> from medauc.audit import collection_of
    >>> from medauc.data import load_dataset, PhantomSpec
    >>> data = load_dataset("phantom2d", size=12, phantom=PhantomSpec(n_train=60, n_val=20, n_test=20))
    >>> audited = audit_collection(collection_of(data))
    >>> audited.audit.n, audited.audit.duplicates.n_exact, audited.audit.exit_status
    (100, 0, 0)
    """
    fetch = Refetch(collection.images, collection.images.measure(progress))
    duplicates = find_duplicates(fetch.told(), fetch, near, orientations)
    facts = _told(collection, fetch.told())
    collection = with_patients(collection, facts)
    features = features_of(facts, collection.columns)
    readable = np.array([fact.error is None for fact in facts], dtype=np.bool_)
    targets = np.where(readable[:, None], collection.targets, -1)
    shortcuts, echoes = find_shortcuts(
        features, targets, collection.label_names, collection.splits, collection.groups
    )
    said = {echo.column for echo in echoes}
    beside = [feature for feature in features if feature.name not in said]
    associations = find_associations(beside, targets, collection.label_names, collection.groups)
    differences = find_differences(
        collection, [*label_features(collection), *intensity_features(facts), *features]
    )
    effects = effects_of_duplicates(collection, facts, duplicates, run, run_name)
    found = find_all(Material(collection, facts, duplicates, shortcuts, echoes, associations, differences))
    audit = Audit(
        medauc=__version__,
        name=collection.name,
        source=None if collection.source is None or collection.hashed else str(collection.source),
        n=len(collection),
        groups_known=collection.groups_known,
        findings=found,
        splits=summarise(collection, facts),
        differences=differences,
        duplicates=duplicate_report(collection, facts, duplicates, effects),
        leaking_groups=leaking_groups(collection),
        associations=[association_report(one) for one in associations],
        shortcuts=[shortcut_report(one) for one in shortcuts],
        columns_that_say_the_label=list(dict.fromkeys(echo.column for echo in echoes)),
        failures=_failures(collection, facts),
        phi=_phi(facts),
    )
    return Audited(audit, collection, facts, duplicates)


def with_patients(collection: Collection, facts: Sequence[ImageFacts]) -> Collection:
    """Take the hashed patients of DICOM headers for groups, where the data set names none.

    An image without one is a patient of its own. One value in all headers, such as "ANON", says nothing.
    """
    patients = np.array([fact.patient or "" for fact in facts], dtype=np.str_)
    named = patients != ""
    if collection.groups_known or len(np.unique(patients[named])) < 2:
        return collection
    return replace(collection, groups=np.where(named, patients, collection.ids), groups_known=True)


def _told(collection: Collection, facts: Sequence[ImageFacts]) -> Sequence[ImageFacts]:
    """Facts whose words do not name the file, where ids are hashed."""
    if not collection.hashed:
        return facts
    from medauc.data.readers import without_names

    found = []
    for row, fact in enumerate(facts):
        path = collection.images.path(row)
        if path is not None and (fact.error or fact.notes):
            error = None if fact.error is None else without_names(fact.error, path)
            fact = replace(fact, error=error, notes=tuple(without_names(note, path) for note in fact.notes))
        found.append(fact)
    return found


def _failures(collection: Collection, facts: Sequence[ImageFacts]) -> list[Failure]:
    return [
        Failure(
            id=str(collection.ids[row]),
            split=str(collection.splits[row]),
            path=collection.path(row),
            error=fact.error,
        )
        for row, fact in enumerate(facts)
        if fact.error is not None
    ]


def _phi(facts: Sequence[ImageFacts]) -> dict[str, int]:
    keywords = [keyword for fact in facts for keyword in fact.phi]
    names, counts = np.unique(np.array(keywords, dtype=np.str_), return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}
