"""The page as a browser reads it: well-formed, complete, escaped, and without any address to fetch."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, evaluate
from medauc.report import build_report, write_report

from .conftest import noisy_split

VOID = {"meta", "link", "br", "img"}


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
            if kind == "application/json"
        ]


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
        "Training",
        "Splits",
        "Recipe",
    ):
        assert heading in page.words
    for warning in evaluation.warnings:
        assert warning in page.words
    for point in evaluation.operating_points:
        assert point.specificity.text() in page.words
    assert len(page.figures) == 8  # ROC, PR, scores, calibration, loss, AUC, variables, learning rate


def test_nothing_is_fetched(page):
    for tag, attrs in page.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs)
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
    assert "# <b>bold</b>" in page.words
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
    for heading in ("Operating points", "Training", "Recipe", "Environment"):
        assert heading not in page.words


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
    assert len(page.figures) == 1 + 2 * 4
    assert sum(tag == "details" for tag, _ in page.tags) == 2


def test_an_evaluation_of_another_table_is_refused(predictions, evaluation):
    with pytest.raises(InputError, match="does not belong"):
        build_report(evaluation, predictions.select("test"), title="x")


def test_a_file_that_cannot_be_written_is_named(tmp_path, predictions, evaluation):
    with pytest.raises(InputError, match="absent"):
        write_report(tmp_path / "absent" / "report.html", evaluation, predictions, title="x")


def test_equal_input_makes_equal_pages(predictions, evaluation, material):
    first, second = (build_report(evaluation, predictions, title="x", material=material) for _ in range(2))
    assert first == second
