"""Manifests as files: separators, Parquet, ids, further columns, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medauc.data.manifest import ColumnsSpec, read_manifest
from medauc.errors import InputError

ROWS = [
    ("path", "target", "patient", "age", "sex"),
    ("b/1.png", "1", "p2", "70", "f"),
    ("a.png", "0", "p1", "", "m"),
    ("c.png", "0", "007", "1.50", "f"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    for name in ("b/1.png", "a.png"):
        (tmp_path / name).touch()
    return tmp_path


def assert_read(path: Path, age: str = "1.50") -> None:
    found = read_manifest(path)
    assert found.root == path.parent
    assert found.targets is not None
    assert found.targets.tolist() == [1, 0, 0]
    assert found.column("path").tolist() == [str(path.parent / row[0]) for row in ROWS[1:]]
    assert found.column("id").tolist() == ["b/1.png", "a.png", "c.png"]
    assert found.column("group").tolist() == ["p2", "p1", "007"]  # text, whatever it looks like
    assert found.there.tolist() == [True, True, False]
    assert found.further == ["age", "sex"]
    assert found.column("age").tolist() == ["70", "", age]
    assert not found.has_splits
    assert found.notes == ("Column 'patient' is taken for the group.",)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_separators_and_byte_order_marks(folder: Path, separator: str, start: str):
    text = start + "\n".join(separator.join(row) for row in ROWS) + "\n"
    (folder / "hospital.csv").write_text(text, encoding="utf-8")
    assert_read(folder / "hospital.csv")
    with gzip.open(folder / "hospital.csv.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    assert_read(folder / "hospital.csv.gz")
    assert read_manifest(folder / "hospital.csv.gz").name == "hospital"


def test_a_packed_file_is_not_unpacked_without_bound(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with gzip.open(folder / "bomb.csv.gz", "wt", encoding="utf-8") as file:
        file.write("path,target\n" + "a.png,0\n" * 300_000)
    assert (folder / "bomb.csv.gz").stat().st_size < 20_000
    monkeypatch.setattr("medauc.data.manifest.table._MOST_UNPACKED", 2 << 20)
    with pytest.raises(InputError, match=r"^\S+bomb.csv.gz unpacks to more than 2 MiB; .* unpack it first$"):
        read_manifest(folder / "bomb.csv.gz")


def test_parquet_reads_like_csv(folder: Path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(ROWS[1:], columns=ROWS[0])
    table["target"] = [1, 0, 0]
    table["age"] = [70.0, np.nan, 1.5]
    table.to_parquet(folder / "hospital.parquet")
    # a column of whole and broken numbers shows them as Python does
    found = read_manifest(folder / "hospital.parquet")
    assert found.column("age").tolist() == ["70.0", "", "1.5"]
    table["age"] = [70.0, np.nan, 2.0]
    table["sex"] = pd.Categorical(["f", None, "f"])
    table.to_parquet(folder / "hospital.parquet")
    found = read_manifest(folder / "hospital.parquet")
    assert found.column("age").tolist() == ["70", "", "2"]
    assert found.column("sex").tolist() == ["f", "", "f"]
    assert found.column("group").tolist() == ["p2", "p1", "007"]


def test_a_damaged_packed_file_is_one_line(folder: Path):
    packed = bytearray(gzip.compress("".join(f"{row}.png,{row % 2}\n" for row in range(999)).encode()))
    packed[30:40] = bytes(10)
    (folder / "m.csv.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"m.csv.gz cannot be read as a table: Error -3 while decompressing"):
        read_manifest(folder / "m.csv.gz")


@pytest.mark.parametrize("kind", ["text", "number", "nothing"])
def test_a_parquet_file_is_not_unpacked_without_bound(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """Each takes a few kilobytes."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    count, bomb = 400_000, folder / "bomb.parquet"
    columns = {
        "text": {"path": arrow.array(["x" * 100]).take(arrow.array(np.zeros(count, np.int32)))},
        "number": {"path": np.zeros(count)},
        "nothing": {"path": arrow.nulls(count)},
    }[kind]
    parquet.write_table(arrow.table(columns), bomb)
    assert bomb.stat().st_size < 20_000
    monkeypatch.setattr("medauc.data.manifest.parquet._MOST_UNPACKED", 2 << 20)
    with pytest.raises(
        InputError, match=r"^\S+bomb.parquet unpacks to more than 2 MiB, which no manifest takes; "
    ):
        read_manifest(bomb)


