"""From what was measured to what a reader must know: one check a function, each with its severity and a remedy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medauc.audit.associations import Association
from medauc.audit.collection import Collection
from medauc.audit.composition import Difference
from medauc.audit.document import Finding, Severity
from medauc.audit.duplicates import Duplicates
from medauc.audit.facts import ImageFacts
from medauc.audit.shortcuts import KINDS, MARGIN, Echo, Shortcut

MOST_IDS = 20
NEARLY_EMPTY = 0.999  # share of pixels with one value
FEW_CASES = 20  # of a class on test
ORDER = ("invalid", "warning", "note")


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


def find_all(material: Material) -> list[Finding]:
    """Run all checks, what invalidates results first."""
    checks = (
        _unreadable,
        _passed_over,
        _one_class,
        _patients,
        _duplicates_across,
        _conflicts,
        _kinds_of_image,
        _worthless,
        _duplicates_within,
        _shortcuts,
        _associations,
        _differences,
        _phi,
        _remarks,
    )
    found = [finding for check in checks for finding in check(material)]
    return sorted(found, key=lambda finding: ORDER.index(finding.severity))


def leaking_groups(collection: Collection) -> list[str]:
    """Patients with images in more than one split."""
    pairs = np.unique(np.column_stack((collection.groups, collection.splits)), axis=0)
    names, counts = np.unique(pairs[:, 0], return_counts=True)
    return [str(name) for name in names[counts > 1]]


def conflicting_pairs(collection: Collection, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask of the pairs whose two samples have different known targets."""
    first, second = collection.targets[pairs[:, 0]], collection.targets[pairs[:, 1]]
    return np.asarray(((first >= 0) & (second >= 0) & (first != second)).any(axis=1))


def _finding(
    severity: Severity, check: str, text: str, remedy: str, count: int, ids: Sequence[str] = ()
) -> Finding:
    return Finding(
        severity=severity, check=check, text=text, remedy=remedy, count=count, ids=list(ids[:MOST_IDS])
    )


def _unreadable(material: Material) -> Iterator[Finding]:
    broken = material.mask([fact.error is not None for fact in material.facts])
    if broken.any():
        reason = next(fact.error for fact in material.facts if fact.error)
        yield _finding(
            "invalid",
            "unreadable",
            f"{_count(broken.sum(), 'image')} cannot be read; the first: {reason}",
            "mend or leave out these files",
            int(broken.sum()),
            material.ids(broken),
        )


def _passed_over(material: Material) -> Iterator[Finding]:
    names = material.collection.passed_over
    if names:
        yield _finding(
            "warning",
            "passed over",
            f"{_count(len(names), 'file')} named like images without an image inside, no part of the data: {_few(names)}",
            "copy them again, or remove them",
            len(names),
            names,
        )


def _one_class(material: Material) -> Iterator[Finding]:
    data = material.collection
    for split in data.split_names:
        rows = data.splits == split
        missing = [
            label
            for label, target in zip(data.label_names, data.targets.T, strict=True)
            if not {0, 1} <= set(target[rows].tolist())
        ]
        if missing and len(missing) == len(data.label_names):
            yield _finding(
                "invalid",
                "one class",
                f"{split} has no label with both classes, so no AUC exists there",
                "split anew, stratified by label",
                len(missing),
                missing,
            )
        elif missing:
            yield _finding(
                "warning",
                "one class",
                f"{split} lacks a class of {_count(len(missing), 'label')}: {_few(missing)}; no AUC of them there",
                "split anew, stratified by label, or leave these labels out",
                len(missing),
                missing,
            )
        rare = [
            label
            for label, target in zip(data.label_names, data.targets.T, strict=True)
            if split == "test"
            and label not in missing
            and min((target[rows] == 1).sum(), (target[rows] == 0).sum()) < FEW_CASES
        ]
        if rare:
            yield _finding(
                "note",
                "few cases",
                f"test has fewer than {FEW_CASES} cases of a class of {_few(rare)}: intervals will be wide",
                "collect more, or report intervals with care",
                len(rare),
                rare,
            )


def _patients(material: Material) -> Iterator[Finding]:
    data = material.collection
    leaking = leaking_groups(data)
    if leaking:
        rows = np.isin(data.groups, leaking) & (data.splits == "test")
        in_test = len(np.unique(data.groups[rows]))
        yield _finding(
            "invalid",
            "patients across splits",
            f"{_count(len(leaking), 'patient')} in more than one split; {in_test} of them in test, with "
            f"{_count(rows.sum(), 'image')} there",
            "split by patient: leave the split column out and medauc makes grouped splits",
            len(leaking),
            leaking,
        )
    if not data.groups_known and len(data.split_names) > 1:
        yield _finding(
            "note",
            "patients unknown",
            "no patient is named for any image, so whether patients cross splits cannot be told",
            "add a column that names the patient",
            1,
        )


