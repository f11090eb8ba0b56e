"""A run on a part of the data says so, resumes and reports; another part is another run."""

import re

import pandas as pd
import pytest
import yaml

from fixtures.medmnist_format import write_generated

RARE = ["--set", "data.subset.prevalence=0.1", "--set", "data.subset.label_noise=[0,0.5]"]


def test_the_run_tells_what_part_it_was_trained_on(invoke, tmp_path, tiny_phantom) -> None:
    outcome = invoke("train", "phantom2d", *tiny_phantom, *RARE, "--out", "run")
    assert outcome.status == 0, outcome.err
    # 18 of 60 are positive: 42 negatives and 5 positives are a tenth, and half of 5 are made negatives.
    part = "training is 47 of its 60 samples, 2 labels flipped"
    assert "47 / 40 / 60 train/val/test" in outcome.out
    recorded = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recorded["run"]["part"] == part
    assert recorded["data"]["subset"]["prevalence"] == 0.1
    page = (tmp_path / "run" / "report.html").read_text()
    assert part in page
    card = (tmp_path / "run" / "model_card.md").read_text()
    assert re.search(r"train\D*47\D", card), card
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert predictions["split"].value_counts().to_dict() == {"test": 60, "val": 40}
    assert int(predictions[predictions["split"] == "test"]["target"].sum()) == 18

    again = invoke("train", "phantom2d", "--resume", "--out", "run")
    assert again.status == 0, again.err
    other = invoke("train", "phantom2d", "--resume", "--out", "run", "--set", "data.subset.prevalence=0.2")
    assert other.status == 2
    assert "data.subset.prevalence (0.1 -> 0.2)" in other.err


def test_the_report_counts_the_class_that_was_positive(invoke, tmp_path, tiny) -> None:
    """The file's own label 1 is the other class: drawn by it, the subset of the report would be another one."""
    own = write_generated(tmp_path, "breastmnist", size=16)
    options = ["--set", "data.positive_class=0", "--set", "data.subset.prevalence=0.2", "--out", "run"]
    outcome = invoke("train", own, *tiny, *options)
    assert outcome.status == 0, outcome.err
    (used,) = re.findall(r"(\d+) / \d+ / \d+ train/val/test", outcome.out)
    card = (tmp_path / "run" / "model_card.md").read_text()
    assert re.search(rf"train\D*{used}\D", card), card


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("samples=1000", "data.subset of the training split: 1000 samples asked for, it has 60"),
        ("prevalence=0.001", "it leaves 42 samples, none of them positive"),
        ("prevalence=2", "prevalence is 2.0, it must be between 0 and 1"),
        ("label_noise=[0,2]", "label_noise is (0.0, 2.0), it must be 0 to 1"),
        ("sample=5", "unknown key data.subset.sample; did you mean 'samples'?"),
    ],
)
def test_a_part_that_cannot_be_had_is_one_line(invoke, tmp_path, tiny_phantom, setting, complaint) -> None:
    outcome = invoke("train", "phantom2d", *tiny_phantom, "--set", f"data.subset.{setting}")
    assert outcome.status == 2
    assert complaint in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
