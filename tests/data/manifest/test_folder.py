"""Folders of classes whose images are DICOM series: several of one folder, and whose they are."""

from pathlib import Path

import pytest

from fixtures.slices import write_series
from medauc.data.manifest.folder import manifest_of_folder, patients_of
from medauc.data.readers import read_image


def test_series_that_share_a_folder_of_a_class_are_images_of_their_own(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        for number in range(3):
            write_series(tmp_path / name, f"s{number}")
    found = manifest_of_folder(tmp_path)
    assert len(found) == 6
    assert found.targets is not None
    assert found.targets.tolist() == [0] * 3 + [1] * 3
    assert found.there.all()
    assert not found.has_groups
    assert read_image(found.column("path")[0]).pixels.shape == (3, 8, 8)


def test_all_series_of_a_patients_folder_are_one_patients(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        for series in ("before", "after"):
            write_series(tmp_path / name / f"{name}1", series)  # both in one folder
            write_series(tmp_path / name / f"{name}2" / series, series)  # each in a folder of its own
            write_series(tmp_path / name / f"{name}3" / "ct", series)  # both in a folder of one visit
        write_series(tmp_path / name / f"{name}3" / "mr", "mr")
        write_series(tmp_path / name / f"{name}4", "only")
    found = manifest_of_folder(tmp_path)
    assert found.has_groups
    assert found.notes[-1] == "Each folder below a class is taken for a patient."
    assert found.table.groupby("group").size().to_dict() == {
        f"{name}{number}": count
        for name in ("benign", "malignant")
        for number, count in ((1, 2), (2, 2), (3, 3), (4, 1))
    }


@pytest.mark.parametrize(
    ("below", "patients"),
    [
        (["", "", ""], ["", "", ""]),
        (["p1", "", "p2"], ["p1", "", "p2"]),
        (["p1/a", "p1/b", "p2"], ["p1", "p1", "p2"]),
        (["x/p1/a", "x/p1/b", "x/p2"], ["p1", "p1", "p2"]),
        (["p1", "p1", "p1"], ["p1", "p1", "p1"]),
        (["p1/a", "p1", "p1/b"], ["p1", "p1", "p1"]),
    ],
)
def test_patients_are_the_first_folders_that_differ(
    tmp_path: Path, below: list[str], patients: list[str]
) -> None:
    assert patients_of(tmp_path, [Path(f"{row}.png") for row in range(3)], below) == patients
