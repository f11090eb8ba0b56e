"""DICOM structured reports, read back with highdicom."""

import sys

import numpy as np
import pytest

from medauc.data import PhantomSpec, load_dataset
from medauc.errors import InputError
from medauc.files import DiskFull
from medauc.training import Predictor, parse_recipe, train

from .conftest import SMALL

highdicom = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")


def ultrasound(pixels: np.ndarray, study: str, **elements: str) -> "pydicom.Dataset":
    """A DICOM image with what the standard asks of every one."""
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = pydicom.uid.UltrasoundImageStorage
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = study, pydicom.uid.generate_uid()
    image.Modality, image.PhotometricInterpretation = "US", "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation, image.SamplesPerPixel = 7, 0, 1
    image.PixelData = pixels.tobytes()
    for name, value in elements.items():
        setattr(image, name, value)
    return image


@pytest.fixture
def study(tmp_path, phantom):
    """Three images of one patient."""
    folder, uid = tmp_path / "study", pydicom.uid.generate_uid()
    folder.mkdir()
    for number in range(3):
        image = ultrasound(
            np.asarray(phantom.test.images[number]), uid, PatientID="P-17", PatientName="Doe^Jane"
        )
        image.save_as(folder / f"image{number}.dcm", enforce_file_format=True)
    return folder


def test_each_report_holds_the_row_and_names_its_image_and_its_model(study, trained, tmp_path) -> None:
    predictor = Predictor.load(trained, "cpu")
    table = predictor.predict_files([study], dicom_sr=tmp_path / "sr")
    assert sorted(path.name for path in (tmp_path / "sr").iterdir()) == [f"image{n}.dcm" for n in range(3)]
    assert table.warnings.str.contains("structured").sum() == 0
    for row in table.to_dict("records"):
        source = pydicom.dcmread(row["path"])
        report = highdicom.sr.srread(tmp_path / "sr" / f"{row['id']}.dcm")
        assert (report.PatientID, str(report.PatientName)) == ("P-17", "Doe^Jane")
        assert report.StudyInstanceUID == source.StudyInstanceUID
        assert report.SOPInstanceUID != source.SOPInstanceUID
        (group,) = report.content.get_image_measurement_groups()
        (of,) = group.source_images
        assert of.referenced_sop_instance_uid == source.SOPInstanceUID
        figures = {figure.name.meaning: float(figure.value) for figure in group.get_measurements()}
        assert figures == pytest.approx({name: row[name] for name in ("score", "probability")})
        flags = {found.name.meaning: found.value.value for found in group.get_qualitative_evaluations()}
        assert flags["youden"] == ("ABOVE" if row["flag_youden"] else "BELOW")
        assert len(flags) == len([name for name in row if name.startswith("flag_")])
        text = report.to_json()
        assert "phantom2d, signal present, resnet18" in text
        assert "Doe" not in table.to_csv()
        assert "P-17" not in table.to_csv()
    prints = {
        pydicom.dcmread(path).to_json().split("weights ")[1][:16] for path in (tmp_path / "sr").iterdir()
    }
    assert len(prints) == 1  # one model


def test_no_name_of_a_patient_is_warned_of(study, trained, phantom, tmp_path, recwarn, capfd) -> None:
    """highdicom warns of names that are not of the form Family^Given, and quotes them."""
    image = ultrasound(
        np.asarray(phantom.test.images[0]), pydicom.uid.generate_uid(), PatientName="Muellermann"
    )
    image.save_as(study / "alone.dcm", enforce_file_format=True)
    table = Predictor.load(trained, "cpu").predict_files([study / "alone.dcm"], dicom_sr=tmp_path / "sr")
    assert highdicom.sr.srread(tmp_path / "sr" / "alone.dcm").PatientName == "Muellermann"
    said = capfd.readouterr()
    everything = [table.to_csv(), said.out, said.err, *(str(warning.message) for warning in recwarn)]
    assert not any("Muellermann" in text for text in everything[:3])
    assert not any("unlikely to represent" in text for text in everything)


