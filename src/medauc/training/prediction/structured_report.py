"""DICOM structured reports (TID 1500) of scores, for the archive that the scored images came from."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from medauc import __version__
from medauc.data.readers.quiet import quiet
from medauc.errors import InputError
from medauc.files import atomic_path
from medauc.training.checkpoint import BEST
from medauc.training.prediction.samples import Sample
from medauc.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pydicom import Dataset

SCHEME = "99MEDAUC"  # DICOM's way to mark codes as a maker's own: none of the standard's means a classifier's score
_PATIENT_AND_STUDY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)


class NoReport(Exception):
    """Why an image has no structured report."""


@dataclass(frozen=True)
class ReportWriter:
    """Writes one report an image, which names patient and study as the image does.

    Attributes:
        folder: where; made when it is not there.
        model: name of the model.
        fingerprint: first digits of the SHA-256 of its weights, by which a report can be traced to a run.
    """

    folder: Path
    model: str
    fingerprint: str

    @classmethod
    def of(cls, run: RunFolder, folder: Path) -> Self:
        """Write reports about the scores of a finished run.

        Raises:
            InputError: highdicom is not installed, or the folder cannot be made.
        """
        recipe, provenance = run.read_recipe()
        target = provenance.positive_class or "several labels"
        weights = hashlib.sha256()
        for path in sorted(run.path.glob(f"**/{BEST}")):
            weights.update(path.read_bytes())
        model = f"{provenance.dataset}, {target}, {recipe.model.name}"
        return cls(folder, model, weights.hexdigest()[:16])

    def __post_init__(self) -> None:
        try:
            import highdicom  # noqa: F401
        except ImportError:
            raise InputError(
                "--dicom-sr: structured reports need highdicom: pip install 'medauc[dicom-sr]'"
            ) from None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder} cannot be made: {error.strerror or error}") from None

    def write(self, sample: Sample, row: Mapping[str, Any]) -> Path:
        """Write the report of a scored sample.

        Args:
            sample: whose items are DICOM files or series of one study.
            row: its columns ``score``, ``probability``, ``flag_<rule>``, with ``_<label>`` behind them or not.

        Returns:
            The file, named as the sample, with a number behind it where there is a file of that name.

        Raises:
            NoReport: the sample is not from DICOM files, or these lack what a report refers to.
        """
        with quiet():  # highdicom's warnings hold names of patients
            report = self._report(_headers(sample), row)
            path = self._reserved(sample.id)
            try:
                with atomic_path(path) as temporary:
                    report.save_as(temporary, enforce_file_format=True)
            except BaseException:
                path.unlink()  # empty still
                raise
        return path

    def _reserved(self, name: str) -> Path:
        """A new, empty file of this name: one that is there may be a patient's image or another run's report."""
        plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "image"
        for number in count(1):
            path = self.folder / (f"{plain}.dcm" if number == 1 else f"{plain}-{number}.dcm")
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            return path
        raise AssertionError("numbers do not end")

    def _report(self, sources: Sequence["Dataset"], row: Mapping[str, Any]) -> Any:
        from highdicom.sr import ComprehensiveSR, MeasurementReport
        from pydicom.sr.codedict import codes
        from pydicom.uid import generate_uid

        try:
            content = MeasurementReport(
                observation_context=self._context,
                procedure_reported=codes.SCT.ImagingProcedure,
                imaging_measurements=[self._figures(sources, row)],
            )
            return ComprehensiveSR(
                evidence=list(sources),
                content=content[0],
                series_instance_uid=generate_uid(),
                series_number=9000,
                sop_instance_uid=generate_uid(),
                instance_number=1,
                manufacturer="medauc",
                is_complete=True,
            )
        except (AttributeError, ValueError, TypeError, KeyError) as error:
            # highdicom's own words may hold values of the patient's.
            raise NoReport(f"the DICOM headers lack what a report needs ({type(error).__name__})") from None

    def _figures(self, sources: Sequence["Dataset"], row: Mapping[str, Any]) -> Any:
        """Score and probability as measurements, flags as evaluations, the images that they are of."""
        from highdicom.sr import (
            AlgorithmIdentification,
            Measurement,
            MeasurementsAndQualitativeEvaluations,
            QualitativeEvaluation,
            SourceImageForMeasurementGroup,
            TrackingIdentifier,
        )
        from pydicom.sr.codedict import codes
        from pydicom.uid import generate_uid

        known = {name: value for name, value in row.items() if value == value and value is not None}
        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uid=generate_uid(), identifier="image score"),
            algorithm_id=AlgorithmIdentification(
                name=self.model, version=f"medauc {__version__}", parameters=[f"weights {self.fingerprint}"]
            ),
            measurements=[
                Measurement(name=_code(name, name), value=float(value), unit=codes.UCUM.NoUnits)
                for name, value in known.items()
                if name.startswith(("score", "probability"))
            ],
            qualitative_evaluations=[
                QualitativeEvaluation(
                    name=_code(name, name.removeprefix("flag_").replace("_", " ")),
                    value=_code(
                        "above" if value else "below", "At or above the threshold" if value else "Below it"
                    ),
                )
                for name, value in known.items()
                if name.startswith("flag_")
            ],
            source_images=[
                SourceImageForMeasurementGroup(str(image.SOPClassUID), str(image.SOPInstanceUID))
                for image in sources
            ],
        )

    @cached_property
    def _context(self) -> Any:
        """A device, not a person, made the observation."""
        from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
        from pydicom.sr.codedict import codes
        from pydicom.uid import generate_uid

        device = DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=[self.model, self.fingerprint]),
            name=self.model[:64],
            manufacturer_name="medauc",
            model_name=f"medauc {__version__}",
            serial_number=self.fingerprint,
        )
        return ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=codes.DCM.Device, observer_identifying_attributes=device
            )
        )


def _headers(sample: Sample) -> list["Dataset"]:
    """Headers of all files that the sample was read from.

    Raises:
        NoReport: they are no DICOM files.
    """
    from pydicom import dcmread

    from medauc.data.readers import files_of_image
    from medauc.data.readers.formats import format_of

    found: list[Dataset] = []
    for item in sample.items:
        files = () if item.array is not None else files_of_image(item.path)
        if not files or any(format_of(file) != "DICOM" for file in files):
            raise NoReport("not a DICOM file")
        found += [dcmread(file, stop_before_pixels=True, force=True) for file in files]
    for header in found:
        for name in _PATIENT_AND_STUDY:
            if name not in header:  # they may be empty, but must be there
                setattr(header, name, "")
    return found


def _code(value: str, meaning: str) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(
        value=re.sub(r"[^A-Z0-9.]+", "_", value.upper()), scheme_designator=SCHEME, meaning=meaning[:64]
    )
