"""Checks of splits: classes, patients, duplicates, conflicts, differences."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medauc.audit.document import Finding, Severity
from medauc.audit.material import Material, conflicting_pairs, count, few, leaking_groups, make

FEW_CASES = 20  # of a class on test


def one_class(material: Material) -> Iterator[Finding]:
    """Splits that lack a class, or nearly."""
    data = material.collection
    for split in data.split_names:
        rows = data.splits == split
        missing = [
            label
            for label, target in zip(data.label_names, data.targets.T, strict=True)
            if not {0, 1} <= set(target[rows].tolist())
        ]
        if missing and len(missing) == len(data.label_names):
            yield make(
                "invalid",
                "one class",
                f"{split} has no label with both classes, so no AUC exists there",
                "split anew, stratified by label",
                len(missing),
                missing,
            )
        elif missing:
            yield make(
                "warning",
                "one class",
                f"{split} lacks a class of {count(len(missing), 'label')}: {few(missing)}; no AUC of them there",
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
            yield make(
                "note",
                "few cases",
                f"test has fewer than {FEW_CASES} cases of a class of {few(rare)}: intervals will be wide",
                "collect more, or report intervals with care",
                len(rare),
                rare,
            )


def patients(material: Material) -> Iterator[Finding]:
    """Patients in several splits, or none named."""
    data = material.collection
    leaking = leaking_groups(data)
    if leaking:
        rows = np.isin(data.groups, leaking) & (data.splits == "test")
        in_test = len(np.unique(data.groups[rows]))
        yield make(
            "invalid",
            "patients across splits",
            f"{count(len(leaking), 'patient')} in more than one split; {in_test} of them in test, with "
            f"{count(rows.sum(), 'image')} there",
            "split by patient: leave the split column out, or train with --set data.split.seed=0; splits that medauc "
            "makes of files keep patients whole",
            len(leaking),
            leaking,
        )
    if not data.groups_known and len(data.split_names) > 1:
        yield make(
            "note",
            "patients unknown",
            "no patient is named for any image, so whether patients cross splits cannot be told",
            "add a column that names the patient",
            1,
        )


def patients_in_headers(material: Material) -> Iterator[Finding]:
    """DICOM headers that name one patient for all images, or none for some."""
    data = material.collection
    headers = np.array([fact.patient or "" for fact in material.facts], dtype=np.str_)
    named = headers != ""
    if not data.groups_known and named.sum() > 1:
        yield make(
            "note",
            "one PatientID",
            f"all {named.sum()} DICOM headers that have a PatientID have the same, so it is not taken for a patient",
            "add a column that names the patient",
            int(named.sum()),
        )
    elif named.any() and not named.all() and (data.groups[named] == headers[named]).all():
        yield make(
            "note",
            "patients in part",
            f"{count((~named).sum(), 'image')} without a PatientID, or with a placeholder such as ANON; each counts as "
            "a patient of its own",
            "add a column that names the patient",
            int((~named).sum()),
            material.ids(~named),
        )


def duplicates_across(material: Material) -> Iterator[Finding]:
    """One picture in two splits."""
    data, found = material.collection, material.duplicates
    splits = data.splits[found.pairs]
    across = splits[:, 0] != splits[:, 1]
    if not across.any():
        return
    test = data.splits == "test"
    twins = found.twins(test, ~test)
    with_test = (
        f"; {count(twins.sum(), 'test image')} ({twins.sum() / test.sum():.1%}) seen in training or validation"
        if twins.any()
        else "; none of them in test, but validation chooses epoch and threshold"
    )
    yield make(
        "invalid",
        "duplicates across splits",
        f"{count(across.sum(), 'pair')} of one picture in two splits, {int((across & found.exact).sum())} exact and "
        f"{int((across & ~found.exact).sum())} near{with_test}",
        "keep the copies of a picture in one split, or leave all but one out",
        int(across.sum()),
        material.ids(found.pairs[across, 1]),
    )


def conflicts(material: Material) -> Iterator[Finding]:
    """One picture with two labels."""
    data, found = material.collection, material.duplicates
    differ = conflicting_pairs(data, found.pairs)
    severities: tuple[tuple[Severity, str, NDArray[np.bool_]], ...] = (
        ("invalid", "exact", differ & found.exact),
        ("warning", "near", differ & ~found.exact),
    )
    for severity, kind, rows in severities:
        if rows.any():
            named = [" and ".join(map(str, data.ids[pair])) for pair in found.pairs[rows]]
            yield make(
                severity,
                f"label conflict, {kind}",
                f"{count(rows.sum(), 'pair')} of {kind} duplicates with different labels: {few(named)}",
                "find out which label is right",
                int(rows.sum()),
                named,
            )


def duplicates_within(material: Material) -> Iterator[Finding]:
    """One picture twice in a split, and look-alikes."""
    data, found = material.collection, material.duplicates
    splits = data.splits[found.pairs]
    for split in data.split_names:
        inside = (splits == split).all(axis=1)
        if split == "all":
            yield from _across_patients(material, inside)
        elif inside.any():
            yield make(
                "warning" if split == "test" else "note",
                "duplicates within a split",
                f"{count(inside.sum(), 'pair')} of one picture within {split}, {(inside & found.exact).sum()} exact",
                "intervals count the copies as separate cases"
                if split == "test"
                else "they weigh twice in training",
                int(inside.sum()),
                material.ids(found.pairs[inside, 1]),
            )
    if len(found.similar):
        yield make(
            "note",
            "look-alikes",
            f"{count(len(found.similar), 'pair')} more alike as thumbnails, not at full size",
            "look at the pairs: they may be one patient twice",
            len(found.similar),
            material.ids(found.similar[:, 1]),
        )


def _across_patients(material: Material, inside: NDArray[np.bool_]) -> Iterator[Finding]:
    """Duplicates in data that have no splits yet: splits made of them keep patients whole, not pictures."""
    data, found = material.collection, material.duplicates
    apart = inside & (data.groups[found.pairs[:, 0]] != data.groups[found.pairs[:, 1]])
    if apart.any():
        yield make(
            "warning",
            "duplicates before splitting",
            f"{count(apart.sum(), 'pair')} of one picture, {(apart & found.exact).sum()} exact"
            + (", of different patients" if data.groups_known else ""),
            "leave out copies, or give them one patient, before splits are made",
            int(apart.sum()),
            material.ids(found.pairs[apart, 1]),
        )


def differences(material: Material) -> Iterator[Finding]:
    """Features that differ between splits."""
    flagged = [found for found in material.differences if found.flagged]
    if flagged:
        first = flagged[0]
        values = ", ".join(f"{split} {value}" for split, value in first.values.items())
        yield make(
            "warning",
            "splits differ",
            f"splits differ beyond chance in {count(len(flagged), 'feature')}: {few([one.name for one in flagged])} "
            f"({first.name}: {values})",
            "expected of a split by time or site; of a random one it means that test is not like training",
            len(flagged),
            [one.name for one in flagged],
        )
