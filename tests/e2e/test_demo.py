"""The first thing a user runs, and what the shipped recipes promise; minutes each."""

import json

import pytest

from medauc.data import CATALOG


@pytest.mark.slow
def test_demo_comes_near_the_ideal_observer(invoke, tmp_path) -> None:
    outcome = invoke("demo", "--device", "cpu")
    assert outcome.status == 0, outcome.err
    assert "best AUC that any observer can reach on this phantom: 0.950" in outcome.out
    (evaluation,) = tmp_path.glob("runs/*/*/evaluation.json")
    auroc = json.loads(evaluation.read_text())["splits"]["test"]["auroc"]
    assert auroc["value"] > 0.5 + 0.9 * (0.950 - 0.5)
    assert evaluation.with_name("report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adrenalmnist3d", "vesselmnist3d", "pneumoniamnist"])
def test_default_recipe_beats_what_was_reported_for_the_seed(
    invoke, tmp_path, medmnist_dir, name: str
) -> None:
    outcome = invoke("train", name, "--data-dir", medmnist_dir, "--out", "run", "--device", "cpu")
    assert outcome.status == 0, outcome.err
    auroc = json.loads((tmp_path / "run" / "evaluation.json").read_text())["splits"]["test"]["auroc"]
    seed = CATALOG[name].seed_result
    assert seed is not None
    assert auroc["value"] > seed.auc
