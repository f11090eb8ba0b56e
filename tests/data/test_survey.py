"""What a folder of several DICOM series holds, or of images and volumes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixtures.slices import write_series
from medauc.data.readers import list_images
from medauc.data.survey import survey_folder
from medauc.training.starter import next_steps, seen, write_starter


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


def put(folder: Path, *names: str) -> None:
    """Images where a name ends in .png or .tif, else volumes."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, np.zeros((3, 4, 4), np.uint8))
        else:
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)


def test_one_volume_that_no_sample_meets_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medauc.data.survey._SAMPLE", 3)
    put(tmp_path, *(f"{row}.png" for row in range(9)), "4v.npy")
    found = survey_folder(tmp_path)
    assert found.others["path"].tolist() == ["4v.npy"]
    assert (len(found.table), found.facts.read, found.facts.spatial_dims) == (9, 3, 2)


def test_what_most_are_is_counted_over_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside ten images, nine volumes, and every second file is an image: the sample meets images alone."""
    monkeypatch.setattr("medauc.data.survey._SAMPLE", 10)
    put(tmp_path, *(f"p{row}/a.npy" for row in range(10)), *(f"p{row}/b.png" for row in range(9)))
    found = survey_folder(tmp_path)
    assert (len(found.table), len(found.others), found.facts.spatial_dims) == (10, 9, 3)
    assert found.facts.read == 10


def test_formats_that_hold_either_are_compared_by_some_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medauc.data.survey._SAMPLE", 3)
    put(tmp_path, *(f"{row}.tif" for row in range(9)), "4v.npy", "4w.npy")
    assert survey_folder(tmp_path).others["path"].tolist() == ["4v.npy", "4w.npy"]


def test_a_class_that_is_sorted_out_is_told_and_no_training_proposed(tmp_path: Path) -> None:
    put(tmp_path, *(f"benign/{row}_a.png" for row in range(5)), *(f"malignant/{row}.npy" for row in range(4)))
    found = survey_folder(tmp_path)
    assert (found.classes, found.other_classes, found.lost) == (
        {"benign": 5},
        {"malignant": 4},
        {"malignant": 4},
    )
    assert "CLASS LOST: malignant (4), of which there are volumes alone, left out here" in seen(found)
    steps = next_steps(found, write_starter(found, tmp_path))
    assert steps[-1] == "no training yet: images of malignant are missing"
    assert not any("medauc train" in step for step in steps)


def test_classes_splits_and_patients_are_those_of_what_stays(tmp_path: Path) -> None:
    classes = [f"{name}/{name}{row}.png" for name in ("a", "b") for row in range(6)]
    put(tmp_path, *classes, *(f"p{row}/train/scan.npy" for row in range(9)))
    found = survey_folder(tmp_path)
    assert (found.classes, found.lost) == ({"a": 6, "b": 6}, {})
    assert list(found.table.columns) == ["path", "target"]
    assert found.others["group"].tolist() == [f"p{row}" for row in range(9)]
    assert set(found.others["target"]) == {""}


def test_the_others_have_a_command_too(tmp_path: Path) -> None:
    put(tmp_path / "in", *(f"{name}/{row}.png" for name in ("no", "yes") for row in range(6)))
    put(tmp_path / "in", *(f"{name}/v{row}.npy" for name in ("no", "yes") for row in range(3)))
    found = survey_folder(tmp_path / "in")
    step, *_, last = next_steps(found, write_starter(found, tmp_path / "out"))
    table, root = tmp_path / "out" / "volumes.csv", tmp_path / "in"
    assert step == f"the volumes: medauc train {table} --root {root} --set 'data.positive_class=\"yes\"'"
    assert last.startswith(f"train: medauc train {tmp_path / 'out' / 'manifest.csv'} --recipe ")
