import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medauc.evaluation import Predictions
from medauc.metrics import roc_auc
from medauc.training.combination import Combination, single_predictions, single_scores
from medauc.training.members import Member

FOLDS = 3
TARGETS = np.arange(30) % 2


def scored(split: str, rows: np.ndarray, scores: np.ndarray, labels: tuple[str, ...] = ()) -> Predictions:
    targets = TARGETS[rows] if not labels else np.stack([TARGETS[rows], TARGETS[rows][::-1]], axis=1)
    return Predictions.from_arrays(
        split=split,
        ids=[f"{split}{row}" for row in rows],
        targets=targets,
        scores=scores,
        label_names=labels or None,
    )


def member_table(seed: int, val: np.ndarray, labels: tuple[str, ...] = (), scale: float = 1.0) -> Predictions:
    rng, shape = np.random.default_rng(seed), (2,) if labels else ()
    parts = [
        scored(split, rows, scale * rng.normal(size=(len(rows), *shape)) + seed, labels)
        for split, rows in (("val", val), ("test", np.arange(30)))
    ]
    return Predictions.concatenate(parts)


def fold_tables(labels: tuple[str, ...] = ()) -> dict[Member, Predictions]:
    """Two members a fold, on scales of their own."""
    return {
        Member("fold", 100 * fold + number, fold): member_table(
            100 * fold + number, np.arange(fold, 30, FOLDS), labels, scale=10.0 ** (fold - number)
        )
        for fold in range(FOLDS)
        for number in range(2)
    }


def named(tables: dict[Member, Predictions]) -> dict[str, Predictions]:
    return {member.name: table for member, table in tables.items()}


@given(seed=st.integers(0, 50), scale=st.floats(0.001, 1000))
def test_an_ensemble_of_one_is_that_network_standardised(seed, scale) -> None:
    table = member_table(seed, np.arange(30), scale=scale)
    member = Member("official", seed)
    whole = Combination.of({member: table}).predictions({member.name: table})
    val = table.select("val").score()
    for split in ("val", "test"):
        single, joined = table.select(split), whole.select(split)
        assert joined.ids == single.ids
        expected = (single.score() - val.mean()) / val.std()
        np.testing.assert_array_equal(joined.score(), expected)
        assert roc_auc(joined.target(), joined.score()) == roc_auc(single.target(), single.score())


@pytest.mark.parametrize("labels", [(), ("a", "b")])
def test_validation_is_out_of_fold_and_test_is_scored_by_all(labels) -> None:
    tables = fold_tables(labels)
    whole = Combination.of(tables).predictions(named(tables))
    val, test = whole.select("val").frame.set_index("id"), whole.select("test").frame.set_index("id")
    assert sorted(val.index) == sorted(f"val{row}" for row in range(30))
    for column in ("score",) if not labels else ("score_a", "score_b"):
        standard = {}
        for member, table in tables.items():
            own = table.select("val").frame[column]
            frame = table.frame.assign(z=(table.frame[column] - own.mean()) / own.std(ddof=0))
            standard[member] = frame.set_index("id")["z"]
        for row in range(30):
            unseen = [z for member, z in standard.items() if member.fold == row % FOLDS]
            assert val.loc[f"val{row}", column] == pytest.approx(np.mean([z[f"val{row}"] for z in unseen]))
            every = [z[f"test{row}"] for z in standard.values()]
            assert test.loc[f"test{row}", column] == pytest.approx(np.mean(every))


def test_location_and_scale_of_a_network_do_not_weigh() -> None:
    tables = fold_tables()
    first, *_ = tables
    moved = tables[first].frame.assign(score=1000 * tables[first].frame["score"] - 77)
    louder = {**tables, first: Predictions(moved)}
    one = Combination.of(tables).predictions(named(tables)).score()
    other = Combination.of(louder).predictions(named(louder)).score()
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_network_whose_scores_are_all_equal_does_no_harm() -> None:
    tables = fold_tables()
    first, *_ = tables
    tables[first] = Predictions(tables[first].frame.assign(score=3.0))
    assert np.isfinite(Combination.of(tables).predictions(named(tables)).score()).all()


def test_refits_alone_score_test_on_the_scale_of_the_folds() -> None:
    tables = fold_tables()
    refits = {Member("refit", seed): member_table(seed, np.arange(30)).select("test") for seed in (300, 301)}
    combination = Combination.of(tables, list(refits), (7,))
    whole = combination.predictions(named(tables) | named(refits))
    folds_only = Combination.of(tables).predictions(named(tables))
    assert whole.select("val").frame.equals(folds_only.select("val").frame)
    members = [table.select("val").score() for table in tables.values()]
    location, scale = np.mean([s.mean() for s in members]), np.mean([s.std() for s in members])
    raw = np.mean([table.score() for table in refits.values()], axis=0)
    np.testing.assert_allclose(whole.select("test").score(), (raw - location) / scale)


def test_single_scores_survive_being_written(tmp_path) -> None:
    tables = named(fold_tables(("a", "b")))
    single_scores(tables).to_csv(tmp_path / "members.csv", index=False)
    read = pd.read_csv(tmp_path / "members.csv")
    assert read["split"].tolist() == ["val"] * 30 + ["test"] * 30
    unseen = read.loc[read["id"] == "val4", [name for name in read if name.endswith(":a")]]
    assert unseen.notna().to_numpy().sum() == 2  # the members of fold 1
    found = single_predictions(next(iter(tables.values())), read, list(tables))
    for name, table in tables.items():
        assert found[name].frame.equals(table.select("test").frame)


def test_the_document_is_read_as_it_was_written(tmp_path) -> None:
    combination = Combination.of(fold_tables(("a", "b")))
    combination.write(tmp_path / "ensemble.json")
    assert Combination.read(tmp_path / "ensemble.json") == combination