def _duplicates_across(material: Material) -> Iterator[Finding]:
    data, found = material.collection, material.duplicates
    splits = data.splits[found.pairs]
    across = splits[:, 0] != splits[:, 1]
    if not across.any():
        return
    test = data.splits == "test"
    twins = found.twins(test, ~test)
    with_test = (
        f"; {_count(twins.sum(), 'test image')} ({twins.sum() / test.sum():.1%}) seen in training or validation"
        if twins.any()
        else "; none of them in test, but validation chooses epoch and threshold"
    )
    yield _finding(
        "invalid",
        "duplicates across splits",
        f"{_count(across.sum(), 'pair')} of one picture in two splits, {int((across & found.exact).sum())} exact and "
        f"{int((across & ~found.exact).sum())} near{with_test}",
        "keep the copies of a picture in one split, or leave all but one out",
        int(across.sum()),
        material.ids(found.pairs[across, 1]),
    )


def _conflicts(material: Material) -> Iterator[Finding]:
    data, found = material.collection, material.duplicates
    differ = conflicting_pairs(data, found.pairs)
    severities: tuple[tuple[Severity, str, NDArray[np.bool_]], ...] = (
        ("invalid", "exact", differ & found.exact),
        ("warning", "near", differ & ~found.exact),
    )
    for severity, kind, rows in severities:
        if rows.any():
            named = [" and ".join(map(str, data.ids[pair])) for pair in found.pairs[rows]]
            yield _finding(
                severity,
                f"label conflict, {kind}",
                f"{_count(rows.sum(), 'pair')} of {kind} duplicates with different labels: {_few(named)}",
                "find out which label is right",
                int(rows.sum()),
                named,
            )


def _kinds_of_image(material: Material) -> Iterator[Finding]:
    read = [fact for fact in material.facts if fact.error is None]
    dims = {len(fact.shape) for fact in read}
    if len(dims) > 1:
        flat = material.mask([fact.error is None and len(fact.shape) == 2 for fact in material.facts])
        yield _finding(
            "invalid",
            "images and volumes",
            f"{flat.sum()} flat images among {len(read) - flat.sum()} volumes: one network cannot take both",
            "make two data sets of them",
            int(min(flat.sum(), len(read) - flat.sum())),
            material.ids(flat),
        )
    if len({fact.colour for fact in read}) > 1:
        colour = material.mask([fact.colour for fact in material.facts])
        yield _finding(
            "note",
            "colour and grey",
            f"{colour.sum()} of {len(read)} images are colour, the others grey",
            "data.preparation.colour decides what both become",
            int(colour.sum()),
            material.ids(colour),
        )


def _worthless(material: Material) -> Iterator[Finding]:
    facts = material.facts
    readable = [fact.error is None for fact in facts]
    checks = (
        ("constant", "with one value in all pixels", [fact.constant for fact in facts]),
        (
            "not finite",
            "with NaN or infinite pixels",
            [r and f.finite < 1 for r, f in zip(readable, facts, strict=True)],
        ),
        (
            "nearly empty",
            f"with one value in more than {NEARLY_EMPTY:.1%} of pixels",
            [not fact.constant and fact.padding > NEARLY_EMPTY for fact in facts],
        ),
    )
    for check, text, values in checks:
        rows = material.mask(values)
        if rows.any():
            yield _finding(
                "warning",
                check,
                f"{_count(rows.sum(), 'image')} {text}",
                "look at them; leave out what shows nothing",
                int(rows.sum()),
                material.ids(rows),
            )


def _duplicates_within(material: Material) -> Iterator[Finding]:
    data, found = material.collection, material.duplicates
    splits = data.splits[found.pairs]
    for split in data.split_names:
        inside = (splits == split).all(axis=1)
        if split == "all":
            yield from _across_patients(material, inside)
        elif inside.any():
            yield _finding(
                "warning" if split == "test" else "note",
                "duplicates within a split",
                f"{_count(inside.sum(), 'pair')} of one picture within {split}, {(inside & found.exact).sum()} exact",
                "intervals count the copies as separate cases"
                if split == "test"
                else "they weigh twice in training",
                int(inside.sum()),
                material.ids(found.pairs[inside, 1]),
            )
    if len(found.similar):
        yield _finding(
            "note",
            "look-alikes",
            f"{_count(len(found.similar), 'pair')} more alike as thumbnails, not at full size",
            "look at the pairs: they may be one patient twice",
            len(found.similar),
            material.ids(found.similar[:, 1]),
        )


