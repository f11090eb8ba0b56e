"""Names of files kept out of messages about them."""

from pathlib import Path

import numpy as np
import pytest

from fuzz.fuzz_corpus import dicom_bytes, dicom_object
from medauc.data.readers import UnreadableImage, read_image, with_names, without_names


@pytest.mark.parametrize(
    ("name", "text", "hidden"),
    [
        ("1.dcm", "pixel 11 of 1.dcm is 21 wide", "pixel 11 of ... is 21 wide"),
        ("is.png", "this is damaged", "this ... damaged"),
        ("a/1.dcm", "a/1.dcm: slice 12 misses", "...: slice 12 misses"),
        (
            "a/Anna.nii.gz",
            "Anna.hdr goes with Anna.nii.gz, not Annabel",
            "....hdr goes with ..., not Annabel",
        ),
        ("a/Anna#3", "a/Anna/7.dcm is not of Anna", ".../7.dcm is not of ..."),
        ("a/Anna/#3", "a/Anna/7.dcm is not of Anna", ".../7.dcm is not of ..."),
        ("Anna/#1a2b", "holds 2 series; name one as Anna/#1a2b", "holds 2 series; name one as ..."),
    ],
)
def test_names_are_hidden_as_words_and_whole_paths_first(name: str, text: str, hidden: str) -> None:
    assert without_names(text, "an id", Path(name)) == hidden


def test_a_quoted_file_beside_the_image_is_hidden(tmp_path: Path) -> None:
    (tmp_path / "Anna_1.dcm").touch()
    text = f"1 of its slices ('Anna_1.dcm') is 'damaged' or '{'x' * 300}'"
    for path in (tmp_path, tmp_path / "#1a2b3c4d", tmp_path.with_name(f"{tmp_path.name}#1a2b3c4d")):
        assert without_names(text, path) == text.replace("Anna_1.dcm", "...")


@pytest.mark.parametrize("name", ["Doe Jane.dcm", "Doe's.dcm", 'Doe\'s "x".dcm', 'Doe "x".dcm', "Doe\n.dcm"])
def test_quotes_and_apostrophes_hide_no_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    text = "is damaged (can't start); 1 of its slices ({}) is damaged"
    for words in (text, f'"{text}'):
        assert without_names(words.format(repr(name)), tmp_path) == words.format("'...'")


def folder_of_slices(folder: Path, cut: str) -> None:
    """A folder of a series with one file whose header is cut."""
    folder.mkdir()
    for place in range(3):
        told = {"ImagePositionPatient": [0, 0, place], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        whole = dicom_bytes(
            dicom_object(np.full((4, 4), place, np.uint16), SOPInstanceUID=f"1.{place}", **told)
        )
        (folder / f"{place}").write_bytes(whole)
    (folder / cut).write_bytes(whole[:300])


def test_a_refusal_is_told_with_names_and_kept_without(tmp_path: Path) -> None:
    folder = tmp_path / "DOE_JANE"
    folder_of_slices(folder, "DOE_JANE_1.dcm")
    with pytest.raises(UnreadableImage, match=r"'DOE_JANE_1\.dcm'") as caught:
        read_image(folder)
    reason = caught.value.reason
    assert reason == (
        "1 of the DICOM files beside it is damaged and may be a slice of it; copy again or take out of the folder"
    )
    assert without_names(str(caught.value), folder) == str(caught.value).replace(str(folder), "...").replace(
        "DOE_JANE_1.dcm", "..."
    )
    assert f"{folder}: {with_names(reason, folder)}" == str(caught.value)
    assert with_names("is empty", folder) == "is empty"
    (folder / "DOE_JANE_1.dcm").unlink()
    assert with_names(reason, folder) == reason
    assert with_names(reason, tmp_path / "missing") == reason


def test_a_folder_of_two_series_is_refused_without_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "DOE_JANE"
    folder_of_slices(folder, "cut")
    other = dicom_object(np.zeros((4, 4), np.uint16), SeriesInstanceUID="1.2.9")
    (folder / "other").write_bytes(dicom_bytes(other))
    with pytest.raises(UnreadableImage, match="name one as DOE_JANE/#") as caught:
        read_image(folder)
    assert "name one as .../#" in caught.value.reason
    assert "DOE" not in caught.value.reason


def test_without_names_nothing_is_hidden() -> None:
    assert without_names("a.png is damaged") == "a.png is damaged"
    assert without_names("a. is damaged", Path()) == "a. is damaged"
