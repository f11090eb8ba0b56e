"""Whose an image is, as DICOM headers say it; what stands there in place of a name that was removed says nothing."""

import re
from pathlib import Path

from medauc.data.readers.formats import format_of, regular_file
from medauc.data.readers.limits import Limits
from medauc.data.readers.quiet import quiet

# Without case, spaces and marks: "De-identified" is "deidentified".
_PLACEHOLDERS = frozenset(
    (
        *("anon", "anonym", "anonymous", "anonymized", "anonymised", "anonpatient", "anonymouspatient"),
        *("deid", "deidentified", "removed", "redacted", "hidden", "masked", "cleared", "deleted"),
        *("unknown", "unknownpatient", "unk", "undefined", "unspecified", "notspecified", "notgiven"),
        *("notavailable", "notapplicable", "na", "nan", "none", "null", "nil", "missing", "empty", "blank"),
        *("noid", "nopatientid", "noname", "default", "dummy", "test", "testpatient"),
        *("id", "pid", "name", "patient", "patientid", "patientname", "subject", "subjectid"),
    )
)


def patient_id_of(path: Path | str) -> str | None:
    """PatientID of a DICOM file, or the first that the files of a series name, for grouping images.

    It is an identifying value: hash it with :func:`hash_id` before it is written anywhere.

    Returns:
        The id; ``None`` for other files, and where it is missing or a placeholder (:func:`is_placeholder`).
    """
    from medauc.data.readers.dicom import series_of_path

    try:
        with quiet():
            series = series_of_path(Path(path), Limits())
    except Exception:  # whoever reads the image says what is wrong with it
        return None
    files = series.files if series else (Path(path),)
    return next((found for file in files if (found := _named_in(file))), None)


def _named_in(file: Path) -> str | None:
    """PatientID of one DICOM file, if it is no placeholder."""
    from medauc.data.readers.dicom.elements import text
    from medauc.data.readers.dicom.source import opened

    try:
        regular_file(file)
        if format_of(file) != "DICOM":
            return None
        with quiet(), opened(file, Limits(), ("PatientID",)) as source:
            found = text(source.header, "PatientID")
    except Exception:  # whoever reads the image says what is wrong with it
        return None
    return None if found is None or is_placeholder(found) else found


def is_placeholder(patient: str) -> bool:
    """Whether an id stands for no patient: a usual word for "unknown" or "removed", zeros, crosses or marks alone.

    >>> [is_placeholder(text) for text in ("ANON", "Not Available", "000-00", "xxx", "?", "ANON-17", "100", "0007")]
    [True, True, True, True, True, False, False, False]
    """
    plain = re.sub(r"[\W_]+", "", patient).casefold()
    return plain in _PLACEHOLDERS or not plain.strip("0") or not plain.strip("x")