def _across_patients(material: Material, inside: NDArray[np.bool_]) -> Iterator[Finding]:
    """Duplicates in data that have no splits yet: splits made of them keep patients whole, not pictures."""
    data, found = material.collection, material.duplicates
    apart = inside & (data.groups[found.pairs[:, 0]] != data.groups[found.pairs[:, 1]])
    if apart.any():
        yield _finding(
            "warning",
            "duplicates before splitting",
            f"{_count(apart.sum(), 'pair')} of one picture, {(apart & found.exact).sum()} exact"
            + (", of different patients" if data.groups_known else ""),
            "leave out copies, or give them one patient, before splits are made",
            int(apart.sum()),
            material.ids(found.pairs[apart, 1]),
        )


def _shortcuts(material: Material) -> Iterator[Finding]:
    for kind, name in KINDS.items():
        flagged = [found for found in material.shortcuts if found.kind == kind and found.flagged]
        if not flagged:
            continue
        first = max(flagged, key=lambda found: max(found.auc.low, found.strongest[0].auc.low))
        best = first.strongest[0]
        alone = list(dict.fromkeys(one.name for found in flagged for one in found.flagged_features))
        rest = [found.label for found in flagged if found is not first]
        yield _finding(
            "warning",
            f"shortcut, {kind}",
            f"{name} alone rank {first.label} with AUC {_interval(first.auc)} ({first.judged_on}); strongest alone: "
            f"{best.name} {_interval(best.auc)}"
            + (f"; enough alone: {_few(alone, 6)}" if len(alone) > 1 else "")
            + (f"; also of {_few(rest, 6)}" if rest else ""),
            "make sure that the network cannot use it, and report this AUC beside the network's",
            len(flagged),
            alone,
        )
    if material.echoes:
        names = list(dict.fromkeys(echo.column for echo in material.echoes))
        yield _finding(
            "note",
            "columns that say the label",
            f"{_count(len(names), 'column')} with a label almost surely in other words: {_few(names, 6)}",
            "no shortcut model was given them; keep them from the network's inputs too",
            len(names),
            names,
        )


def _associations(material: Material) -> Iterator[Finding]:
    """Each feature once, with the label that it goes with most."""
    first: dict[str, Association] = {}
    for found in material.associations:
        first.setdefault(found.feature, found)
    if first:
        strong = any(found.strength > MARGIN for found in first.values())
        named = [
            f"{one.feature}{'' if one.level is None else ' = ' + one.level} with {one.label} {_interval(one.auc)}"
            for one in first.values()
        ]
        yield _finding(
            "warning" if strong else "note",
            "features that go with a label",
            f"{_count(len(first), 'feature')} other than the picture going with a label: {_few(named, 4)}",
            "a network may read them off the picture; evaluate within their levels (medauc evaluate --subgroups)",
            len(first),
            list(first),
        )


def _differences(material: Material) -> Iterator[Finding]:
    flagged = [found for found in material.differences if found.flagged]
    if flagged:
        first = flagged[0]
        values = ", ".join(f"{split} {value}" for split, value in first.values.items())
        yield _finding(
            "warning",
            "splits differ",
            f"splits differ beyond chance in {_count(len(flagged), 'feature')}: {_few([one.name for one in flagged])} "
            f"({first.name}: {values})",
            "expected of a split by time or site; of a random one it means that test is not like training",
            len(flagged),
            [one.name for one in flagged],
        )


def _phi(material: Material) -> Iterator[Finding]:
    named = material.mask([bool(fact.phi) for fact in material.facts])
    if named.any():
        keywords = sorted({keyword for fact in material.facts for keyword in fact.phi})
        yield _finding(
            "warning",
            "identifying headers",
            f"{_count(named.sum(), 'DICOM file')} with identifying elements: {_few(keywords)}",
            "de-identify the files before they leave the hospital; medauc copies none of it",
            int(named.sum()),
            keywords,
        )


def _remarks(material: Material) -> Iterator[Finding]:
    notes: dict[str, int] = {}
    for fact in material.facts:
        for note in fact.notes:
            notes[note] = notes.get(note, 0) + 1
    if notes:
        common = sorted(notes, key=lambda note: -notes[note])
        yield _finding(
            "note",
            "remarks on files",
            f"reading {_count(sum(bool(f.notes) for f in material.facts), 'file')} left remarks: {_few(common)}",
            "audit.html lists them",
            sum(bool(fact.notes) for fact in material.facts),
            common,
        )
    if len({fact.orientation for fact in material.facts if fact.orientation}) > 1:
        yield _finding(
            "note",
            "orientations",
            "volumes are stored in several orientations",
            "set data.preparation.orientation, so that all are turned alike",
            1,
        )


def _interval(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]"


def _count(number: int, noun: str) -> str:
    return f"{int(number)} {noun}" + ("" if number == 1 else "s")


def _few(names: Sequence[str], most: int = 3) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
