"""Names of files kept out of messages about them."""

from pathlib import Path

import pytest

from medauc.data.readers import without_names


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
    for path in (tmp_path, tmp_path / "#1a2b3c4d", tmp_path / "other.dcm"):
        assert without_names(text, path) == text.replace("Anna_1.dcm", "...")


def test_without_names_nothing_is_hidden() -> None:
    assert without_names("a.png is damaged") == "a.png is damaged"
    assert without_names("a. is damaged", Path()) == "a. is damaged"
