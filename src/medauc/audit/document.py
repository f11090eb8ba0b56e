"""The form of ``audit.json``."""

from typing import ClassVar, Literal

from medauc.audit.composition import Difference, SplitSummary
from medauc.evaluation.figures import Document, Figure, Strict

Severity = Literal["invalid", "warning", "note"]


class Finding(Strict):
    """One thing that a reader must know.

    ``invalid`` means that results would not mean what they say; ``warning`` that they may not; ``note`` is worth
    knowing. ``ids`` names samples (or groups) concerned, the first twenty of ``count``.
    """

    severity: Severity
    check: str
    text: str
    remedy: str
    count: int
    ids: list[str]


class DuplicatePair(Strict):
    """Two samples that are one picture.

    ``likeness`` is the correlation of their details at full size; ``same_file`` tells whether the files are equal byte
    for byte (null for arrays), ``same_group`` whether they are of one patient (null where none are named).
    """

    first: str
    second: str
    first_split: str
    second_split: str
    kind: Literal["exact", "near", "similar"]
    likeness: float
    same_file: bool | None
    same_group: bool | None
    labels_differ: bool


class SplitPairs(Strict):
    """How many pairs of duplicates lie within one split or between two.

    ``expected`` is how many would if the pairs found were thrown at the splits by chance.
    """

    first: str
    second: str
    exact: int
    near: int
    expected: float


class DuplicateEffect(Strict):
    """AUC with and without duplicates across splits; ``statement`` says what was removed, ``p`` is for no change."""

    model: str
    label: str | None
    statement: str
    n_removed: int
    n_removed_positive: int
    every: Figure
    clean: Figure
    difference: Figure
    p: float


class DuplicateReport(Strict):
    """All duplicates.

    ``nearest`` counts, by split, images by the likeness of their most similar other image as thumbnails, in 50 equal
    bins from 0 to 1; exact copies count once. ``pairs`` holds the first 10,000, ``n_similar`` counts pairs that are
    alike as thumbnails only.
    """

    near: float
    n_exact: int
    n_near: int
    n_similar: int
    across: int
    images_with_twin: dict[str, int]
    by_splits: list[SplitPairs]
    nearest: dict[str, list[int]]
    pairs: list[DuplicatePair]
    effects: list[DuplicateEffect]


class FeatureFigure(Strict):
    """One feature alone: its AUC in cross-validation, and on the samples that decide."""

    name: str
    cross_validated: float
    auc: Figure


class ShortcutReport(Strict):
    """How well features of one kind rank one label, without the picture."""

    label: str
    kind: Literal["acquisition", "border", "column"]
    features: str
    n_features: int
    judged_on: str
    auc: Figure
    strongest: list[FeatureFigure]
    flagged: bool


class AssociationReport(Strict):
    """A feature that goes with a label beyond chance; AUC of the feature (or of one level of it) as a score."""

    feature: str
    level: str | None
    label: str
    auc: Figure
    p_adjusted: float


class Failure(Strict):
    """An image that could not be read, and why."""

    id: str
    split: str
    path: str | None
    error: str


class Audit(Document):
    """Everything that ``medauc audit`` found; :attr:`exit_status` is 3 where results would be invalid."""

    kind: ClassVar[str] = "an audit"

    medauc: str
    name: str
    source: str | None
    n: int
    groups_known: bool
    findings: list[Finding]
    splits: list[SplitSummary]
    differences: list[Difference]
    duplicates: DuplicateReport
    leaking_groups: list[str]
    associations: list[AssociationReport]
    shortcuts: list[ShortcutReport]
    columns_that_say_the_label: list[str]
    failures: list[Failure]
    phi: dict[str, int]

    @property
    def exit_status(self) -> int:
        """Status of the command: 3 where a finding is ``invalid``, else 0."""
        return 3 if any(finding.severity == "invalid" for finding in self.findings) else 0