@pytest.mark.parametrize("kind", ["list", "struct", "bytes", "dictionary of bytes"])
def test_parquet_columns_that_cannot_be_counted_before_they_are_unpacked_are_refused(folder: Path, kind: str):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    column = {
        "list": arrow.array([["a"], ["b"]]),
        "struct": arrow.array([{"a": 1}, {"a": 2}]),
        "bytes": arrow.array([b"a", b"b"]),
        "dictionary of bytes": arrow.array([b"a", b"b"]).dictionary_encode(),
    }[kind]
    parquet.write_table(arrow.table({"path": ["a.png", "c.png"], "note": column}), folder / "m.parquet")
    with pytest.raises(
        InputError, match=r"column 'note' holds .*, not texts, numbers or times; leave it out$"
    ):
        read_manifest(folder / "m.parquet")


@pytest.mark.parametrize("kind", ["string_view", "large_string"])
def test_texts_of_every_kind_are_read(folder: Path, kind: str):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    paths = arrow.array(["a.png", "c.png"], getattr(arrow, kind)())
    parquet.write_table(arrow.table({"path": paths, "target": [0, 1]}), folder / "m.parquet")
    assert read_manifest(folder / "m.parquet").column("id").tolist() == ["a.png", "c.png"]


def test_a_parquet_file_that_memory_does_not_hold_is_not_called_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"path": ["a.png"]}), folder / "m.parquet")

    def fail(*_: object, **__: object) -> None:
        raise arrow.ArrowMemoryError("realloc of size 2147483648 failed")

    monkeypatch.setattr(pd, "read_parquet", fail)
    with pytest.raises(InputError, match=r"m\.parquet needs more memory than there is"):
        read_manifest(folder / "m.parquet")


def test_a_damaged_parquet_file_is_one_line(folder: Path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.Table.from_pandas(pd.DataFrame({"path": ["a.png", "b/1.png"], "target": [0, 1]}))
    parquet.write_table(table, folder / "m.parquet")
    whole = (folder / "m.parquet").read_bytes()
    notes = table.schema.metadata[b"pandas"].replace(b'"start"', b'"Start"')
    parquet.write_table(table.replace_schema_metadata({b"pandas": notes}), folder / "m.parquet")
    with pytest.raises(InputError, match=r"m.parquet cannot be read as a table: it is damaged \(KeyError\)$"):
        read_manifest(folder / "m.parquet")
    rng, said = np.random.default_rng(0), []
    for cut in [True, False, False] * 30:
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 3):
            damaged[place] = rng.integers(256)
        (folder / "m.parquet").write_bytes(damaged[: rng.integers(1, len(whole) + 1)] if cut else damaged)
        try:
            read_manifest(folder / "m.parquet")
        except InputError as error:
            said.append(str(error))
    assert len(said) > 30
    assert not any("\n" in line for line in said)


def write(folder: Path, *rows: str) -> Path:
    (folder / "m.csv").write_text("\n".join(rows) + "\n")
    return folder / "m.csv"


def test_a_root_of_its_own_and_the_name_of_the_data_set(folder: Path):
    (folder / "tables").mkdir()
    (folder / "tables" / "manifest.csv").write_text("path,target\na.png,0\nb/1.png,1\n")
    found = read_manifest(folder / "tables" / "manifest.csv", root=folder)
    assert found.there.all()
    assert found.name == "tables"  # "manifest" says nothing
    with pytest.raises(InputError, match="no such folder; --root names the folder"):
        read_manifest(folder / "tables" / "manifest.csv", root=folder / "none")


