"""Every number of the tables against an independent computation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from medauc.benchmark import (
    LEDGER,
    GridRun,
    RunSettings,
    Summary,
    build_grid,
    contenders,
    markdown,
    read_ledger,
    run_grid,
    summarize,
    write_summary,
)
from medauc.benchmark.table import frame
from medauc.metrics import delong_interval, delong_test, holm, seed_difference, seed_interval

MARGINS = (0.4, 0.8, 1.6)
SEEDS = range(4)


@pytest.fixture(scope="module")
def grid_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("grid")


@pytest.fixture(scope="module")
def measured(grid_folder, pretend_module) -> Summary:
    variations = [f"loss.margin={','.join(map(str, MARGINS))}"]
    grid = build_grid(
        ["phantom2d", "phantom3d_16"], contenders(["default"], (), variations), len(SEEDS), grid_folder
    )
    run_grid(GridRun(grid), pretend_module, RunSettings())
    summary = write_summary(grid_folder)
    assert summary is not None
    return summary


def tables(folder, margin) -> dict[int, pd.DataFrame]:
    return {
        seed: pd.read_csv(
            folder / "phantom2d" / f"default-loss.margin={margin}-seed{seed}" / "predictions.csv"
        )
        for seed in SEEDS
    }


def ensemble(folder, margin) -> tuple[np.ndarray, np.ndarray]:
    """Targets and mean standardised score of test."""
    total = 0
    for table in tables(folder, margin).values():
        part = table[table.split == "test"].sort_values("id")
        total = total + part.score.to_numpy() / table[table.split == "val"].score.std(ddof=0)
    return part.target.to_numpy(), total


def test_figures_of_each_recipe(measured, grid_folder):
    found = frame(measured)
    for margin in MARGINS:
        row = found[(found.dataset == "phantom2d") & (found.recipe == f"default loss.margin={margin}")].iloc[
            0
        ]
        parts = [
            table[table.split == "test"].sort_values("id") for table in tables(grid_folder, margin).values()
        ]
        aucs = np.array([roc_auc_score(part.target, part.score) for part in parts])
        assert row.test_auc == pytest.approx(aucs.mean(), abs=1e-5)
        assert row.sd == pytest.approx(aucs.std(ddof=1), abs=1e-5)
        low, high = stats.t.interval(0.95, len(aucs) - 1, aucs.mean(), stats.sem(aucs))
        assert (row.seeds_low, row.seeds_high) == pytest.approx((low, min(1, high)), abs=2e-5)
        both = seed_interval(parts[0].target, np.stack([part.score for part in parts])).auc
        assert (row.seeds_and_cases_low, row.seeds_and_cases_high) == pytest.approx(
            (both.low, both.high), abs=1e-9
        )
        target, score = ensemble(grid_folder, margin)
        joined = delong_interval(target, score)
        assert (row.ensemble_auc, row.ensemble_low, row.ensemble_high) == pytest.approx(
            tuple(joined), abs=1e-9
        )
        assert (row.epochs, row.minutes, row.seeds) == (2, 0.5, "0 1 2 3")


def test_paired_tests(measured, grid_folder):
    pairs = measured.pairs["phantom2d"]
    ensembles = {f"default loss.margin={margin}": ensemble(grid_folder, margin) for margin in MARGINS}
    scores = {
        f"default loss.margin={margin}": np.stack(
            [
                table[table.split == "test"].sort_values("id").score
                for table in tables(grid_folder, margin).values()
            ]
        )
        for margin in MARGINS
    }
    target = ensembles["default loss.margin=0.4"][0]
    expected = [delong_test(target, ensembles[pair.first][1], ensembles[pair.second][1])[1] for pair in pairs]
    assert [pair.p for pair in pairs] == pytest.approx(expected, abs=1e-9)
    assert [pair.p_holm for pair in pairs] == pytest.approx(holm(expected).tolist(), abs=1e-9)
    over = [seed_difference(target, scores[pair.first], scores[pair.second]) for pair in pairs]
    assert [pair.seeds.p for pair in pairs] == pytest.approx([one.p for one in over])
    assert [pair.seeds_p_holm for pair in pairs] == pytest.approx(holm([one.p for one in over]).tolist())
    assert pairs[1].seeds.difference.high < 0 < pairs[1].seeds.spread, "0.4 against 1.6 is no close call"


def test_paired_tests_against_one_recipe(measured, grid_folder):
    one = "default loss.margin=0.8"
    against = summarize(read_ledger(grid_folder / LEDGER), grid_folder, against=one).pairs["phantom2d"]
    expected = [pair for pair in measured.pairs["phantom2d"] if one in (pair.first, pair.second)]
    assert [(pair.first, pair.second) for pair in against] == [(pair.first, pair.second) for pair in expected]
    assert len(against) == 2
    assert [pair.p_holm for pair in against] == holm([pair.p for pair in expected]).tolist()
    assert [pair.seeds_p_holm for pair in against] == holm([pair.seeds.p for pair in expected]).tolist()


def test_ranks(measured):
    found = frame(measured)
    means = found.pivot(index="dataset", columns="recipe", values="test_auc")
    ranks = means.rank(axis=1, ascending=False)
    assert measured.standing is not None
    assert measured.standing.ranks.mean.tolist() == ranks.mean()[list(measured.standing.titles)].tolist()
    test = stats.friedmanchisquare(*(means[title] for title in means))
    assert measured.standing.ranks.chi2 == pytest.approx(test.statistic)
    assert measured.standing.ranks.p == pytest.approx(test.pvalue)
    assert found["rank"].tolist() == [ranks.loc[one.dataset, one.recipe] for one in found.itertuples()]


def test_the_page_says_what_is_lacking(measured):
    page = markdown(measured)
    assert "Not measured: pneumoniamnist, breastmnist" in page
    assert "With 2 data sets this test can show little." in page
    assert page.count("### phantom") == 2


def test_a_table_of_one_seed_has_delongs_interval(tmp_path, pretend):
    grid = build_grid(["phantom2d"], contenders(["default"]), 1, tmp_path)
    run_grid(GridRun(grid), pretend, RunSettings())
    summary = write_summary(tmp_path)
    assert summary is not None
    row, found = read_ledger(tmp_path / LEDGER)[0], frame(summary).iloc[0]
    assert (found.seeds_and_cases_low, found.seeds_and_cases_high) == (row.test_low, row.test_high)
    assert pd.isna(found.sd)
    assert pd.isna(found.ensemble_auc)
    assert summary.standing is None
    assert write_summary(tmp_path / "nothing") is None


def test_recipes_with_other_targets_are_not_compared(tmp_path, pretend):
    grid = build_grid(["phantom2d"], contenders(["default"], (), ["loss.margin=0.5,1.0"]), 1, tmp_path)
    run_grid(GridRun(grid), pretend, RunSettings())
    path = grid.cells[0].folder / "predictions.csv"
    table = pd.read_csv(path)
    table["target"] = 1 - table.target
    table.to_csv(path, index=False)
    summary = write_summary(tmp_path)
    assert summary is not None
    assert summary.pairs == {}
    assert "no paired tests: the target of 80 of 80 samples is not the same" in summary.notes[0]
