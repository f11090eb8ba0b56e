"""Elements of a DICOM header, read so that a wrong one is as good as a missing one."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

# How an image was acquired; all are codes, numbers or names of products, none is text about a person.
TAGS = (
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "PhotometricInterpretation",
    "ImageType",
    "BodyPartExamined",
    "ViewPosition",
    "Laterality",
    "ImageLaterality",
    "PatientPosition",
    "PatientOrientation",
    "KVP",
    "XRayTubeCurrent",
    "Exposure",
    "ExposureTime",
    "DetectorType",
    "ConvolutionKernel",
    "ReconstructionDiameter",
    "GantryDetectorTilt",
    "SliceThickness",
    "MagneticFieldStrength",
    "ScanningSequence",
    "SequenceVariant",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "BurnedInAnnotation",
    "ConversionType",
    "LossyImageCompression",
    "PresentationIntentType",
    "PixelIntensityRelationship",
)
# Names of one device at one site: told only as a digest.
_DEVICE = ("InstitutionName", "StationName", "DeviceSerialNumber")

# Everything that reading needs; other elements are passed over unparsed.
KEYWORDS = (
    *TAGS,
    *_DEVICE,
    "SOPInstanceUID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelAspectRatio",
    "SpacingBetweenSlices",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "GridFrameOffsetVector",
    "DoseGridScaling",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DirectoryRecordSequence",
)
# Rows of each of the sixteen overlays that a file may carry.
OVERLAYS = tuple(0x60000010 + (plane << 17) for plane in range(16))
_LONGEST_TAG = 64


def value(header: Any, keyword: str) -> Any:
    """An element's value, ``None`` where it is missing, empty or not to be parsed."""
    try:
        found = header.get(keyword)
    except Exception:  # pydicom parses values when asked, and hostile ones raise anything
        return None
    return None if found is None or (hasattr(found, "__len__") and len(found) == 0) else found


def numbers(header: Any, keyword: str, count: int | None = None) -> tuple[float, ...] | None:
    """Finite numbers of an element, ``None`` where there are not ``count`` of them."""
    found = value(header, keyword)
    if found is None:
        return None
    try:
        result = tuple(float(number) for number in np.ravel(np.asarray(found, dtype=np.float64)))
    except (TypeError, ValueError, OverflowError):
        return None
    if not np.isfinite(result).all() or (count is not None and len(result) != count):
        return None
    return result


def number(header: Any, keyword: str) -> float | None:
    """First number of an element."""
    found = numbers(header, keyword)
    return found[0] if found else None


def whole(header: Any, keyword: str, default: int) -> int:
    """An element that is a whole number."""
    found = number(header, keyword)
    return default if found is None else int(found)


def text(header: Any, keyword: str) -> str | None:
    """An element as one short line."""
    found = value(header, keyword)
    if found is None:
        return None
    parts = found if not isinstance(found, str | bytes) and hasattr(found, "__iter__") else [found]
    try:
        line = " ".join("\\".join(str(part) for part in parts).split())
    except Exception:
        return None
    return line[:_LONGEST_TAG] or None


def acquisition(header: Any) -> Mapping[str, str]:
    """How the image was acquired, by keyword; the device only as a digest of its names (``Device``)."""
    tags = {keyword: line for keyword in TAGS if (line := text(header, keyword))}
    device = [text(header, keyword) or "" for keyword in _DEVICE]
    if any(device):
        tags["Device"] = hashlib.sha256("\0".join(device).encode()).hexdigest()[:8]
    return tags
