"""Cells of a manifest as targets."""

import shlex
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medauc.data.manifest.columns import ColumnsSpec
from medauc.data.manifest.targets import one_target, several_targets
from medauc.errors import InputError
from medauc.training.overrides import apply_overrides
from medauc.training.sections.data import DataSection


def cells(*values: str) -> "pd.Series[str]":
    return pd.Series(values, dtype="str", name="label")


def one(*values: str, positive_class=None, **spec):
    return one_target(cells(*values), ColumnsSpec(**spec), positive_class, "m.csv")


@pytest.mark.parametrize("zero", ["0", "0.0", " 0", "false", "False"])
@pytest.mark.parametrize("unit", ["1", "1.0", "TRUE"])
def test_spellings_of_zero_and_one(zero: str, unit: str):
    found = one(zero, unit, unit)
    assert found.values.tolist() == [0, 1, 1]
    assert (found.class_names, found.note) == (("class 0", "class 1"), None)


def test_the_positive_class_can_be_zero():
    found = one("0", "1", "1", positive_class=0)
    assert found.values.tolist() == [1, 0, 0]
    assert found.class_names == ("class 1", "class 0")


def test_names_of_classes():
    assert one("b", "a", positive_class="B").values.tolist() == [1, 0]
    guessed = one("abnormal", "normal")  # the alphabet would have it the other way round
    assert (guessed.values.tolist(), guessed.class_names) == ([1, 0], ("normal", "abnormal"))
    assert guessed.note == "'abnormal' is taken for the positive class."
    with pytest.raises(
        InputError,
        match=r"values 'a', 'b'; say which is positive: --set data.positive_class=a or --set data.positive_class=b$",
    ):
        one("a", "b")
    with pytest.raises(InputError, match="has no class 'c'; it has 'a', 'b'"):
        one("a", "b", positive_class="c")


def test_lists_of_values_choose_rows_and_classes():
    found = one("1", "2.0", "3", "4", "5", "", positive=(4, 5), negative=("1", 2))
    assert found.values.tolist() == [0, 0, -1, 1, 1, -1]
    assert found.class_names == ("label 1 or 2", "label 4 or 5")
    assert found.note is not None
    assert "2 rows are left out" in found.note
    rest = one("mel", "nv", "bkl", positive=("mel",))
    assert (rest.values.tolist(), rest.class_names) == ([1, 0, 0], ("not mel", "mel"))
    assert rest.note == "All but 'mel' count as negative: 'bkl', 'nv'."
    assert one("mel", "nv", positive=("mel",)).note is None
    with pytest.raises(InputError, match="has no value '7'; it has 4, 5"):
        one("4", "5", positive=(7,))
    with pytest.raises(InputError, match="both say what is positive"):
        one("4", "5", positive=(5,), positive_class=1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["0", "", "1", "nan"], "'label' is blank in rows 3, 5"),
        (["1", "2", "3"], r"has 3 values \(1, 2, 3\).*data.columns.positive=\[3\]"),
        (["yes"], "one value only"),
    ],
)
def test_what_cannot_be_read_names_rows_or_values(values: list[str], words: str):
    with pytest.raises(InputError, match=words):
        one(*values)


def pasted(message: str) -> dict:
    """What the assignments of a message say when a shell and ``--set`` have read them."""
    words = shlex.split(message[message.index("--set") :])
    given: dict = {}
    apply_overrides(given, [after for word, after in pairwise(words) if word == "--set"])
    section = DataSection.model_validate(given["data"])
    return {"positive_class": section.positive_class, "positive": section.columns.positive}


@pytest.mark.parametrize(
    ("values", "positive_class", "listed", "positive"),
    [
        (
            ("malignant", "maybe", "normal, benign"),
            None,
            "has 3 values ('malignant', 'maybe', 'normal, benign')",
            "maybe",
        ),
        (("malignant", "maybe", "normal, benign"), "Malignant", "", "malignant"),
        (("a", "b", "it's [one], or two"), None, "", "it's [one], or two"),
        (("no", "off", "on"), None, "", "on"),
        (("1", "2", "2.5"), None, "has 3 values (1, 2, 2.5)", "2.5"),
        (("normal", "healthy", "benign"), None, "", "normal"),
        (("a", "b", "null: x"), None, "", "null: x"),
    ],
)
def test_the_remedy_for_many_values_works_when_pasted(values, positive_class, listed: str, positive: str):
    with pytest.raises(InputError) as caught:
        one(*values, positive_class=positive_class)
    assert listed in str(caught.value)
    assert ("positive_class=null" in str(caught.value)) == (positive_class is not None)
    found = one(*values, **pasted(str(caught.value)))
    assert found.values.tolist() == [int(value == positive) for value in values]


@pytest.mark.parametrize("values", [("x", "y, z"), ("off", "on"), ("1.5", "2.5"), ("3", "7"), ("a", "b's")])
def test_the_remedy_for_two_values_works_when_pasted(values: tuple[str, str]):
    with pytest.raises(InputError) as caught:
        one(*values)
    before, _, choices = str(caught.value).partition("say which is positive: ")
    for choice, wanted in zip(choices.split(" or "), ([1, 0], [0, 1]), strict=True):
        assert one(*values, **pasted(before + choice)).values.tolist() == wanted


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["0", "1", "1.0", "true", "", "-1", "nan", "NA"]), min_size=1, max_size=20))
def test_several_labels_know_unknown(column: list[str]):
    meaning = {"0": 0, "1": 1, "1.0": 1, "true": 1}
    found = several_targets({"a": cells(*column), "b": cells(*reversed(column))}, "m.csv").values
    expected = [meaning.get(value, -1) for value in column]
    assert found.tolist() == [list(pair) for pair in zip(expected, reversed(expected), strict=True)]
    assert found.dtype == np.int64


def test_a_label_that_is_no_number_is_named_with_column_and_row():
    with pytest.raises(InputError, match="'2' in column 'b', row 3, is neither 0 nor 1"):
        several_targets({"a": cells("0", "1"), "b": cells("1", "2")}, "m.csv")