def test_columns_that_may_say_who_a_patient_is_are_left_out_unless_wanted(folder: Path):
    path = write(
        folder, "path,target,Patient Name,Birth_Date,sex", "a.png,0,Doe,1950,f", "b/1.png,1,Roe,1960,m"
    )
    found = read_manifest(path)
    assert found.further == ["sex"]
    assert "Left out, since they may say who a patient is: Patient Name, Birth_Date" in found.notes[0]
    kept = read_manifest(path, ColumnsSpec(keep=("Birth_Date",)))
    assert kept.further == ["Birth_Date"]
    assert read_manifest(path, ColumnsSpec(keep=())).further == []


def test_further_columns_do_not_hide_those_of_medauc(folder: Path):
    path = write(folder, "file,path,grade,target,split", "a.png,x,0,1,train", "b/1.png,y,1,1,val")
    found = read_manifest(path, ColumnsSpec(path="file", target="grade"))
    assert found.targets is not None
    assert found.targets.tolist() == [0, 1]
    assert found.further == ["file:path", "file:target"]
    assert found.column("file:path").tolist() == ["x", "y"]


def test_rows_in_neither_list_are_left_out(folder: Path):
    path = write(folder, "path,grade", *(f"{row}.png,{row % 6}" for row in range(12)))
    found = read_manifest(path, ColumnsSpec(target="grade", positive=(4, 5), negative=(1, 2)))
    assert found.column("id").tolist() == [f"{row}.png" for row in (1, 2, 4, 5, 7, 8, 10, 11)]
    assert found.targets is not None
    assert found.targets.tolist() == [0, 0, 1, 1] * 2
    assert len(found.there) == 8
    assert found.notes == (
        "4 rows are left out, whose target is neither positive nor negative by data.columns.",
    )


def test_several_targets_and_none(folder: Path):
    path = write(folder, "path,edema,mass", "a.png,0,", "b/1.png,1,1")
    found = read_manifest(path, ColumnsSpec(targets=("edema", "mass")))
    assert found.labels == ("edema", "mass")
    assert found.targets is not None
    assert found.targets.tolist() == [[0, -1], [1, 1]]
    with pytest.raises(InputError, match="has 2 labels; positive_class is for one"):
        read_manifest(path, ColumnsSpec(targets=("edema", "mass")), positive_class=1)
    without = read_manifest(path, needs_target=False)
    assert without.targets is None
    assert without.further == ["edema", "mass"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["path,target", "a.png,0", "a.png,1"], "path 'a.png' stands in rows 2, 3.*add a column of ids"),
        (["path,target,id", "a.png,0,x", "b.png,1,x"], "id 'x' stands in rows 2, 3.*ids must be unique"),
        (["path,target,id", "a.png,0,", "b.png,1,x"], "the id is blank in row 2"),
        (["path,target,group", "a.png,0,g", "b.png,1, "], "the group is blank in row 3"),
        (["path,target", "../a.png,0", "b.png,1"], "row 2"),
        (["path,target,target", "a.png,0,1"], "two columns 'target'; rename one"),
        (["path,target", "a.png,0,1"], "cannot be read as a table"),
        (["path,target"], "has a header and no rows"),
        ([""], "is empty|no column of paths"),
    ],
)
def test_what_is_refused(folder: Path, rows: list[str], words: str):
    with pytest.raises(InputError, match=words) as caught:
        read_manifest(write(folder, *rows))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xfe\xfd", b"\x1f\x8b\x08\0rubbish", b"PAR1rubbish", b'path,target\n"a'],
)
@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz", "m.parquet", "m.tsv"])
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, name: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_manifest(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=r"folder\.csv"):
        read_manifest(tmp_path / "folder.csv")
