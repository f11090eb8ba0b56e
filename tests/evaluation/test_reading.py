"""Tables as people have them: other names, separators, decimal marks and targets; and what is refused."""

import numpy as np
import pandas as pd
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, parse_columns, require_evaluable

GERMAN = "Name;Diagnose;Wert\nä1;gutartig;0,93\nä2;bösartig;-1,5e-1\nä3;bösartig;2\nä4;gutartig;,5\n"
OWN_NAMES = {"target": "Diagnose", "score": "Wert", "id": "Name"}


@pytest.fixture
def read(tmp_path):
    def read(text, name="predictions.csv", encoding="utf-8", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return Predictions.read(path, **options)

    return read


def refused(read, text, message, **options):
    with pytest.raises(InputError, match=message) as caught:
        read(text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_german_spreadsheet(read):
    table = read(GERMAN, columns=OWN_NAMES, positive="bösartig", encoding="utf-8-sig")
    assert table.ids == ["ä1", "ä2", "ä3", "ä4"]
    assert table.target().tolist() == [0, 1, 1, 0]
    assert table.score().tolist() == [0.93, -0.15, 2.0, 0.5]
    assert table.notes == (
        "predictions.csv: columns are separated by semicolons.",
        "score: the comma is read as decimal point, 0,93 as 0.93.",
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_of_columns(read, separator):
    text = "id,target,score\n007,1,0.5\nNA,0,1e-3\n".replace(",", separator)
    table = read(text)
    assert (table.ids, table.score().tolist()) == (["007", "NA"], [0.5, 0.001])
    assert len(table.notes) == (separator != ",")


def test_quoted_cells_hold_separators(read):
    table = read('id,target,score\n"a,b",1,"0,5"\n"c;d",0,"0,25"\n')
    assert table.ids == ["a,b", "c;d"]
    assert table.score().tolist() == [0.5, 0.25]


def test_the_last_bit_survives_whatever_the_mark(read):
    scores = np.random.default_rng(0).normal(size=300) * 10.0 ** np.arange(-150, 150)
    for mark in (".", ","):
        rows = "\n".join(
            f"{row % 2};{score!r}".replace(".", mark) for row, score in enumerate(scores.tolist())
        )
        assert (read(f"target;score\n{rows}\n").score() == scores).all()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (("93%", "4%"), r"score of row 1 is '93%', not a number: write shares as 0.93, not 93%"),
        (("0,93", "0.04"), r"score of row 1 is '0,93', not a number, and other rows have a decimal point"),
        (("1.234,5", "2"), r"score of row 1 is '1.234,5', not a number$"),
        (("", "2"), r"score of row 1 is '', not a number: give a score or remove the row"),
        (("1", "inf"), r"1 of 2 values of score are not finite; the first is inf in row 2"),
        (("1", "1e400"), r"not finite; the first is inf in row 2"),
    ],
)
def test_scores_that_are_none(read, cells, message):
    refused(read, f"target;score\n0;{cells[0]}\n1;{cells[1]}\n", message)


def test_unquoted_decimal_commas_between_commas_get_the_remedy(read):
    refused(read, "id,target,score\na,0,0,93\nb,1,0,4\n", "a decimal comma needs semicolons between columns")


@pytest.mark.parametrize("cells", [("benign", "malignant"), ("1", "2"), ("-", "+"), ("no", "yes")])
def test_other_targets_need_positive(read, cells):
    text = f"target,score\n{cells[0]},1\n{cells[1]},2\n{cells[1]},3\n"
    message = refused(read, text, "target must be 0 or 1, but row")
    assert message.endswith(" or ".join(f"--positive {cell}" for cell in sorted(cells)))
    assert read(text, positive=cells[1]).target().tolist() == [0, 1, 1]
    assert read(text, positive=cells[0]).target().tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("true", "false"), [("true", "false"), ("True", "False"), ("1", "0"), ("1.0", "0.0")]
)
def test_booleans_and_numbers_are_targets(read, true, false):
    assert read(f"target,score\n{true},1\n{false},2\n").target().tolist() == [1, 0]


def test_positive_must_occur_and_leave_one_other_value(read):
    refused(
        read,
        "target,score\na,1\nb,2\n",
        r"target never is 'c', which --positive names; it holds 'a', 'b'",
        positive="c",
    )
    refused(read, "target,score\na,1\nb,2\nc,3\n", r"target holds 3 values, 'a', 'b', 'c'", positive="c")
    refused(read, "target,score\na,1\nb,2\nc,3\n", r"it holds 3 values, 'a', 'b', 'c'")


def test_positive_of_several_labels_leaves_unknown_ones_unknown(read):
    text = "target_a,score_a,target_b,score_b\nyes,1,no,2\n,3,yes,4\nno,5,-1,6\n"
    table = read(text, positive="yes")
    assert table.target("a").tolist() == [1, -1, 0]
    assert table.target("b").tolist() == [0, 1, -1]


def test_splits_of_other_names_are_told(read):
    table = read("split,target,score\nTraining,1,1\nvalidation,0,2\n Test,1,3\n")
    assert table.frame["split"].tolist() == ["train", "val", "test"]
    assert "Split 'validation' is taken for val." in table.notes


def test_names_of_columns_are_guessed_and_given(read):
    text = "image,Label,prob\na,1,0.5\nb,0,0.25\n"
    message = refused(read, text, "lacks the column target, score")
    assert "--columns target=Label,score=prob" in message
    table = read(text, columns=parse_columns(["target=Label", "score=prob,id=image"]))
    assert (table.ids, table.target().tolist(), table.score().tolist()) == (["a", "b"], [1, 0], [0.5, 0.25])


