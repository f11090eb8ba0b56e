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
    ],
)
def test_names_are_hidden_as_words_and_whole_paths_first(name: str, text: str, hidden: str) -> None:
    assert without_names(text, "an id", Path(name)) == hidden


def test_without_names_nothing_is_hidden() -> None:
    assert without_names("a.png is damaged") == "a.png is damaged"
    assert without_names("a. is damaged", Path()) == "a. is damaged"
