"""What the figures draw, read from their specifications."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medauc.evaluation import evaluate
from medauc.metrics import average_precision
from medauc.report import plots
from medauc.report.forest_plots import label_plot, subgroup_plot
from medauc.report.probability_plots import calibration_plot, decision_plot
from medauc.report.training_plots import history_plots


def trace(spec, name):
    return next(trace for trace in spec["data"] if trace.get("name", "").startswith(name))


@pytest.fixture
def test_part(predictions):
    part = predictions.select("test")
    return part.target(), part.score()


def test_roc_curve_has_its_area_and_its_points(test_part, evaluation):
    spec = plots.roc_plot(*test_part, evaluation.operating_points, 0.95)
    curve = trace(spec, "ROC")
    assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(roc_auc_score(*test_part), abs=1e-3)
    point = evaluation.operating_points[0]
    marker = trace(spec, "youden")
    assert marker["x"] == [pytest.approx(1 - point.specificity.value, abs=1e-4)]
    assert marker["y"] == [pytest.approx(point.sensitivity.value, abs=1e-4)]
    symbols = [item["marker"]["symbol"] for item in spec["data"] if "marker" in item]
    assert len(set(symbols)) == len(symbols)  # told apart without colour


def test_precision_recall_steps_have_their_area(test_part):
    curve = trace(plots.precision_recall_plot(*test_part), "precision")
    area = np.diff(curve["x"]) @ np.array(curve["y"][1:])
    assert curve["line"]["shape"] == "vh"
    assert area == pytest.approx(average_precision(*test_part), abs=1e-3)


def test_long_curves_are_thinned():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 30_000).astype(np.int8)
    score = target + rng.normal(size=30_000)
    curve = trace(plots.roc_plot(target, score, [], 0.95), "ROC")
    assert len(curve["x"]) <= 1000
    assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(roc_auc_score(target, score), abs=1e-3)


def test_histogram_bars_add_up_to_one_class_each(test_part, evaluation):
    spec = plots.score_plot(*test_part, evaluation.operating_points, "malignant")
    for name in ("negative", "malignant"):
        assert sum(trace(spec, name)["y"]) == pytest.approx(1, abs=1e-3)
    assert trace(spec, "malignant")["marker"]["pattern"]["shape"]
    drawn = [item["x"][0] for item in spec["data"] if item.get("type") != "bar" and "meta" not in item]
    assert drawn == pytest.approx([point.threshold for point in evaluation.operating_points], rel=1e-4)


def test_operating_points_with_one_threshold_share_an_entry(test_part, evaluation):
    first, second, third = evaluation.operating_points
    merged = [first, second.model_copy(update={"threshold": first.threshold}), third]
    names = [item["name"] for item in plots.roc_plot(*test_part, merged, 0.95)["data"]]
    assert f"{first.name} = {second.name}" in names
    assert first.name not in names


def test_calibration_plot_shows_the_reported_error(test_part, evaluation):
    fit = evaluation.calibration[0]
    spec = calibration_plot(*test_part, fit)
    for name, error in (("before", fit.before.ece), ("after", fit.after.ece)):
        drawn = trace(spec, f"bins {name}")
        gaps, counts = np.abs(np.subtract(drawn["x"], drawn["y"])), np.array(drawn["customdata"])
        assert gaps @ counts / counts.sum() == pytest.approx(error.value, abs=1e-3)


def test_label_plot_has_intervals(evaluation, test_part):
    found = evaluation.test
    several = found.model_copy(
        update={"labels": {"a <b>": found, "b": found.model_copy(update={"auroc": None})}}
    )
    dots = label_plot(evaluation, several)["data"][0]
    assert dots["y"] == ["a &lt;b&gt;", "mean"]
    assert dots["x"][0] + dots["error_x"]["array"][0] == pytest.approx(found.auroc.high, abs=1e-4)
    assert dots["x"][0] - dots["error_x"]["arrayminus"][0] == pytest.approx(found.auroc.low, abs=1e-4)


def test_history_marks_the_best_epoch_and_leaves_out_what_is_missing(material):
    figures = {title: spec for title, _, spec in history_plots(material.history)}
    assert list(figures) == ["Loss", "AUC", "Variables of the loss", "Learning rate"]
    assert trace(figures["AUC"], "best validation, epoch 2")["x"] == [2]
    assert trace(figures["Variables of the loss"], "alpha")["y"][0] is None
    bare = material.history.assign(a=np.nan, b=np.nan, alpha=np.nan)
    assert "Variables of the loss" not in [title for title, _, _ in history_plots(bare)]


def test_history_of_two_stages_shows_where_the_second_begins_and_what_was_kept(material):
    auc = [0.6, 0.8, 0.8, 0.8, 0.7]
    history = pd.DataFrame(
        {"stage": [1, 1, 1, 2, 2], "epoch": range(5), "loss": 0.5, "train_auc": 0.5, "val_auc": auc}
    )
    figures = {title: spec for title, _, spec in history_plots(history)}
    for spec in figures.values():
        assert [shape["x0"] for shape in spec["layout"]["shapes"]] == [2.5]
    assert trace(figures["AUC"], "best validation, epoch 2")["x"] == [2]  # the second stage only ties
    better = history.assign(val_auc=[0.6, 0.8, 0.8, 0.9, 0.9])
    assert trace({t: s for t, _, s in history_plots(better)}["AUC"], "best validation, epoch 4")["x"] == [4]
    assert history_plots(material.history)[0][2]["layout"]["shapes"] == []


def test_decision_curve_is_the_evaluated_one(evaluation):
    found = evaluation.net_benefit[0]
    spec = decision_plot(found)
    assert trace(spec, "by the model")["y"] == pytest.approx(found.net_benefit, rel=1e-4)
    assert trace(spec, "treat all")["y"] == pytest.approx(found.treat_all, rel=1e-4)
    assert set(trace(spec, "treat none")["y"]) == {0.0}


def test_flagged_subgroups_stand_out_without_colour(predictions):
    columns = {"scanner": np.tile(["A", "B"], predictions.n // 2)}
    result = evaluate(replace(predictions, frame=predictions.frame.assign(**columns)))
    first, second = (
        part.model_copy(update={"differences": [part.differences[0].model_copy(update={"flagged": flagged})]})
        for part, flagged in zip(result.subgroups, (True, False), strict=True)
    )
    dots = subgroup_plot([first, second], result.test.auroc, 0.95)["data"][0]
    assert dots["y"] == ["scanner: A", "scanner: B", "all"]
    assert dots["marker"]["symbol"] == ["diamond", "circle", "circle"]
