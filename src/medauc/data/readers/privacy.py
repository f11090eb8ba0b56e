"""Who an image is of: found in DICOM headers by name of the element, never repeated."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.image import Refusal

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
    import pydicom

    from medauc.data.readers.read import quiet

    path = Path(path)
    try:
        regular_file(path)
        if format_of(path) != "DICOM":
            return ()
        with quiet(), path.open("rb") as file:
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True, defer_size=65_536)
            found = set(_filled(header, 0))
            removed = str(header.get("PatientIdentityRemoved", "")).strip().upper() == "YES"
    except (Refusal, OSError):
        return ()
    except Exception:  # a header that cannot be parsed is reported by whoever reads the image
        return ()
    return tuple(sorted(found.difference(_PSEUDONYMS if removed else ())))


def _filled(header: Any, depth: int) -> list[str]:
    """Identifying keywords that have a value, also inside sequences."""
    found: list[str] = []
    for element in header:
        if element.keyword in IDENTIFYING and str(element.value).strip():
            found.append(element.keyword)
        if element.VR == "SQ" and depth < _DEEPEST:
            for item in element.value:
                found += _filled(item, depth + 1)
    return found


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
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]
