"""What the checks look at, and the words that they share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medauc.audit.associations import Association
from medauc.audit.collection import Collection
from medauc.audit.composition import Difference
from medauc.audit.document import Finding, Severity
from medauc.audit.duplicates import Duplicates
from medauc.audit.facts import ImageFacts
from medauc.audit.shortcuts import Echo, Shortcut

MOST_IDS = 20


@dataclass(frozen=True, eq=False)
class Material:
    """All that the checks look at."""

    collection: Collection
    facts: Sequence[ImageFacts]
    duplicates: Duplicates
    shortcuts: Sequence[Shortcut]
    echoes: Sequence[Echo]
    associations: Sequence[Association]
    differences: Sequence[Difference]

    def ids(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> list[str]:
        """Ids of the first rows of a mask or of numbers."""
        numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return [str(name) for name in self.collection.ids[numbers[:MOST_IDS]]]

    def mask(self, values: Sequence[bool]) -> NDArray[np.bool_]:
        """Values of all facts as a mask."""
        return np.array(values, dtype=np.bool_)


def leaking_groups(collection: Collection) -> list[str]:
    """Patients with images in more than one split."""
    pairs = np.unique(np.column_stack((collection.groups, collection.splits)), axis=0)
    names, counts = np.unique(pairs[:, 0], return_counts=True)
    return [str(name) for name in names[counts > 1]]


def conflicting_pairs(collection: Collection, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask of the pairs whose two samples have different known targets."""
    first, second = collection.targets[pairs[:, 0]], collection.targets[pairs[:, 1]]
    return np.asarray(((first >= 0) & (second >= 0) & (first != second)).any(axis=1))


def make(
    severity: Severity, check: str, text: str, remedy: str, count: int, ids: Sequence[str] = ()
) -> Finding:
    """A finding that names the first samples concerned."""
    return Finding(
        severity=severity, check=check, text=text, remedy=remedy, count=count, ids=list(ids[:MOST_IDS])
    )


def count(number: int, noun: str) -> str:
    """Number and noun, "1 pair" or "2 pairs"."""
    return f"{int(number)} {noun}" + ("" if number == 1 else "s")


def few(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def interval_text(found: tuple[float, float, float]) -> str:
    """An AUC with its interval."""
    return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]"
