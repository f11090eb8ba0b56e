"""The methods paragraph says what was run and nothing else."""

import re
from dataclasses import replace
from typing import get_args

import pytest

from medauc.evaluation import Settings, evaluate, evaluate_runs
from medauc.report import methods_augmentation as sentences
from medauc.report import methods_objective
from medauc.report import methods_paragraph as module
from medauc.report.methods_paragraph import methods_paragraph
from medauc.training.recipe import parse_recipe
from medauc.training.sections.augment import AugmentSection
from medauc.training.sections.evaluation import EvaluationSection
from medauc.training.sections.loss import AnyLoss
from medauc.training.sections.model import ModelName
from medauc.training.sections.optim import AnyOptim


def recipe_of(**sections):
    return parse_recipe(sections, "a test")


def names_of(union):
    sections = get_args(get_args(union)[0])
    return {section.model_fields["name"].default for section in sections}


def test_every_choice_has_words():
    assert names_of(AnyLoss) == set(methods_objective._LOSSES)
    assert names_of(AnyOptim) == set(methods_objective._OPTIMIZERS)
    assert set(get_args(ModelName)) == set(module._NETWORKS)


@pytest.mark.parametrize("loss", sorted(methods_objective._LOSSES))
def test_every_loss_makes_sentences(evaluation, loss):
    found = methods_paragraph(evaluation, recipe_of(loss={"name": loss}), "X", 0)
    assert "{" not in found.text
    assert "None" not in found.text
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", found.text)}
    assert cited == set(range(1, len(found.references) + 1))
    assert len(set(found.references)) == len(found.references)


def test_what_was_switched_on_is_said_and_what_was_not_is_not(evaluation):
    plain = methods_paragraph(evaluation, recipe_of(), "X", 3).text
    assert "Training images were not augmented." in plain
    assert "random seed 3" in plain
    for absent in ("mirror", "averaged weights", "never splitting", "ACS", "weights "):
        assert absent not in plain.replace("weight decay", "")
    rich = recipe_of(
        augment={"flip": 0.5, "rotation": 15, "noise": 0.1},
        model={"conversion": "acs", "weights": "/home/someone/start.safetensors"},
        sampling={"keep_groups": True, "positive_share": 0.25, "batch_size": 32},
        training={"weight_averaging": "ema", "patience": None, "max_epochs": 7},
        optim={"schedule": {"name": "stages", "epochs": [3, 5]}},
        evaluation={"test_time_augmentation": "flips"},
    )
    text = methods_paragraph(evaluation, rich, "X", 3).text
    for present in (
        "mirroring, rotation and noise",
        "(ACS)",
        "start.safetensors",
        "Batches held 32 images, of which 25% were positive",
        "never splitting a patient",
        "at most 7 epochs (random seed 3)",
        "exponentially averaged weights (decay 0.99)",
        "lowered by a factor of 10 after epochs 3, 5",
        "averaged over their mirror images",
    ):
        assert present in text
    assert "/home" not in text


def test_a_table_from_elsewhere_has_the_evaluation_half(predictions, evaluation):
    found = methods_paragraph(evaluation, None, None, None).text
    assert found.startswith("Discrimination on the 150 test samples")
    assert evaluation.test.auroc.method in found
    assert "Platt scaling" in found
    bare = evaluate(predictions.select("test"))
    text = methods_paragraph(bare, None, None, None).text
    for absent in ("Thresholds", "Platt", "decision curves", "Subgroups"):
        assert absent not in text


def test_runs_say_on_which_split_their_scale_was_taken(predictions):
    for part, where in ((predictions, "validation"), (predictions.select("test"), "test")):
        _, ensemble = evaluate_runs({"a": part, "b": part})
        assert f"standard deviation on {where} and" in methods_paragraph(ensemble, None, None, None).text


