"""The ledger only grows, whoever writes; what is archived gives the same tables without the run folders."""

import shutil
import subprocess
import sys

import pandas as pd
import pytest

from medauc.benchmark import (
    LEDGER,
    GridRun,
    Row,
    RunSettings,
    add_rows,
    archive,
    build_grid,
    contenders,
    current_title,
    fingerprint,
    kept_recipe,
    read_ledger,
    run_grid,
    summarize,
)
from medauc.benchmark.table import frame
from medauc.errors import InputError
from medauc.training.recipe import Recipe

ROW = Row(
    dataset="breastmnist", size=28, recipe="seed", seed=0, commit="abc", val_auc=0.9, test_auc=0.87, epochs=5,
    epoch_seconds=10, data_modified=False, threads=1, device="cpu", machine="x86_64", predictions="a.csv",
)  # fmt: skip
WRITER = """
import sys
from pathlib import Path
from medauc.benchmark.ledger import Row, add_rows
row = Row.model_validate_json(sys.argv[2])
for place in range(20):
    add_rows(Path(sys.argv[1]), [row.model_copy(update={"predictions": f"{sys.argv[3]}-{place}"})])
"""


def test_rows_come_back_as_they_were(tmp_path):
    assert add_rows(tmp_path / LEDGER, [ROW]) == [ROW]
    assert read_ledger(tmp_path / LEDGER) == [ROW]
    assert add_rows(tmp_path / LEDGER, [ROW, ROW]) == [], "one training is one row"
    more = ROW.model_copy(update={"predictions": "b.csv", "changes": 'loss, "x" (1 -> 2)', "test_low": 0.5})
    add_rows(tmp_path / LEDGER, [more])
    assert read_ledger(tmp_path / LEDGER) == [ROW, more]


def test_two_processes_lose_no_row(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / LEDGER, ROW.model_dump_json(), name])
        for name in ("one", "two")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    found = {row.predictions for row in read_ledger(tmp_path / LEDGER)}
    assert found == {f"{name}-{place}" for name in ("one", "two") for place in range(20)}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("0.87000", "good", "line 2: test_auc"), ("breastmnist,28", "breastmnist,", "line 2: size")],
)
def test_a_broken_line_is_named(tmp_path, old, new, said):
    path = tmp_path / LEDGER
    add_rows(path, [ROW])
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=said):
        read_ledger(path)


def test_titles_tell_what_was_changed():
    changed = ROW.model_copy(update={"changes": "loss.margin (1.0 -> 0.5); augment.scale ([0, 1] -> [0, 2])"})
    assert changed.title == "seed loss.margin=0.5 augment.scale=[0, 2]"
    assert changed.model_copy(update={"name": "mine"}).title == "mine"


def test_fingerprints_tell_recipes_apart():
    names = ["aucm", "pairwise", "focal", "cross_entropy", "ldam"]
    recipes = [Recipe.model_validate({"loss": {"name": name}}) for name in names]
    assert len({fingerprint(recipe) for recipe in recipes}) == len(names), (
        "all keys are defaults, the name is not"
    )


def test_tables_follow_from_the_archive_alone(tmp_path, pretend):
    runs, kept = tmp_path / "runs", tmp_path / "kept"
    grid = build_grid(["phantom2d"], contenders(["default"], (), ["loss.margin=0.5,1.0"]), 3, runs)
    run_grid(GridRun(grid), pretend, RunSettings())
    rows = read_ledger(runs / LEDGER)
    before = summarize(rows, runs)
    assert len(archive(rows, runs, kept)) == 6
    assert archive(rows, runs, kept) == [], "nothing twice"
    shutil.rmtree(runs)
    found = read_ledger(kept / LEDGER)
    after = summarize(found, kept, lambda row: current_title(row, kept))
    assert [one.title for one in after.measured["phantom2d"]] == ["default loss.margin=0.5", "default"]
    left, right = (frame(summary).drop(columns="recipe") for summary in (before, after))
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    (one,), (other,) = before.pairs["phantom2d"], after.pairs["phantom2d"]
    assert (one.p, one.seeds.p) == (other.p, other.seeds.p)
    assert kept_recipe(found[0], kept) == grid.cells[0].recipe.model_copy(update={"description": ""})


def test_an_old_row_without_scores_stands_in_the_table_alone(tmp_path):
    old = ROW.model_copy(update={"predictions": ""})
    other = old.model_copy(update={"recipe": "default", "test_auc": 0.8})
    add_rows(tmp_path / LEDGER, [old, other])
    summary = summarize(read_ledger(tmp_path / LEDGER), tmp_path)
    assert [one.mean for one in summary.measured["breastmnist"]] == [0.87, 0.8]
    assert summary.pairs == {}
    assert "the scores of seed, default were not kept" in summary.notes[0]
