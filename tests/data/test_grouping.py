"""Which images are of one patient: headers, placeholders, folders, names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medauc.data import grouping
from medauc.data.grouping import Grouping, told_patients, with_told_patients
from medauc.data.manifest import Manifest


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch):
    """What is told of images whose headers name these patients."""

    def tell(
        headers: Sequence[str | None], folders: Sequence[str] = (), names: Sequence[str] = ()
    ) -> Grouping:
        paths = [Path(f"{number}.dcm") for number in range(len(headers))]
        by_path = dict(zip(paths, headers, strict=True))
        monkeypatch.setattr(grouping, "patient_id_of", by_path.__getitem__)
        return told_patients(paths, folders or [""] * len(paths), names or [path.name for path in paths])

    return tell


def partition(groups: list[str] | None) -> list[int]:
    """Groups as numbers in the order of their first images."""
    assert groups is not None
    return [list(dict.fromkeys(groups)).index(group) for group in groups]


def test_headers_are_hashed_anew_each_time(told) -> None:
    first, second = told(["a", "b", "a", "c"]), told(["a", "b", "a", "c"])
    assert partition(first.groups) == partition(second.groups) == [0, 1, 0, 2]
    assert not set(first.groups) & set(second.groups)
    assert not set(first.groups) & {"a", "b", "c"}
    assert (first.source, first.doubt) == ("DICOM's PatientID, hashed", None)


def test_images_without_an_id_are_patients_of_their_own_and_that_is_told(told) -> None:
    found = told(["a", None, "b", "a", None])
    assert partition(found.groups) == [0, 1, 2, 0, 3]
    assert found.doubt.startswith("2 of 5 images have no PatientID or a placeholder such as ANON")


@pytest.mark.parametrize("headers", [["a"] * 4, ["a", "a", None, None]])
def test_one_id_in_all_headers_is_no_patient(told, headers: list[str | None]) -> None:
    n = len(headers) - headers.count(None)
    doubt = f"all {n} DICOM headers that have a PatientID have the same, so it is not taken for a patient"
    assert told(headers) == Grouping(doubt=doubt)
    folders = ["p1", "p1", "p2", "p3"]
    assert told(headers, folders) == Grouping(folders, "the folder that an image lies in", doubt)


def test_one_id_of_most_headers_is_kept_and_doubted(told) -> None:
    """Kept, as one patient in two splits would do more harm than two patients in one."""
    found = told(["x"] * 12 + ["a", "b", "c"])
    assert partition(found.groups) == [0] * 12 + [1, 2, 3]
    assert "one PatientID has 12 of 15 images" in found.doubt
    assert told(["x"] * 3 + ["a"]).doubt is None  # too few to tell


def test_few_ids_do_not_outweigh_folders(told) -> None:
    folders = ["p1", "p1", "p2", "p2", "p3"]
    found = told(["a", "b", None, None, None], folders)
    assert found == Grouping(folders, "the folder that an image lies in")
    assert told(["a", "b", None, None, None]).source == "DICOM's PatientID, hashed"


def test_names_where_there_is_nothing_else(told) -> None:
    names = ["001_a.png", "001_b.png", "002_a.png"]
    assert told([None] * 3, names=names) == Grouping(
        ["001", "001", "002"], "the beginning of the file's name"
    )
    assert told([None] * 3) == Grouping()


def test_patients_of_a_manifest_are_called_after_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*headers: str | None, endings: Sequence[str] = (), has_groups: bool = False) -> Manifest:
        names = [f"{number}{ending}" for number, ending in enumerate(endings or [".dcm"] * len(headers))]
        monkeypatch.setattr(
            grouping, "patient_id_of", lambda path: dict(zip(names, headers, strict=True))[str(path)]
        )
        table = pd.DataFrame({"path": names, "id": names, "group": names, "split": ""}, dtype="str")
        there = np.ones(len(names), np.bool_)
        made = Manifest(Path("m.csv"), Path(), table, (), ("n", "p"), there, has_groups)
        found = with_told_patients(made)
        if not found.has_groups:
            assert found.table is table
        return found

    found = told("b", "a", None, "b")
    assert found.table["group"].tolist() == [
        "patient of 0.dcm", "patient of 1.dcm", "2.dcm", "patient of 0.dcm"
    ]  # fmt: skip
    assert len(found.notes) == 1
    assert (
        "2 are told from DICOM's PatientID and kept whole; 1 of 4 images have no PatientID" in found.notes[0]
    )
    assert told("a", "b", None).notes == ()  # nobody has several images
    assert "have the same, so it is not taken for a patient" in told("a", "a", "a").notes[0]
    assert told("a", "b", "a", endings=[".PNG", ".nii.gz", ".png"]).notes == ()  # not opened
    assert told("a", "b", "a", has_groups=True).table["group"].tolist() == ["0.dcm", "1.dcm", "2.dcm"]
