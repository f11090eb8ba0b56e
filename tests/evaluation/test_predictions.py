"""The table of scores: what goes in comes out, and what cannot be evaluated is refused in one clear line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.errors import InputError
from medauc.evaluation import Predictions, evaluate


@pytest.fixture
def read_text(tmp_path):
    def read(text, encoding="utf-8"):
        path = tmp_path / "predictions.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return Predictions.read(path)

    return read


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
@settings(max_examples=50)
def test_scores_survive_the_file_to_the_bit(tmp_path_factory, scores):
    path = tmp_path_factory.mktemp("scores") / "predictions.csv"
    table = Predictions.from_arrays(
        split="test", ids=range(len(scores)), targets=np.arange(len(scores)) % 2, scores=scores
    )
    table.write(path)
    again = Predictions.read(path)
    assert again.score().tobytes() == np.array(scores).tobytes()
    assert again.frame.equals(table.frame)


def test_float32_scores_survive_the_file_to_the_bit(tmp_path):
    scores = np.random.default_rng(0).normal(size=50).astype(np.float32)
    table = Predictions.from_arrays(split="val", ids=range(50), targets=[0, 1] * 25, scores=scores)
    table.write(tmp_path / "predictions.csv")
    assert (Predictions.read(tmp_path / "predictions.csv").score() == scores).all()


def test_several_labels_with_unknown_targets_survive_the_file(tmp_path, make_split):
    targets = np.random.default_rng(1).integers(-1, 2, (200, 2))
    table = make_split(labels=["edema", "mass, left"], targets=targets)
    table.write(tmp_path / "predictions.csv")
    again = Predictions.read(tmp_path / "predictions.csv")
    assert again.labels == ("edema", "mass, left")
    assert (again.target("mass, left") == targets[:, 1]).all()
    target, score = again.known("edema")
    assert set(target) == {0, 1}
    assert score.size == (targets[:, 0] >= 0).sum()


def test_a_minimal_table_gets_defaults(read_text):
    table = read_text("target,score\n0,0.5\n1,2\n")
    assert table.splits == ("test",)
    assert table.ids == table.groups == ["1", "2"]
    assert table.score().tolist() == [0.5, 2.0]


def test_ids_stay_text_and_further_columns_are_kept(read_text):
    table = read_text("id,group,target,score,scanner\n007,NA,1,1e-3,A\nnull,,0,-2,\n")
    assert table.ids == ["007", "null"]
    assert table.groups == ["NA", ""]
    assert table.frame["scanner"].tolist() == ["A", ""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_marks_spaces_and_line_ends_of_spreadsheets_are_fine(read_text, encoding):
    table = read_text("target, score\r\n1.0,0.25\r\n0.0, 0.5\r\n", encoding)
    assert table.target().tolist() == [1, 0]


def test_an_empty_cell_of_a_label_is_unknown(read_text):
    table = read_text("target_a,score_a,target_b,score_b\n0,1,,2\n1,3,1,4\n")
    assert table.target("b").tolist() == [-1, 1]


def test_one_output_column_of_a_network_is_accepted():
    table = Predictions.from_arrays(split="val", ids=[1, 2], targets=[0, 1], scores=[[0.5], [1.5]])
    assert table.score().tolist() == [0.5, 1.5]


def test_select_and_concatenate(both):
    assert both.splits == ("val", "test")
    assert both.select("val").n == 200
    assert both.select("train").n == 0
    again = Predictions.concatenate([both.select("val"), both.select("test")])
    assert again.frame.equals(both.frame)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("target,score\n", "no rows"),
        ("label,prob\n1,0.3\n", "lacks the column target, score; it has: label, prob"),
        ("target_a,score_b\n1,0.3\n", "lacks the column score_a"),
        ("target,score,score\n1,0.3,0.4\n", "more than one column named 'score'"),
        (
            "target,score\n1,0.3\n0,nan\n1,inf\n",
            "2 of 3 values of score are not finite; the first is nan in row 2",
        ),
        ("target,score\n1,0.3\n0,high\n", "score of row 2 is 'high', not a number"),
        ("target,score\n1,0.3\n0\n", "score of row 2 is '', not a number"),
        ("target,score\n1,0.3\n,0.2\n", "target of row 2 is '', not a number"),
        ("target,score\n1,0.3\n2,0.5\n", r"target must be 0 or 1, but row 2 has 2 \(1 such rows\)"),
        ("target,score\n1,0.3\n-1,0.5\n", "target must be 0 or 1, but row 2 has -1"),
        ("target_a,score_a\n1,0.3\n3,0.5\n", r"target_a must be 0, 1 or -1 \(unknown\), but row 2 has 3"),
        ("split,target,score\ntest,1,0.3\ndev,0,0.5\n", "unknown split 'dev'; use train, val, test"),
        (
            "id,target,score\nx,1,0.3\ny,0,0.1\nx,0,0.5\n",
            "1 ids repeat within a split, in 'test' for one: 'x'",
        ),
        ("target,score\n1,0.3\n0,0.1,7\n", "is not a CSV file"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "is not a CSV file"),
        (b"PK\x03\x04\x14\x00\x00\x00,\x00", "its first line holds binary data"),
    ],
)
def test_bad_files_are_refused_in_one_line(read_text, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_text(text)
    assert "\n" not in str(caught.value)
    assert "predictions.csv" in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            Predictions.read(path)


def test_the_same_id_in_two_splits_is_fine(read_text):
    assert read_text("split,id,target,score\nval,x,1,0.3\ntest,x,0,0.5\n").n == 2


def test_bad_arrays_are_refused():
    with pytest.raises(InputError, match=r"3 ids and 0 labels need shape \(3,\)"):
        Predictions.from_arrays(split="val", ids="abc", targets=[0, 1], scores=[1, 2])
    with pytest.raises(InputError, match="the val predictions: 1 of 2 values of score are not finite"):
        Predictions.from_arrays(split="val", ids="ab", targets=[0, 1], scores=[1, np.nan])
    with pytest.raises(InputError, match="unknown split 'dev'"):
        Predictions.from_arrays(split="dev", ids="ab", targets=[0, 1], scores=[1, 2])


def test_an_id_twice_in_a_split_is_found_across_parts(make_split):
    with pytest.raises(InputError, match="200 ids repeat"):
        Predictions.concatenate([make_split("val"), make_split("val")])
    with pytest.raises(InputError, match="same labels"):
        Predictions.concatenate([make_split("val"), make_split("test", labels=["a"])])


def test_a_failed_write_is_named_and_leaves_nothing(tmp_path, make_split):
    table = make_split()
    for content in (table, evaluate(table)):
        with pytest.raises(InputError, match=r"absent.* cannot be written: No such file"):
            content.write(tmp_path / "absent" / "file")
    assert list(tmp_path.iterdir()) == []


def test_further_columns_are_written_and_read_without_being_taken_for_scores(tmp_path: Path):
    names = ["a", "b"]
    table = Predictions.from_arrays(
        split="test",
        ids=names,
        targets=np.array([[0, 1], [1, 0]]),
        scores=np.array([[0.5, 1.0], [2.0, 3.0]]),
        label_names=["x", "y"],
        further={"sex": ["f", "m"], "split": ["1", "2"], "target_old": ["0", "1"], "age": [70, 8]},
    )
    table.write(tmp_path / "predictions.csv")
    read = Predictions.read(tmp_path / "predictions.csv")
    assert read.labels == ("x", "y")
    assert read.further_columns == ["sex", "file:split", "file:target_old", "age"]
    assert read.frame["sex"].tolist() == ["f", "m"]
    assert read.frame["file:target_old"].tolist() == ["0", "1"]
    assert read.splits == ("test",)
