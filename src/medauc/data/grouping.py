"""Which images of a folder are of one patient, told from headers, folders or names of files."""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from medauc.data.manifest.table import Manifest
from medauc.data.readers import hash_id, patient_id_of

_NO_DICOM = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".npy")
_MANY_IMAGES, _MOST_OF_THEM = 10, 0.5  # of one patient: then the id may stand for many


class Grouping(NamedTuple):
    """Patients of N images.

    Attributes:
        groups: N names; None where patients could not be told.
        source: from what they were told, in words; None likewise.
        doubt: what speaks against it, in a sentence; None where nothing does.
    """

    groups: list[str] | None = None
    source: str | None = None
    doubt: str | None = None


def told_patients(paths: Sequence[Path], folders: Sequence[str], names: Sequence[str]) -> Grouping:
    """Tell the patients of images.

    DICOM's PatientID comes first, as a hash with a salt that is forgotten, then folders, then what names begin with. An
    image whose id is missing or a placeholder ("ANON") is a patient of its own. One id in all headers is no patient:
    it would leave nothing to split.

    Args:
        paths: where the images lie.
        folders: the folder of each that may stand for a patient; "" for none.
        names: what each is called.
    """
    headers = [patient_id_of(path) for path in paths]
    known = [patient for patient in headers if patient]
    by_header = _by_header(paths, headers) if len(set(known)) > 1 else Grouping()
    if by_header.groups and 2 * len(known) >= len(paths):
        return by_header
    other = _by_folder(folders) or _by_name(names)
    if other is None:
        return by_header if by_header.groups else Grouping(doubt=_said_of_one(known))
    return other._replace(doubt=_said_of_one(known))


def with_told_patients(manifest: Manifest) -> Manifest:
    """Take DICOM's PatientID for the patients of a manifest that names none.

    A patient is called after the first image by name: splits are drawn over patients in the order of their names, so
    these must neither tell the PatientID nor change from one reading to the next.

    Returns:
        The manifest with patients and a note; as it was where it names patients, or headers tell of none that has
        several images. One PatientID in all headers is no patient, as for :func:`told_patients`.
    """
    if manifest.has_groups:
        return manifest
    headers = [_patient_of(path) for path in manifest.table["path"]]
    known = [patient for patient in headers if patient]
    images = Counter(known)
    if len(images) < 2:
        said = _said_of_one(known)
        return manifest if said is None else manifest.noting(f"{said[0].upper()}{said[1:]}.")
    if max(images.values()) == 1:
        return manifest
    ids = manifest.table["id"].tolist()
    first: dict[str, str] = {}
    for patient, name in zip(headers, ids, strict=True):
        if patient is not None:
            first[patient] = min(first.get(patient, name), name)
    groups = [
        name if patient is None else f"patient of {first[patient]}"
        for patient, name in zip(headers, ids, strict=True)
    ]
    table = manifest.table.assign(group=pd.Series(groups, dtype="str"))
    doubt = _doubt(headers)
    note = (
        f"No patients are named, so {len(images)} are told from DICOM's PatientID and kept whole"
        + ("" if doubt is None else f"; {doubt}")
        + "."
    )
    return replace(manifest, table=table, has_groups=True).noting(note)


def _patient_of(path: str) -> str | None:
    """PatientID; a file named as another format is not opened for it, since a manifest may have a million rows."""
    return None if path.lower().endswith(_NO_DICOM) else patient_id_of(Path(path))


def _by_header(paths: Sequence[Path], headers: Sequence[str | None]) -> Grouping:
    salt = secrets.token_hex(16)
    alone = secrets.token_hex(16)
    groups = [
        hash_id(str(path), alone) if patient is None else hash_id(patient, salt)
        for path, patient in zip(paths, headers, strict=True)
    ]
    return Grouping(groups, "DICOM's PatientID, hashed", _doubt(headers))


def _doubt(headers: Sequence[str | None]) -> str | None:
    """What is odd about the patients of headers."""
    n, unknown = len(headers), headers.count(None)
    said = []
    if unknown:
        said.append(
            f"{unknown} of {n} images have no PatientID or a placeholder such as ANON: each counts as a patient of its "
            "own, and images of one patient may come to lie in several splits"
        )
    most = max(Counter(patient for patient in headers if patient).values())
    if most >= _MANY_IMAGES and most > _MOST_OF_THEM * n:
        said.append(
            f"one PatientID has {most} of {n} images: if it stands for several patients, name them in the column group"
        )
    return "; ".join(said) or None


def _said_of_one(known: Sequence[str]) -> str | None:
    """What is said of headers that name one patient alone."""
    if len(set(known)) != 1 or len(known) < 2:
        return None
    return f"all {len(known)} DICOM headers that have a PatientID have the same, so it is not taken for a patient"


def _by_folder(folders: Sequence[str]) -> Grouping | None:
    if not all(folders) or len(set(folders)) < 2:
        return None
    return Grouping(list(folders), "the folder that an image lies in")


def _by_name(names: Sequence[str]) -> Grouping | None:
    stems = [_beginning(name) for name in names]
    if not 2 <= len(set(stems)) < len(stems):
        return None
    return Grouping(stems, "the beginning of the file's name")


def _beginning(name: str) -> str:
    """What a file's name begins with, up to the first underscore after a digit.

    >>> _beginning("00000231_013.png"), _beginning("case_012_slice_3.nii.gz"), _beginning("scan.png")
    ('00000231', 'case_012', 'scan')
    """
    stem = name.split(".")[0]
    found = re.match(r"[^_]*(?:_[^_\d]*)*?_?[^_]*\d[^_]*(?=_)", stem)
    return found[0] if found else stem
