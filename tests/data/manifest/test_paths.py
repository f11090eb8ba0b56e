"""Paths of a manifest stay below its root, whatever it says."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.manifest.paths import paths_below
from medauc.errors import InputError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paths")
    below = folder / "root"
    (below / "series").mkdir(parents=True)
    (folder / "secret").mkdir()
    (folder / "secret" / "x.png").touch()
    (below / "a.png").touch()
    (below / "link.png").symlink_to(below / "a.png")
    (below / "out.png").symlink_to(folder / "secret" / "x.png")
    (below / "away").symlink_to(folder / "secret")
    (below / "circle").symlink_to(below / "circle")
    (below / "near").symlink_to(below / "series")
    return below


def test_what_lies_below_is_taken(root: Path):
    found, there = paths_below(
        root, ["a.png", "link.png", "series", "none.png", str(root / "a.png")], "m.csv"
    )
    assert found == [str(root / name) for name in ("a.png", "link.png", "series", "none.png", "a.png")]
    assert there.tolist() == [True, True, True, False, True]


def test_paths_as_windows_writes_them(root: Path):
    (root / "series" / "b.png").touch()
    (root / "really\\so.png").touch()
    cells = [r"series\b.png", r"really\so.png", r"series\none.png", r"C:\series\b.png", r"series\#0123abcd"]
    found, there = paths_below(root, cells, "m.csv")
    assert found[:2] == [str(root / "series" / "b.png"), str(root / r"really\so.png")]
    assert there.tolist() == [True, True, False, False, True]


@pytest.mark.parametrize(
    "path",
    [
        r"..\secret\x.png",
        r"series\..\..\secret\x.png",
        r"away\x.png",
        r"\\server\share\x.png",
        "../secret/x.png",
        "series/../../secret/x.png",
        "out.png",
        "away/x.png",
        "away/none.png",
        "/etc/passwd",
        "/dev/zero",
        "circle",
        "away#0123abcd",
        "away#0123abcd/",
        "away#0123abcd/.",
        "near#0123abcd",
        "away/#0123abcd",
        "away/#0123abcd/",
        "away/#0123abcd/.",
        "circle/#0123abcd",
        "",
        "  ",
        "a\0.png",
    ],
)
def test_what_leaves_the_root_is_refused_with_its_row(root: Path, path: str):
    with pytest.raises(InputError, match="row 3"):
        paths_below(root, ["a.png", path], "m.csv")


def test_a_series_of_a_folder_is_there_when_the_folder_is(root: Path):
    cells = ["series/#0123abcd", "series#0123abcd", "near/#0123abcd"]
    cells += [
        "series#0123abcd/none.png",
        "none#0123abcd",
        "a.png#0123abcd",
        "none/#0123abcd",
        "a.png/#0123abcd",
    ]
    found, there = paths_below(root, cells, "m.csv")
    assert found == [str(root / cell) for cell in cells]
    assert there.tolist() == [True] * 3 + [False] * 5


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(["..", ".", "a.png", "away", "series", "circle", "/", "~", "out.png", ""]), max_size=6
    )
)
def test_no_combination_of_parts_leaves_the_root(root: Path, parts: list[str]):
    try:
        found, _ = paths_below(root, ["/".join(parts)], "m.csv")
    except InputError:
        return
    assert Path(found[0]).resolve().is_relative_to(root.resolve())


def test_a_root_that_is_a_link_is_followed(root: Path, tmp_path: Path):
    (tmp_path / "here").symlink_to(root)
    found, there = paths_below(tmp_path / "here", ["a.png"], "m.csv")
    assert Path(found[0]).samefile(root / "a.png")
    assert there.all()