def test_methods_follow_the_evaluation(predictions):
    grouped = replace(
        predictions,
        frame=predictions.frame.assign(group=predictions.frame["id"].str[:-1], sex=["f", "m"] * 150),
    )
    found = methods_paragraph(evaluate(grouped, Settings(calibration="isotonic")), None, None, None)
    assert "by group" in found.text
    assert any("Obuchowski" in reference for reference in found.references)
    assert "isotonic regression" in found.text
    assert "Subgroups by sex" in found.text


def test_every_key_of_augment_and_every_kind_of_copies_has_words():
    worded = {"flip", "quarter_turns", *sentences.TURNS, *sentences.LOOKS}
    assert set(AugmentSection().options()) - worded == {"elastic_spacing", "warp_share", "padding"}
    kinds = get_args(EvaluationSection.model_fields["test_time_augmentation"].annotation)
    assert set(kinds) - set(sentences.COPIES) == {"none"}


@pytest.mark.parametrize(
    ("sections", "present", "absent"),
    [
        (
            {"augment": {"elastic": 0.05, "rotation": 10, "warp_share": 0.8, "erase": 0.2}},
            "by rotation, elastic deformation and erasing of a box (those that interpolate in 80% of the images).",
            "mixed",
        ),
        ({"augment": {"noise": 0.1, "warp_share": 0.8}}, "changed at random by noise.", "interpolate"),
        (
            {"augment": {"mixup": 0.4}},
            "Pairs of images of the same class were mixed, with shares from Beta(0.4, 0.4)",
            "not augmented",
        ),
        (
            {"augment": {"mixup": 0.4, "mixup_partners": "any"}},
            "Pairs of training images and their targets were mixed",
            "same class",
        ),
        (
            {"evaluation": {"test_time_augmentation": "octahedral"}},
            "averaged over all orientations",
            "random",
        ),
        ({"evaluation": {"test_time_augmentation": "random"}}, "averaged over 16 copies", "mirror"),
    ],
)
def test_changes_mixtures_and_copies_are_said(evaluation, sections, present, absent):
    text = methods_paragraph(evaluation, recipe_of(**sections), "X", None).text
    assert present in text
    assert absent not in text.replace("in random order", "")


def test_two_stages_are_told_apart(evaluation):
    recipe = recipe_of(
        first_stage={
            "loss": {"label_smoothing": 0.1},
            "optim": {"lr": 0.003, "schedule": {"name": "cosine", "warmup_epochs": 2}},
            "max_epochs": 12,
        },
        optim={"lr": 0.05, "sam_radius": 0.1},
        training={"max_epochs": 30, "patience": 6, "weight_averaging": "swa"},
        sampling={"batch_size": 48},
    )
    found = methods_paragraph(evaluation, recipe, "X", 3)
    first, second = found.text.split("In the second stage")
    assert "two stages, of which the second started from the weights that the first had kept" in first
    assert "by minimising cross-entropy with label smoothing of 0.1" in first
    assert "AdamW" in first
    assert "learning rate 0.003 (falling along a cosine after a linear rise over 2 epochs)" in first
    assert "held 48 images, drawn without replacement" in first
    assert "AUC-margin loss" in second
    assert "sharpness-aware minimisation (radius 0.1)" in second
    assert "held 48 images, of which 50% were positive" in second
    assert (
        "at most 12 epochs in the first stage and at most 30 epochs, stopping after 6 epochs without improvement in "
        "the second (random seed 3); the epoch of both stages of stochastically averaged weights"
    ) in second
    for author in ("Foret", "Izmailov", "Szegedy"):
        assert any(author in reference for reference in found.references)


def test_last_weights_are_not_called_the_best(evaluation):
    recipe = recipe_of(training={"selection": "last", "patience": None, "max_epochs": 9})
    text = methods_paragraph(evaluation, recipe, "X", None).text
    assert "ran for 9 epochs; the last epoch was kept" in text
    assert "largest area under the ROC curve on validation" not in text
