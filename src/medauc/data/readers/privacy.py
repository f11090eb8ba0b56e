"""Who an image is of: found in DICOM headers by name of the element, never repeated."""

import hmac
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.image import Refusal
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
_REMOVED = "PatientIdentityRemoved"
_DEEPEST = 8
_DIGITS, _CHECK = 16, 4  # of a hash, and those behind them by which it is known again
_CHECKED = "check of "  # tells the digest of a hash from that of an id
_HEXADECIMAL = frozenset("0123456789abcdef")
NOT_LOOKED_THROUGH = (
    "its DICOM header could not be looked through for whom it identifies, as it is too long or damaged"
)


class Identifying(NamedTuple):
    """What a DICOM header has that identifies someone.

    Attributes:
        keywords: Of the elements found, in alphabetical order; never their values.
        whole: Whether all of the header was looked through.
    """

    keywords: tuple[str, ...] = ()
    whole: bool = True


def phi_in(path: Path | str) -> tuple[str, ...]:
    """Keywords of the DICOM elements of a file that identify someone; never their values.

    Nested sequences are looked into; an element that cannot be parsed counts unless it is empty. ``PatientName`` and
    ``PatientID`` of a file that says ``PatientIdentityRemoved`` = YES are taken for pseudonyms. Other formats give
    none.

    Args:
        path: A single file.

    Returns:
        Keywords in alphabetical order, such as ``("PatientBirthDate", "PatientName")``.

    Warns:
        UserWarning: The header is too long or too damaged to be looked through, so there may be more.
    """
    found = identifying_in(Path(path))
    if not found.whole:
        warnings.warn(f"{path}: {NOT_LOOKED_THROUGH}", stacklevel=2)
    return found.keywords


def identifying_in(path: Path) -> Identifying:
    """As :func:`phi_in`, without a warning."""
    from medauc.data.readers.dicom.source import opened

    try:
        regular_file(path)
        if format_of(path) != "DICOM":
            return Identifying()
    except Exception:  # whoever reads the image says what is wrong with it
        return Identifying()
    search = _Search()
    for keywords in (
        None,
        (*IDENTIFYING, _REMOVED),
    ):  # less of a header is within bounds where all of it is not
        try:
            with quiet(), opened(path, Limits(), keywords) as source:
                search.look_through(source.header)
            break
        except Exception:  # hostile headers raise anything
            search.whole = False
    return Identifying(tuple(sorted(search.found)), search.whole)


class _Search:
    """Looks for identifying elements that have a value, also inside sequences.

    Attributes:
        found: Their keywords.
        whole: Whether nothing was passed over.
    """

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.whole = True

    def look_through(self, header: Any) -> None:
        """Look through a file's header."""
        from medauc.data.readers.dicom.elements import text

        self._look(header, 0)
        if (text(header, _REMOVED) or "").upper() == "YES":
            self.found.difference_update(_PSEUDONYMS)

    def _look(self, data_set: Any, depth: int) -> None:
        named = _identifying_tags()
        for tag in list(data_set.keys()):
            items = self._items(data_set, tag)
            if items and depth == _DEEPEST:
                self.whole = False
            else:
                for item in items:
                    self._look(item, depth + 1)
            # Elements without a name stay as they were read: pydicom takes its time for each that is parsed.
            if tag in named and (items or _is_filled(data_set, tag)):
                self.found.add(named[tag])

    def _items(self, data_set: Any, tag: Any) -> Sequence[Any]:
        """Items of a sequence; none once parsing them has cost as much as it may."""
        from medauc.data.readers.dicom.sequences import items_of

        try:
            return items_of(data_set, tag)
        except Refusal:
            data_set.allowance.reads = 0
            self.whole = False
            return ()


def _is_filled(data_set: Any, tag: Any) -> bool:
    """Whether an element has a value; one that cannot be parsed has, unless it is empty."""
    try:
        return bool(str(data_set[tag].value or "").strip())
    except Exception:  # pydicom parses values when asked, and hostile ones raise anything
        raw = data_set.get_item(tag, keep_deferred=True)
        return not raw.is_raw or bool(raw.length if raw.value is None else raw.value.strip(b" \0"))


@cache
def _identifying_tags() -> dict[int, str]:
    """Keywords of :data:`IDENTIFYING` by their tags."""
    from pydicom.datadict import tag_for_keyword

    tags = {keyword: tag_for_keyword(keyword) for keyword in IDENTIFYING}
    return {tag: keyword for keyword, tag in tags.items() if tag is not None}


def hash_id(text: str, salt: str) -> str:
    """Twenty hexadecimal digits that stand for an id: equal for equal ids, no way back without the salt.

    The last four are a digest of the others with the salt, so that a hash is known again and stands for itself: what
    was hashed already, in an export or a table of scores, is not hashed twice. (Of ids that look like hashes and are
    none with this salt, one in 65,536 passes for one.)

    Args:
        text: The id.
        salt: A secret of the project; the same salt gives the same digits (HMAC-SHA-256).

    Raises:
        ValueError: The salt is empty; ids of few digits could be found by trying all.

    >>> hashed = hash_id("patient 7", "secret")
    >>> hashed, hash_id(hashed, "secret") == hashed, hash_id(hashed, "other") == hashed
    ('1f9b1ee1e445d1fbc69c', True, False)
    """
    if not salt:
        raise ValueError("salt must not be empty: without it, ids can be found by trying all")
    digits, check = text[:_DIGITS], text[_DIGITS:]
    if looks_hashed(text) and hmac.compare_digest(check, _digest(_CHECKED + digits, salt)[:_CHECK]):
        return text
    digits = _digest(text, salt)[:_DIGITS]
    return digits + _digest(_CHECKED + digits, salt)[:_CHECK]


def looks_hashed(text: str) -> bool:
    """Whether a text has the form of what :func:`hash_id` gives, with whatever salt.

    >>> looks_hashed(hash_id("7", "secret")), looks_hashed("patient 7")
    (True, False)
    """
    return len(text) == _DIGITS + _CHECK and set(text) <= _HEXADECIMAL


def _digest(text: str, salt: str) -> str:
    return hmac.digest(salt.encode(), text.encode(errors="surrogateescape"), "sha256").hex()


def hash_ids(names: npt.NDArray[np.str_], salt: str | None) -> npt.NDArray[np.str_]:
    """:func:`hash_id` of each of N names; without a salt the names as they are.

    >>> hash_ids(np.array(["7", "8", "7"]), "secret").tolist()
    ['074d7db5790cd48f730a', '4fc991c586c02e749f0d', '074d7db5790cd48f730a']
    """
    if salt is None:
        return names
    return np.array([hash_id(name, salt) for name in names.tolist()], dtype=np.str_)
