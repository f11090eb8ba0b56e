"""The first screen, the flow of samples and the checklist: what they claim is so."""

from dataclasses import replace

import numpy as np
import pytest

from medauc.evaluation import Predictions, evaluate
from medauc.report.answer import answer, warnings
from medauc.report.checklist import SECTIONS, checklist
from medauc.report.flow import flow, split_flow

from .conftest import noisy_split


def test_the_gravest_warning_comes_first(predictions):
    shared = predictions.frame["id"].where(predictions.frame["split"] == "val", "val-0")
    table = replace(predictions, frame=predictions.frame.assign(group=shared), notes=("Read liberally.",))
    found = warnings(evaluate(table), table)
    assert "occur in both val and test" in found[0]
    assert found[-1].startswith("No subgroups were evaluated")
    assert "Read liberally." not in found


def test_a_subgroup_that_differs_is_told():
    rng = np.random.default_rng(0)
    target = np.tile([0, 1], 400)
    scanner = np.repeat(["old", "new"], 400)
    score = rng.normal(size=800) + 3.0 * target * (scanner == "new")
    table = Predictions.from_arrays(split="test", ids=range(800), targets=target, scores=score)
    table = replace(table, frame=table.frame.assign(scanner=scanner))
    found = [sentence for sentence in warnings(evaluate(table), table) if "differs from the rest" in sentence]
    assert [sentence.split(" differs")[0] for sentence in found] == [
        "Subgroup scanner new",
        "Subgroup scanner old",
    ]


def test_the_answer_without_validation_names_no_operating_point():
    table = noisy_split("test")
    assert "validation chose" not in answer(evaluate(table), "X")
    assert "of X (" in answer(evaluate(table), "X")


def test_several_labels_name_the_ends_of_their_rates():
    rng = np.random.default_rng(0)
    parts = []
    for name in ("val", "test"):
        targets = rng.integers(0, 2, (300, 2))
        scores = targets * [3.0, 1.0] + rng.normal(size=(300, 2))
        ids = [f"{name}{row}" for row in range(300)]
        parts.append(
            Predictions.from_arrays(
                split=name, ids=ids, targets=targets, scores=scores, label_names=["easy", "hard"]
            )
        )
    evaluation = evaluate(Predictions.concatenate(parts))
    easy, hard = (point for point in evaluation.operating_points if point.name == "youden")
    expected = (
        f"sensitivity runs from {hard.sensitivity.value:.2f} (hard) to {easy.sensitivity.value:.2f} (easy)"
    )
    assert expected in answer(evaluation, None)


def test_flow_counts_everyone_once(predictions):
    unscored = {"train": split_flow("train", np.array([0, 1, 1]), np.array(["a", "b", "b"]))}
    found = flow(predictions, unscored)
    assert [split.name for split in found] == ["train", "val", "test"]
    assert (found[0].n_groups, found[0].n_positive) == (2, 2)
    for split in found:
        assert split.n_positive + split.n_negative + split.n_unknown == split.n


def test_the_checklist_claims_only_what_is_there():
    everything = checklist(SECTIONS)
    assert {item.status for item in everything} == {"answered", "in part", "author"}
    assert all(set(item.answered_by) <= set(SECTIONS) for item in everything)
    for missing in SECTIONS:
        for item in checklist(set(SECTIONS) - {missing}):
            assert missing not in item.answered_by
    numbers = [item.item for item in everything if item.guide == "TRIPOD+AI"]
    assert {int(number.rstrip("ab")) for number in numbers} == set(range(1, 28))


@pytest.mark.parametrize("guide", ["TRIPOD+AI", "CLAIM"])
def test_items_are_unique(guide):
    numbers = [item.item for item in checklist(()) if item.guide == guide]
    assert len(set(numbers)) == len(numbers)
    if guide == "CLAIM":
        covered = [
            number
            for item in numbers
            for number in range(int(item.split("-")[0]), int(item.split("-")[-1]) + 1)
        ]
        assert covered == list(range(1, 45))
