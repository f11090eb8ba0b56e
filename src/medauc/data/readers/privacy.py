"""Who an image is of: found in DICOM headers by name of the element, never repeated."""

import hashlib
import hmac
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet

# Elements that name or could lead to a person, from the profile of PS3.15 table E.1-1; dates of the study and
# unique identifiers stay out, as nearly every file of a research archive still has them.
IDENTIFYING = (
    "AccessionNumber",
    "AdmissionID",
    "CountryOfResidence",
    "CurrentPatientLocation",
    "ConsultingPhysicianName",
    "InstitutionAddress",
    "InstitutionName",
    "IssuerOfPatientID",
    "MedicalRecordLocator",
    "MilitaryRank",
    "NameOfPhysiciansReadingStudy",
    "OperatorsName",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientAddress",
    "PatientBirthDate",
    "PatientBirthName",
    "PatientBirthTime",
    "PatientComments",
    "PatientID",
    "PatientInsurancePlanCodeSequence",
    "PatientMotherBirthName",
    "PatientName",
    "PatientTelecomInformation",
    "PatientTelephoneNumbers",
    "PerformingPhysicianName",
    "PersonName",
    "PersonAddress",
    "PersonTelephoneNumbers",
    "PhysiciansOfRecord",
    "ReferringPhysicianAddress",
    "ReferringPhysicianName",
    "ReferringPhysicianTelephoneNumbers",
    "RegionOfResidence",
    "RequestingPhysician",
    "ResponsiblePerson",
    "ScheduledPerformingPhysicianName",
    "VerifyingObserverName",
)
# A file that says it was de-identified keeps these two with invented values.
_PSEUDONYMS = ("PatientID", "PatientName")
_DEEPEST = 8


def phi_in(path: Path | str) -> tuple[str, ...]:
    """Keywords of the DICOM elements of a file that identify someone; never their values.

    Nested sequences are looked into. ``PatientName`` and ``PatientID`` of a file that says
    ``PatientIdentityRemoved`` = YES are taken for pseudonyms. Other formats, and files that cannot be read, give
    none.

    Args:
        path: A single file.

    Returns:
        Keywords in alphabetical order, such as ``("PatientBirthDate", "PatientName")``.
    """
    from medauc.data.readers.dicom.source import opened

    path = Path(path)
    try:
        regular_file(path)
        if format_of(path) != "DICOM":
            return ()
        with quiet(), opened(path, Limits(), None) as source:
            found = set(_filled(source.header, 0))
            removed = str(source.header.get("PatientIdentityRemoved", "")).strip().upper() == "YES"
    except Exception:  # whoever reads the image says what is wrong with it
        return ()
    return tuple(sorted(found.difference(_PSEUDONYMS if removed else ())))


def _filled(header: Any, depth: int) -> list[str]:
    """Identifying keywords that have a value, also inside sequences."""
    from medauc.data.readers.dicom.sequences import items_of

    found: list[str] = []
    named = _identifying_tags()
    for tag in list(header.keys()):
        items = items_of(header, tag) if depth < _DEEPEST else ()
        for item in items:
            found += _filled(item, depth + 1)
        # Elements without a name stay as they were read: pydicom takes its time for each that is parsed.
        if tag in named and (items or str(header[tag].value or "").strip()):
            found.append(named[tag])
    return found


@cache
def _identifying_tags() -> dict[int, str]:
    """Keywords of :data:`IDENTIFYING` by their tags."""
    from pydicom.datadict import tag_for_keyword

    tags = {keyword: tag_for_keyword(keyword) for keyword in IDENTIFYING}
    return {tag: keyword for keyword, tag in tags.items() if tag is not None}


def hash_id(text: str, salt: str) -> str:
    """Sixteen hexadecimal digits that stand for an id: equal for equal ids, no way back without the salt.

    Args:
        text: The id.
        salt: A secret of the project; the same salt gives the same digits (HMAC-SHA-256).

    Raises:
        ValueError: The salt is empty; ids of few digits could be found by trying all.

    >>> hash_id("patient 7", "secret") == hash_id("patient 7", "secret") != hash_id("patient 7", "other")
    True
    """
    if not salt:
        raise ValueError("salt must not be empty: without it, ids can be found by trying all")
    return hmac.new(salt.encode(), text.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:16]


def hash_ids(names: npt.NDArray[np.str_], salt: str | None) -> npt.NDArray[np.str_]:
    """:func:`hash_id` of each of N names; without a salt the names as they are.

    >>> hash_ids(np.array(["7", "8", "7"]), "secret").tolist()
    ['074d7db5790cd48f', '4fc991c586c02e74', '074d7db5790cd48f']
    """
    if salt is None:
        return names
    return np.array([hash_id(name, salt) for name in names.tolist()], dtype=np.str_)
