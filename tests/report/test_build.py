"""The page as a browser reads it: well-formed, complete, escaped, and without any address to fetch."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, evaluate, evaluate_runs
from medauc.report import build_report, write_report

from .conftest import noisy_split

VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Collects tags, their attributes, visible text and scripts; checks that elements nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text, self.scripts = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))

    @property
    def figures(self):
        kinds = [attrs.get("type") for tag, attrs in self.tags if tag == "script"]
        return [
            json.loads(script)
            for kind, script in zip(kinds, self.scripts, strict=True)
            if kind == "application/json" and '"layout"' in script
        ]

    @property
    def sliders(self):
        return [json.loads(script) for script in self.scripts if script.startswith('{"threshold"')]


@pytest.fixture
def page(predictions, evaluation, material):
    return Page(build_report(evaluation, predictions, title="Run <7>", material=material))


def test_the_answer_comes_first(page, evaluation):
    point = evaluation.operating_points[0]
    assert page.words.index(evaluation.test.auroc.text()) < 900
    assert f"On 150 test samples of SomeMNIST ({evaluation.test.n_positive} malignant" in page.words
    assert point.sensitivity.text(2) in page.words
    assert evaluation.test.auprc.text() in page.words


def test_every_section_is_there(page, evaluation):
    for heading in (
        "Operating points",
        "Calibration",
        "Most confident errors",
        "Usefulness",
        "Training",
        "Data",
        "Methods",
        "Checklist",
        "Recipe",
        "Environment",
    ):
        assert heading in page.words
    for warning in evaluation.warnings:
        assert warning in page.words
    for point in evaluation.operating_points:
        assert point.specificity.text() in page.words
        assert point.mcc.text() in page.words
        assert point.lr_positive.text(2) in page.words
    for part in evaluation.test.partial:
        assert part.standardized.text() in page.words
    for figures in (evaluation.calibration[0].before, evaluation.calibration[0].after):
        for shown in (
            figures.slope,
            figures.intercept,
            figures.observed_expected,
            figures.brier,
            figures.ece,
        ):
            assert shown.text() in page.words
    assert (
        len(page.figures) == 9
    )  # ROC, PR, scores, calibration, decision, loss, AUC, variables, learning rate


def test_nothing_is_fetched(page):
    for tag, attrs in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert attrs.get(name, "data:").startswith(("data:", "#")), (tag, attrs)
    policy = next(attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; img-src data:;")
    style = next(attrs for tag, attrs in page.tags if tag == "meta" and attrs.get("name") == "viewport")
    assert "width=device-width" in style["content"]


def test_every_figure_and_image_has_a_text_in_its_place(page):
    plots = [attrs for _, attrs in page.tags if attrs.get("class") == "plot"]
    assert len(plots) == len(page.figures)
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 10 for attrs in plots)
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) >= 12
    assert all(attrs["alt"] for attrs in images)


def test_text_from_outside_is_escaped(page):
    assert "Run <7>" in page.words
    assert "description: <b>bold</b>" in page.words
    assert "cpu </table>" in page.words
    assert ("b", {}) not in page.tags


def test_hostile_ids_and_labels_stay_text():
    evil = "</script><script>alert(1)</script>"
    parts = [
        noisy_split(name, labels=[evil, "x"], names=[f"<img>{row}" for row in range(150)])
        for name in ("val", "test")
    ]
    table = Predictions.concatenate(parts)
    page = Page(build_report(evaluate(table), table, title=evil))
    assert not any(script.startswith("alert") for script in page.scripts)
    assert evil in page.words
    assert "<img>" in page.words


def test_a_bare_table_makes_a_page(tmp_path):
    table = noisy_split("test")
    write_report(tmp_path / "report.html", evaluate(table), table, title="reader.csv")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No validation split" in page.words
    assert len(page.figures) == 3
    ids = {attrs.get("id") for _, attrs in page.tags}
    assert {"ranking", "splits", "methods", "checklist", "errors"} <= ids
    assert not {"operating_points", "training", "recipe", "environment", "calibration"} & ids
    assert "We trained" not in page.words
    assert "validation chose none" in page.words


def test_several_labels_each_have_their_figures():
    labels = ["effusion", "mass", "rare"]
    parts = [noisy_split(name, labels=labels) for name in ("val", "test")]
    targets = parts[1].frame["target_rare"]
    parts[1].frame["target_rare"] = np.zeros(len(targets), np.int8)
    table = Predictions.concatenate(parts)
    result = evaluate(table)
    page = Page(build_report(result, table, title="Chest"))
    assert result.test.auroc.text() in page.words
    assert result.test.labels["mass"].auprc.text() in page.words
    assert "one class only" in page.words
    assert len(page.figures) == 1 + 2 * 5
    assert sum(tag == "details" and attrs.get("class") == "panel" for tag, attrs in page.tags) == 2
    assert [len(table["chosen"]) for table in page.sliders] == [
        len({point.threshold for point in result.operating_points if point.label == label})
        for label in labels[:2]
    ]


def test_subgroups_and_runs_are_shown(predictions):
    rng = np.random.default_rng(5)
    scanner = rng.choice(["A", "B"], predictions.n)
    frame = predictions.frame.assign(scanner=scanner)
    frame.loc[frame.query("split == 'test'").index[:6], "scanner"] = "rare"
    table = replace(predictions, frame=frame)
    noisy = frame.assign(score=frame["score"] + rng.normal(size=len(frame)))
    ensemble, result = evaluate_runs({"seed1": table, "seed2": replace(table, frame=noisy)})
    page = Page(build_report(result, ensemble, title="x"))
    assert len(result.subgroups) == 3
    for part in result.subgroups:
        assert f"scanner: {part.value}" in page.words
        assert (part.note or part.discrimination.auroc.text()) in page.words
        for item in part.differences:
            assert item.difference.text() in page.words
    assert "Too few samples to judge scanner rare." in page.words
    assert result.runs[0].mean.text() in page.words
    forest = next(spec for spec in page.figures if "scanner: A" in spec["data"][0].get("y", []))
    assert forest["layout"]["shapes"][0]["x0"] == pytest.approx(result.test.auroc.value, abs=1e-4)


def test_every_link_leads_somewhere_and_headings_descend(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    labelled = {attrs["for"] for tag, attrs in page.tags if tag == "label"}
    assert labelled == {attrs["id"] for tag, attrs in page.tags if tag == "input"}


@pytest.mark.parametrize("labels", [None, [f"finding {number}" for number in range(14)]], ids=["one", "many"])
def test_the_page_stays_small(labels):
    table = Predictions.concatenate(
        [noisy_split("val", labels=labels), noisy_split("test", 1000, labels=labels)]
    )
    assert len(build_report(evaluate(table), table, title="x").encode()) < 6e6


def test_an_evaluation_of_another_table_is_refused(predictions, evaluation):
    with pytest.raises(InputError, match="does not belong"):
        build_report(evaluation, predictions.select("test"), title="x")


def test_a_file_that_cannot_be_written_is_named(tmp_path, predictions, evaluation):
    with pytest.raises(InputError, match="absent"):
        write_report(tmp_path / "absent" / "report.html", evaluation, predictions, title="x")


def test_equal_input_makes_equal_pages(predictions, evaluation, material):
    first, second = (build_report(evaluation, predictions, title="x", material=material) for _ in range(2))
    assert first == second
