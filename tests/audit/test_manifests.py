"""Folders without labels as collections."""

from pathlib import Path

from fixtures.slices import write_series
from medauc.audit.manifests import collection_of_folder


def test_several_series_in_one_folder_have_their_names_as_ids(tmp_path: Path) -> None:
    for name in "ab":
        write_series(tmp_path, name)
    found = collection_of_folder(tmp_path)
    assert len(set(found.ids.tolist())) == 2
    assert all(name.startswith("#") for name in found.ids.tolist())