def test_other_files_and_poor_headers_have_a_warning_in_place_of_a_report(
    study, trained, pictures, tmp_path
) -> None:
    poor = pydicom.dcmread(study / "image0.dcm")
    del poor.StudyInstanceUID
    poor.save_as(study / "image0.dcm")
    table = Predictor.load(trained, "cpu").predict_files([study, pictures], dicom_sr=tmp_path / "sr")
    told = table.set_index("id").warnings
    assert told["image0"].endswith(
        "no structured report: the DICOM headers lack what a report needs (AttributeError)"
    )
    assert told["test-00000"] == "no structured report: not a DICOM file"
    assert table.score.notna().all()
    assert sorted(path.name for path in (tmp_path / "sr").iterdir()) == ["image1.dcm", "image2.dcm"]


def test_twins_have_files_of_their_own(study, trained, tmp_path) -> None:
    twin = study / "again"
    twin.mkdir()
    (study / "image0.dcm").rename(twin / "image-1.dcm")
    (study / "image1.dcm").rename(twin / "image+1.dcm")
    Predictor.load(trained, "cpu").predict_files([twin], dicom_sr=tmp_path / "sr")
    assert len(list((tmp_path / "sr").iterdir())) == 2


def test_no_file_that_was_there_is_replaced(study, trained, tmp_path) -> None:
    """Reports into the folder of the images themselves, twice."""
    predictor = Predictor.load(trained, "cpu")
    before = {path.name: path.read_bytes() for path in study.iterdir()}
    images = sorted(study.iterdir())
    predictor.predict_files(images, dicom_sr=study)
    reports = {path.name: path.read_bytes() for path in study.iterdir()}
    assert sorted(set(reports) - set(before)) == [f"image{number}-2.dcm" for number in range(3)]
    predictor.predict_files(images, dicom_sr=study)
    after = {path.name: path.read_bytes() for path in study.iterdir()}
    assert len(after) == 9
    assert {name: after[name] for name in reports} == reports
    assert {name: after[name] for name in before} == before


def test_a_report_that_cannot_be_written_leaves_no_empty_file(study, trained, tmp_path, monkeypatch) -> None:
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(highdicom.sr.ComprehensiveSR, "save_as", full)
    with pytest.raises(DiskFull, match=r"no space left to write .*\.dcm"):
        Predictor.load(trained, "cpu").predict_files([study], dicom_sr=tmp_path / "sr")
    assert list((tmp_path / "sr").iterdir()) == []


def test_without_highdicom_the_extra_is_named(study, trained, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(InputError, match=r"pip install 'medauc\[dicom-sr\]'"):
        Predictor.load(trained, "cpu").predict_files([study], dicom_sr=tmp_path / "sr")


def test_a_real_series_is_one_row_whose_report_names_every_slice(tmp_path, series_dir) -> None:
    volumes = load_dataset(
        "phantom3d", 12, phantom=PhantomSpec(n_train=20, n_val=12, n_test=6, prevalence=0.5)
    )
    train(volumes, parse_recipe({**SMALL, "data": {"size": 12}}, "x"), tmp_path / "run", device="cpu")
    table = Predictor.load(tmp_path / "run", "cpu").predict_files([series_dir], dicom_sr=tmp_path / "sr")
    assert table.id.tolist() == ["dicoms"]
    assert table.error.tolist() == [""]
    assert "size 64 x 384 x 274 (trained on 12 x 12 x 12)" in table.warnings[0]
    report = highdicom.sr.srread(tmp_path / "sr" / "dicoms.dcm")
    (group,) = report.content.get_image_measurement_groups()
    named = {image.referenced_sop_instance_uid for image in group.source_images}
    files = [path for path in series_dir.iterdir() if path.is_file()]
    assert len(files) == 64
    assert named == {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in files}
