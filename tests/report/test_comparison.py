"""The page of a comparison: complete, escaped, with nothing to fetch."""

import json

import numpy as np
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, align, compare, disagreements
from medauc.report import build_comparison_report, write_comparison_report
from medauc.report.comparison import answer
from medauc.report.comparison_plots import forest, rank_plot, roc_overlay

from .conftest import noisy_split
from .test_build import Page


def model(seed, labels=None, splits=("val", "test")):
    parts = []
    for split in splits:
        table = noisy_split(split, labels=labels)
        for name in [name for name in table.frame if name.startswith("score")]:
            table.frame[name] += 1.5 * np.random.default_rng(seed).normal(size=table.n)
        parts.append(table)
    return Predictions.concatenate(parts)


def page_of(tables, **options):
    aligned = align(tables)
    comparison = compare(aligned, **options)
    return (
        comparison,
        aligned,
        Page(build_comparison_report(comparison, aligned, disagreements(aligned, comparison))),
    )


@pytest.fixture(scope="module")
def two():
    return page_of({"A": model(0), "<b>B</b> & co": model(1)}, margin=0.05)


def test_every_figure_stands_in_the_text(two):
    comparison, _, page = two
    panel = comparison.labels[0]
    for shown in (
        *(one.auroc for one in panel.ranking.models),
        *(one.auprc for one in panel.ranking.models),
        *(one.difference for one in panel.ranking.differences),
        *(one.sensitivity for one in panel.points),
        *(one.difference for one in panel.calls),
    ):
        assert shown.text() in page.words
    assert answer(comparison) in page.words
    assert all(warning in page.words for warning in comparison.warnings)


def test_names_are_text_and_nothing_is_fetched(two):
    page = two[2]
    assert "<b>B</b> & co" in page.words
    assert "b" not in {tag for tag, _ in page.tags}
    addresses = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href")]
    assert all(address.startswith("data:") for address in addresses)
    assert "<b>" not in json.dumps(page.figures)


def test_figures_are_labelled_and_drawn(two):
    page = two[2]
    drawn = [attrs for tag, attrs in page.tags if tag == "div" and attrs.get("class") == "plot"]
    assert len(drawn) == len(page.figures) == 4
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 20 for attrs in drawn)


def test_the_cases_of_disagreement_are_listed(two):
    comparison, aligned, page = two
    cases = disagreements(aligned, comparison)
    assert len(cases) > 0
    assert all(name in page.words for name in cases["id"][:50])
    assert f"{len(cases)} cases that the models call differently" in page.words


def test_several_labels_have_a_panel_each():
    labels = ["edema", "mass"]
    comparison, _, page = page_of({"A": model(0, labels), "B": model(1, labels)})
    summaries = [attrs for tag, attrs in page.tags if tag == "summary"]
    assert len(summaries) == 2
    assert comparison.mean.differences[0].difference.text() in page.words
    assert len(page.figures) == 1 + 2 * 3
    assert page.figures[0]["data"][0]["y"] == ["edema", "mass", "mean"]


def test_without_validation_the_page_has_no_calls():
    comparison, _, page = page_of({name: model(seed, splits=("test",)) for seed, name in enumerate("ABC")})
    assert comparison.labels[0].calls == []
    assert "that the models rank most differently" in page.words
    assert "McNemar's exact test; Holm" not in page.words
    assert comparison.labels[0].ranking.overall is not None
    assert "All equal: p" in page.words


def test_the_answer_claims_no_more_than_the_test():
    for seed in range(4):
        comparison = compare(align({"A": model(0), "B": model(seed + 1)}))
        only = comparison.labels[0].ranking.differences[0]
        if only.p <= 0.05:
            lead = "A" if only.z > 0 else "B"
            assert answer(comparison).startswith(f"{lead} ranks better than ")
        else:
            assert answer(comparison).startswith("These samples do not tell A and B apart")
        three = compare(align({"A": model(0), "B": model(seed + 1), "C": model(seed + 9)}))
        told = [one for one in three.labels[0].ranking.differences if one.p_holm <= 0.05]
        assert ("no pair differs" in answer(three)) == (not told)
        assert answer(three).count(" is above ") == len(told)


def test_curves_pass_through_the_operating_points(two):
    comparison, aligned, _ = two
    points = [point for point in comparison.labels[0].points if point.point == "youden"]
    spec = roc_overlay(aligned.target(None), aligned.scores(None), aligned.names, points, 0.95)
    marks = [trace for trace in spec["data"] if trace["mode"] == "markers"]
    curves = [trace for trace in spec["data"] if trace["mode"] == "lines" and "fill" not in trace][1:]
    bands = [trace for trace in spec["data"] if "fill" in trace]
    assert (len(marks), len(curves), len(bands)) == (2, 2, 2)
    for mark, curve in zip(marks, curves, strict=True):
        distance = np.hypot(np.subtract(curve["x"], mark["x"][0]), np.subtract(curve["y"], mark["y"][0]))
        assert distance.min() < 0.02
    assert len({curve["line"]["dash"] for curve in curves}) == 2


def test_forest_holds_differences_zero_and_margin(two):
    found = two[0].labels[0].ranking.differences[0].difference
    spec = forest([("A - B", found)], "difference", margin=0.05)
    trace = spec["data"][0]
    assert trace["x"][0] == pytest.approx(found.value, rel=1e-4)
    assert trace["x"][0] + trace["error_x"]["array"][0] == pytest.approx(found.high, rel=1e-3)
    assert [shape["x0"] for shape in spec["layout"]["shapes"]] == [0.0, 0.05]


def test_a_large_scatter_is_thinned_but_keeps_the_widest():
    rng = np.random.default_rng(0)
    target, scores = rng.integers(0, 2, 20_000), rng.normal(size=(2, 20_000))
    scores[:, 0] = (9, -9)
    spec = rank_plot(target, scores, ["A", "B"], "positive")
    x = np.concatenate([trace["x"] for trace in spec["data"][1:]])
    y = np.concatenate([trace["y"] for trace in spec["data"][1:]])
    assert 1000 <= x.size <= 2000
    assert np.max(x - y) > 0.999


def test_a_page_that_cannot_be_written_is_named(two, tmp_path):
    comparison, aligned, _ = two
    with pytest.raises(InputError, match=r"absent.*cannot be written"):
        write_comparison_report(
            tmp_path / "absent" / "x.html", comparison, aligned, disagreements(aligned, comparison)
        )
