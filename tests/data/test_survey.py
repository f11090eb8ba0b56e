"""What a folder of several DICOM series holds."""

from pathlib import Path

from fixtures.slices import write_series
from medauc.data.readers import list_images
from medauc.data.survey import survey_folder


def test_several_series_in_one_folder(tmp_path: Path) -> None:
    for name in "ab":
        write_series(tmp_path, name)
    found = survey_folder(tmp_path)
    assert found.facts.read == 2
    assert [tmp_path / path for path in found.table["path"]] == list_images(tmp_path)
    assert found.left_out is None


def test_a_linked_folder_of_several_series(tmp_path: Path) -> None:
    for name in "ab":
        write_series(tmp_path / "dump", name)
    (tmp_path / "link").symlink_to(tmp_path / "dump")
    assert survey_folder(tmp_path / "link").facts.read == 2


def test_series_of_one_patient_have_one_group_wherever_they_lie(tmp_path: Path) -> None:
    for number in range(2):
        write_series(tmp_path / "p1", f"s{number}", PatientID="")
        write_series(tmp_path / "p2" / f"visit{number}", "s", PatientID="")
    write_series(tmp_path / "p3", "s", PatientID="")
    found = survey_folder(tmp_path)
    assert found.patients.source == "the folder that an image lies in"
    assert found.table["group"].tolist() == ["p1", "p1", "p2", "p2", "p3"]
