"""Two trainings of one data set, compared by the real command."""

import json
from pathlib import Path


def test_two_runs(invoke, command, tmp_path: Path, tiny_phantom) -> None:
    for seed in (0, 1):
        out = f"runs/seed{seed}"
        assert invoke("train", "phantom2d", *tiny_phantom, "--seed", str(seed), "--out", out).status == 0
    done = command("compare", "runs/seed0", "runs/seed1", "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert "seed0 - seed1" in done.stdout
    assert done.stderr == ""
    found = json.loads((tmp_path / "comparison.json").read_text())
    for name, model in zip(("seed0", "seed1"), found["labels"][0]["ranking"]["models"], strict=True):
        run = json.loads((tmp_path / "runs" / name / "evaluation.json").read_text())
        assert model["name"] == name
        assert abs(model["auroc"]["value"] - run["splits"]["test"]["auroc"]["value"]) < 1e-12
    page = (tmp_path / "page.html").read_text()
    assert "seed0, seed1" in page
    assert page.count("://") == page.split("<script>")[1].count("://")  # only inside plotly.js
