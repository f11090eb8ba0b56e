"""Training seeds evaluated as one model, from the command line."""

import json


def test_seeds_make_an_ensemble_and_overwrite_nothing(invoke, tiny_phantom, tmp_path):
    for seed in (0, 1):
        assert invoke("train", "phantom2d", *tiny_phantom, "--seed", seed, "--out", f"seed{seed}").status == 0
    own = tmp_path / "predictions.csv"
    own.write_text("somebody's own\n")
    result = invoke("evaluate", "seed0", "seed1", "--out", "both.json")
    assert result.status == 0, result.err
    content = json.loads((tmp_path / "both.json").read_text())
    singles = [
        json.loads((tmp_path / f"seed{seed}" / "evaluation.json").read_text())["splits"]["test"]["auroc"][
            "value"
        ]
        for seed in (0, 1)
    ]
    assert content["runs"][0]["auroc"] == singles
    assert content["runs"][0]["names"] == ["seed0", "seed1"]
    assert "single runs: mean AUROC" in result.out
    assert not any("differs from" in warning or "same seed" in warning for warning in content["warnings"])
    assert own.read_text() == "somebody's own\n"
    alone = invoke("evaluate", "both_predictions.csv", "--out", "alone.json")
    assert alone.status == 0, alone.err
    read = json.loads((tmp_path / "alone.json").read_text())
    assert read["splits"]["test"]["auroc"] == content["splits"]["test"]["auroc"]
    page = invoke("report", "seed0", "seed1", "--out", "both.html")
    assert page.status == 0, page.err
    assert "2 trainings" in (tmp_path / "both.html").read_text()
    assert (tmp_path / "both_model_card.md").exists()


def test_runs_that_are_no_repetitions_are_told(invoke, tiny_phantom):
    assert invoke("train", "phantom2d", *tiny_phantom, "--out", "a").status == 0
    assert invoke("train", "phantom2d", *tiny_phantom, "--out", "b").status == 0
    other = invoke("train", "phantom2d", *tiny_phantom, "--set", "loss.name=cross_entropy", "--out", "c")
    assert other.status == 0, other.err
    assert "Some runs have the same seed (0, 0)" in invoke("evaluate", "a", "b", "--out", "same.json").out
    told = invoke("evaluate", "a", "c", "--out", "other.json").out
    assert "Run c differs from a in more than the seed" in told
    assert "loss.name (aucm -> cross_entropy)" in told


def test_several_runs_need_a_name_for_what_is_written(invoke, tmp_path):
    (tmp_path / "a.csv").write_text("target,score\n0,1\n0,2\n1,3\n1,2.5\n")
    (tmp_path / "b.csv").write_text("target,score\n0,1\n0,2\n1,3\n1,1.5\n")
    for verb in ("evaluate", "report"):
        result = invoke(verb, "a.csv", "b.csv")
        assert result.status == 2
        assert "several runs need --out" in result.err