def test_the_files_own_column_of_that_name_yields(read):
    table = read("target,score,consensus\n0,1,1\n1,2,0\n", columns={"target": "consensus"})
    assert table.target().tolist() == [1, 0]
    assert table.frame["target (file)"].tolist() == ["0", "1"]


def test_a_patient_column_that_is_not_used_is_told(read):
    table = read("patient_id,target,score\np,1,1\np,0,2\n")
    assert table.notes == (
        "Column 'patient_id' is not taken for the group; if it is: --columns group=patient_id.",
    )
    assert read("patient_id,target,score\np,1,1\np,0,2\n", columns={"group": "patient_id"}).groups == [
        "p",
        "p",
    ]


@pytest.mark.parametrize(
    ("setting", "part"), [("target", "target"), ("=x", "=x"), ("a=b,a=c", "a=c"), ("a=b,c=b", "c=b")]
)
def test_columns_that_say_nothing(setting, part):
    with pytest.raises(InputError, match=f"got '{part}'"):
        parse_columns([setting])


def test_a_named_column_that_is_not_there(read):
    refused(
        read, "target,score\n0,1\n", "has no column 'prob'; it has: target, score", columns={"score": "prob"}
    )


def test_further_columns_keep_their_text(read):
    table = read("target,score,age,target_site\n0,1,07,1.0\n1,2,,x\n")
    assert table.frame["age"].tolist() == ["07", ""]
    assert table.frame["target_site"].tolist() == ["1.0", "x"]


LEAK = "split,id,group,target,score\ntrain,1,p,0,1\ntest,2,p,1,2\ntest,3,q,0,3\nval,4,q,1,3\n"


def test_a_group_in_two_splits_is_refused_unless_allowed(read):
    message = refused(read, LEAK, "2 groups occur in more than one split, 'p' in train and test for one")
    assert "--allow-leakage" in message
    assert read(LEAK, allow_leakage=True).n == 4


def test_ids_that_restart_in_each_split_are_no_leak(read):
    assert read("split,id,target,score\ntrain,1,0,1\ntest,1,1,2\n").n == 2
    assert read("split,id,group,target,score\ntrain,1,1,0,1\ntest,1,1,1,2\n").n == 2


def table(targets, scores, **options):
    return Predictions.from_arrays(
        split="test", ids=range(len(targets)), targets=targets, scores=scores, **options
    )


@pytest.mark.parametrize(
    ("targets", "scores", "message"),
    [
        ([0, 0, 0], [1, 2, 3], "it has 0 positives and 3 negatives"),
        ([0, 0, 1], [1, 2, 3], "needs two positives and negatives at least, it has 1 positives"),
        ([1, 1, 0], [1, 2, 3], "it has 2 positives and 1 negatives"),
        ([0, 0, 1, 1], [0.5] * 4, "all 4 scores of the test split are 0.5: they rank nothing"),
    ],
)
def test_what_ranks_nothing_is_refused(targets, scores, message):
    with pytest.raises(InputError, match=message):
        require_evaluable(table(targets, scores), "x.csv")


def test_one_usable_label_is_enough():
    targets, scores = [[0, 0], [1, 0], [0, 0], [1, 0]], [[1, 5], [2, 5], [3, 5], [4, 5]]
    require_evaluable(table(targets, scores, label_names=["a", "b"]), "x.csv")
    with pytest.raises(InputError, match="it has no such label"):
        require_evaluable(table(np.zeros((4, 2)), scores, label_names=["a", "b"]), "x.csv")


def test_a_split_that_is_not_there_is_named(make_split):
    with pytest.raises(InputError, match="no row with split 'test', only val"):
        require_evaluable(make_split("val"), "x.csv")


def test_parquet_without_an_engine_says_what_to_do(read, monkeypatch):
    def missing(*_, **__):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", missing)
    refused(
        read,
        b"PAR1",
        "reading Parquet needs pyarrow; pip install pyarrow, or save the table as CSV",
        name="x.parquet",
    )


def test_typed_columns_of_parquet_read_as_csv_does(read, monkeypatch):
    """Whatever types the engine hands over: the same table as from the text."""
    typed = pd.DataFrame(
        {
            "id": [7, 8, 9, 10],
            "target": [True, False, True, False],
            "score": np.array([0.5, 0.25, 1, 2], dtype=np.float32),
            "scanner": ["A", None, "B", "A"],
        }
    )
    monkeypatch.setattr(pd, "read_parquet", lambda _: typed)
    found = read(b"PAR1", name="x.parquet").frame
    expected = read("id,target,score,scanner\n7,1,0.5,A\n8,0,0.25,\n9,1,1,B\n10,0,2,A\n").frame
    assert found.equals(expected)


def test_missing_numbers_of_parquet_are_refused_like_empty_cells(read, monkeypatch):
    typed = pd.DataFrame({"target": [0, 1], "score": [0.5, None]})
    monkeypatch.setattr(pd, "read_parquet", lambda _: typed)
    refused(read, b"PAR1", "score of row 2 is '', not a number", name="x.parquet")


def test_real_parquet(tmp_path, make_split):
    pytest.importorskip("pyarrow")
    table = make_split()
    table.frame.to_parquet(tmp_path / "x.parquet")
    assert Predictions.read(tmp_path / "x.parquet").frame.equals(table.frame)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="is not a Parquet file"):
        Predictions.read(tmp_path / "broken.parquet")
    with pytest.raises(InputError, match="cannot be read"):
        Predictions.read(tmp_path / "absent.parquet")
