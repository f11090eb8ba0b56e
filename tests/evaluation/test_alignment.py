"""Rows about the same samples come together by id, or it is said why not."""

import numpy as np
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, align

IDS = list("abcdefgh")
TARGETS = [0, 0, 0, 0, 1, 1, 1, 1]


def table(ids=IDS, targets=TARGETS, split="test", **options):
    scores = [float(ord(name[-1])) for name in ids]
    return Predictions.from_arrays(split=split, ids=ids, targets=targets, scores=scores, **options)


def test_rows_come_together_in_any_order():
    order = np.random.default_rng(0).permutation(8)
    shuffled = table([IDS[i] for i in order], [TARGETS[i] for i in order])
    aligned = align({"A": table(), "B": shuffled})
    assert [part.ids for part in aligned.parts] == [IDS, IDS]
    assert (aligned.scores(None)[0] == aligned.scores(None)[1]).all()
    assert aligned.target(None).tolist() == TARGETS
    assert (aligned.groups, aligned.n_groups, aligned.notes) == (None, 8, ())


def test_ids_that_do_not_align_are_counted_and_shown():
    with pytest.raises(InputError) as caught:
        align({"A": table(), "B": table(["b", *IDS[2:], "x", "y"], [*TARGETS[1:], 1, 0])})
    assert str(caught.value) == (
        "1 of 8 ids of A are not in all others ('a'); 2 of 9 ids of B are not in all others ('x', 'y'); "
        "--common compares the 7 that all have"
    )


def test_common_compares_what_all_have_and_says_so():
    aligned = align({"A": table(), "B": table(IDS[1:], TARGETS[1:])}, common=True)
    assert aligned.parts[0].ids == IDS[1:]
    assert aligned.left_out == {"A": 1, "B": 0}
    assert aligned.notes == ("Compared on the 7 ids that all have; left out: 1 of A.",)


def test_no_shared_id_shows_how_they_look():
    with pytest.raises(InputError, match=r"share no id \(A has 'a', B has 'img-a'\)"):
        align({"A": table(), "B": table([f"img-{name}" for name in IDS])}, common=True)


def test_targets_that_disagree_are_counted_and_shown():
    with pytest.raises(
        InputError, match=r"target of 2 of 8 samples is not the same: 'b' has 0 in A and 1 in B"
    ):
        align({"A": table(), "B": table(targets=[0, 1, 0, 0, 1, 1, 1, 0])})


def test_groups_that_disagree_are_refused_and_stated_ones_hold():
    patients = list("ppqqrrss")
    with pytest.raises(
        InputError, match=r"group of 1 of 8 samples is not the same: 'h' is of 's' in B and of 't' in C"
    ):
        align({"A": table(), "B": table(groups=patients), "C": table(groups=[*patients[:-1], "t"])})
    aligned = align({"A": table(), "B": table(groups=patients)})
    assert aligned.n_groups == 4
    assert [part.groups for part in aligned.parts] == [patients, patients]
    assert aligned.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_other_splits_and_too_few_models_are_refused():
    with pytest.raises(InputError, match="needs two models or more, got 1"):
        align({"A": table()})
    with pytest.raises(InputError, match="B: no row with split 'test', only val"):
        align({"A": table(), "B": table(split="val")})


def test_labels_must_be_the_same(make_split):
    with pytest.raises(InputError, match=r"A has one target and B has 2 labels \(x, y\): nothing to compare"):
        align({"A": make_split(), "B": make_split(labels=["x", "y"])})
    aligned = align({"A": make_split(labels=["x", "y"]), "B": make_split(labels=["x", "y"])})
    assert aligned.labels == ("x", "y")


def test_a_model_that_ranks_nothing_is_named():
    constant = Predictions.from_arrays(split="test", ids=IDS, targets=TARGETS, scores=[1.0] * 8)
    with pytest.raises(InputError, match="B: all 8 scores of the test split are 1"):
        align({"A": table(), "B": constant})


def test_row_numbers_as_ids_are_told():
    numbers = [str(row + 1) for row in range(8)]
    assert "row numbers" in align({"A": table(numbers), "B": table(numbers)}).notes[0]
