"""Columns of a manifest: told from usual names, named by the recipe, refused in one line."""

import pytest

from medauc.data.manifest.columns import ColumnsSpec, find_columns
from medauc.errors import InputError


def test_own_names_win_over_usual_ones_and_nothing_is_told():
    header = ["patient", "path", "file", "target", "label", "id", "group", "split", "sex"]
    found = find_columns(header, ColumnsSpec(), "m.csv")
    assert (found.path, found.target, found.id, found.group, found.split) == (
        *("path", "target", "id", "group", "split"),
    )
    assert found.notes == ()
    assert set(header) - found.used == {"patient", "file", "label", "sex"}


def test_usual_names_are_taken_and_told():
    found = find_columns(["Image_Path", "Label", "PatientID", "partition"], ColumnsSpec(), "m.csv")
    assert (found.path, found.target, found.group, found.split) == (
        *("Image_Path", "Label", "PatientID", "partition"),
    )
    assert "Column 'PatientID' is taken for the group." in found.notes
    assert len(found.notes) == 4
    assert found.id is None


def test_the_recipe_names_columns():
    spec = ColumnsSpec(path="scan", target="grade", group="case")
    found = find_columns(["scan", "path", "grade", "target", "case", "patient"], spec, "m.csv")
    assert (found.path, found.target, found.group) == ("scan", "grade", "case")


def test_a_column_has_one_meaning():
    # "image" is a usual name of the path; once it is named as the id, another column must hold the paths
    assert find_columns(["image", "file", "y"], ColumnsSpec(id="image"), "m.csv").path == "file"
    with pytest.raises(InputError, match="'a' is given two meanings"):
        find_columns(["a", "y"], ColumnsSpec(path="a", id="a"), "m.csv")


def test_several_targets_are_named_or_told_from_their_prefix():
    named = find_columns(["path", "edema", "mass"], ColumnsSpec(targets=("edema", "mass")), "m.csv")
    assert (named.target, named.targets) == (None, {"edema": "edema", "mass": "mass"})
    told = find_columns(["path", "target_edema", "target_mass", "sex"], ColumnsSpec(), "m.csv")
    assert told.targets == {"edema": "target_edema", "mass": "target_mass"}
    assert find_columns(["path"], ColumnsSpec(), "m.csv", needs_target=False).target is None


@pytest.mark.parametrize(
    ("header", "spec", "words"),
    [
        (
            ["scan", "target"],
            ColumnsSpec(),
            "m.csv has no column of paths.*data.columns.path=NAME.*scan, target",
        ),
        (["path", "grade"], ColumnsSpec(), r"no column of targets.*data.columns.targets=\[A,B\]"),
        (["path", "target"], ColumnsSpec(group="case"), "no column 'case'; it has path, target"),
        (["path", "target"], ColumnsSpec(keep=("sex",)), "no column 'sex'"),
    ],
)
def test_what_is_missing_is_told_with_the_remedy(header: list[str], spec: ColumnsSpec, words: str):
    with pytest.raises(InputError, match=words):
        find_columns(header, spec, "m.csv")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"target": "a", "targets": ("b",)}, "one of the two"),
        ({"targets": ("b",), "positive": (1,)}, "for one target"),
        ({"negative": (0,)}, "negative needs positive"),
        ({"positive": (1, "2.0"), "negative": (2,)}, "'2' is both"),
    ],
)
def test_keys_that_exclude_each_other(values: dict, words: str):
    with pytest.raises(InputError, match=words):
        ColumnsSpec(**values)
