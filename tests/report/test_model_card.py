"""The model card: the sections people expect, the figures of the evaluation, nothing claimed that is not there."""

import pytest

from medauc.errors import InputError
from medauc.evaluation import evaluate
from medauc.report import model_card, write_model_card

from .conftest import noisy_split

SECTIONS = (
    "Model details",
    "Intended use",
    "Data",
    "Metrics",
    "Operating points",
    "Calibration",
    "Subgroups",
    "Caveats and recommendations",
    "Environment",
)


def test_sections_and_figures(predictions, evaluation, material):
    card = model_card(evaluation, predictions, title="Run 7", material=material)
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == list(SECTIONS)
    for point in evaluation.operating_points:
        assert f"| {point.name} | {point.threshold:.4g} | {point.sensitivity.text()} |" in card
    fit = evaluation.calibration[0]
    for shown in (evaluation.test.auroc, evaluation.test.auprc, fit.before.slope, fit.after.brier):
        assert shown.text() in card
    for warning in evaluation.warnings:
        assert f"* {warning}" in card
    assert "We trained a ResNet-18" in card
    assert "random seed 7" in card


def test_every_table_is_square(predictions, evaluation, material):
    card = model_card(evaluation, predictions, title="x", material=material)
    for block in card.split("\n\n"):
        if block.startswith("|"):
            assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1


def test_text_from_outside_is_text(material):
    labels = ["a|b", "<i>"]
    table = noisy_split("test", labels=labels)
    card = model_card(evaluate(table), table, title="# <b>", material=material)
    assert card.startswith("# \\# \\<b\\>\n")
    assert "| AUROC of a\\|b |" in card
    assert "<i>" not in card


def test_a_bare_table_claims_no_training():
    table = noisy_split("test")
    card = model_card(evaluate(table), table, title="reader.csv")
    assert "We trained" not in card
    assert "what made the scores" in card
    assert "## Operating points" not in card
    assert "None were evaluated" in card


def test_another_table_is_refused_and_a_bad_path_named(tmp_path, predictions, evaluation):
    with pytest.raises(InputError, match="does not belong"):
        model_card(evaluation, predictions.select("test"), title="x")
    with pytest.raises(InputError, match="absent"):
        write_model_card(tmp_path / "absent" / "card.md", evaluation, predictions, title="x")
