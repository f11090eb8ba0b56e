"""The figures of an evaluation, where they come from, and what is said about them."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions, Settings, evaluate, summary_lines
from medauc.metrics import (
    brier_score,
    delong_interval,
    platt_apply,
    platt_fit,
    threshold_at_least_cost,
    threshold_at_sensitivity,
    wilson_interval,
    youden_threshold,
)


def test_discrimination_of_each_split(both):
    result = evaluate(both)
    for name in ("val", "test"):
        part = both.select(name)
        found = result.splits[name]
        assert (found.n, found.n_positive) == (part.n, part.target().sum())
        assert found.auroc.value == pytest.approx(roc_auc_score(part.target(), part.score()))
        assert (found.auroc.value, found.auroc.low, found.auroc.high) == delong_interval(
            part.target(), part.score()
        )
        assert found.auprc.value == pytest.approx(average_precision_score(part.target(), part.score()))
        assert found.auprc.low < found.auprc.value < found.auprc.high
        assert found.prevalence == pytest.approx(part.target().mean())


def test_thresholds_come_from_validation_and_rates_from_test(both):
    result = evaluate(both, Settings(target_sensitivity=0.8, confidence=None))
    val, test = both.select("val"), both.select("test")
    points = {point.name: point for point in result.operating_points}
    assert list(points) == ["youden", "specificity 0.90", "sensitivity 0.80"]
    assert points["youden"].threshold == youden_threshold(val.target(), val.score())
    point = points["sensitivity 0.80"]
    assert point.threshold == threshold_at_sensitivity(val.target(), val.score(), 0.8)
    tn, fp, fn, tp = confusion_matrix(test.target(), test.score() >= point.threshold).ravel()
    assert (point.tn, point.fp, point.fn, point.tp) == (tn, fp, fn, tp)
    for figure, hits, of in (
        (point.sensitivity, tp, tp + fn),
        (point.specificity, tn, tn + fp),
        (point.ppv, tp, tp + fp),
        (point.npv, tn, tn + fn),
    ):
        low, high = map(float, wilson_interval(hits, of))
        assert (figure.value, figure.low, figure.high) == pytest.approx((hits / of, low, high))
        assert (figure.method, figure.level, figure.n) == ("Wilson", 0.95, of)


def test_test_scores_decide_no_threshold(both, make_split):
    """Whatever happens on test, thresholds and the calibration map stay."""
    other = Predictions.concatenate([both.select("val"), make_split("test", n=90, seed=9)])
    first, second = evaluate(both), evaluate(other)
    assert [p.threshold for p in first.operating_points] == [p.threshold for p in second.operating_points]
    assert first.calibration[0].map == second.calibration[0].map


def test_calibration_is_fitted_on_validation_and_judged_on_test(both):
    fit = evaluate(both).calibration[0]
    val, test = both.select("val"), both.select("test")
    slope, intercept = platt_fit(val.target(), val.score())
    assert fit.map == {"method": "platt", "slope": slope, "intercept": intercept}
    after = platt_apply(test.score(), slope, intercept)
    assert fit.after.brier.value == pytest.approx(brier_score(test.target(), after))
    assert fit.uncalibrated == "logistic(score)"
    assert fit.after.brier.value < fit.before.brier.value
    assert fit.after.ece.low <= fit.after.ece.value <= fit.after.ece.high
    assert evaluate(both, Settings(calibration="none")).calibration == []


def test_scores_that_are_probabilities_are_taken_as_such(make_split):
    rng = np.random.default_rng(0)
    parts = [make_split(name, scores=rng.random(200)) for name in ("val", "test")]
    fit = evaluate(Predictions.concatenate(parts)).calibration[0]
    test = parts[1]
    assert fit.uncalibrated == "score"
    assert fit.before.brier.value == pytest.approx(brier_score(test.target(), test.score()))


def test_without_validation_nothing_is_chosen(make_split):
    result = evaluate(make_split("test"))
    assert result.operating_points == []
    assert result.calibration == []
    assert any("No validation split" in warning for warning in result.warnings)


def test_a_one_class_validation_is_told(make_split):
    val = make_split("val", targets=np.zeros(200, int))
    result = evaluate(Predictions.concatenate([val, make_split("test")]))
    assert result.operating_points == []
    assert result.splits["val"].auroc is None
    assert any("Validation lacks a class: no operating points" in warning for warning in result.warnings)


def test_a_one_class_test_split_is_an_error(make_split):
    with pytest.raises(InputError, match="it has 0 positives and 200 negatives"):
        evaluate(make_split("test", targets=np.zeros(200, int)))
    with pytest.raises(InputError, match="no row with split 'test'"):
        evaluate(make_split("val"))
    with pytest.raises(InputError, match="no label with both"):
        evaluate(make_split("test", labels=["a"], targets=np.zeros((200, 1), int)))


@pytest.mark.parametrize(
    "options", [{"level": 1.0}, {"target_specificity": 0.0}, {"target_sensitivity": 95}], ids=str
)
def test_shares_out_of_range_are_named(both, options):
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        evaluate(both, Settings(**options))


def test_few_cases_get_bounds_and_a_warning(make_split):
    targets = np.zeros(200, int)
    targets[:3] = 1
    scores = np.arange(200, 0, -1.0)
    scores[2] = 100.5
    result = evaluate(make_split("test", targets=targets, scores=scores))
    assert result.test.auroc.low < 0.4
    assert result.test.auprc.method.startswith("least AUPRC")
    assert any("only 3 positives" in warning for warning in result.warnings)


def test_a_perfect_score_claims_no_certainty(make_split):
    targets = np.arange(200) % 2
    result = evaluate(make_split("test", targets=targets, scores=targets))
    assert (result.test.auroc.value, result.test.auroc.high) == (1.0, 1.0)
    assert result.test.auroc.low < 1.0
    assert result.test.auroc.method.startswith("Hoeffding")
    assert result.test.auprc.low < 1.0


def test_an_undefined_proportion_is_null(make_split):
    val = make_split("val", scores=np.arange(200) + 1e6)
    result = evaluate(Predictions.concatenate([val, make_split("test")]))
    point = result.operating_points[0]
    assert point.tp + point.fp == 0
    assert point.ppv.value is None
    assert point.ppv.text() == "undefined"


def test_dependent_and_leaking_patients_are_told(make_split):
    groups = [f"p{row // 2}" for row in range(200)]
    test = make_split("test", groups=groups)
    val = make_split("val", groups=[f"p{row + 95}" for row in range(200)])
    warnings = evaluate(Predictions.concatenate([val, test])).warnings
    assert any("come from 100 groups" in warning for warning in warnings)
    assert any(warning.startswith("No guaranteed sensitivity 0.95") for warning in warnings)
    assert any(warning.startswith("5 groups occur in both val and test") for warning in warnings)


def test_equal_row_numbers_in_two_splits_are_no_leak(make_split):
    parts = [make_split(name, ids=range(200)) for name in ("val", "test")]
    assert not any(
        "occur in both" in warning for warning in evaluate(Predictions.concatenate(parts)).warnings
    )


def test_a_reversed_score_is_told(make_split):
    parts = []
    for name in ("val", "test"):
        part = make_split(name)
        parts.append(make_split(name, targets=part.target(), scores=-part.score()))
    result = evaluate(Predictions.concatenate(parts))
    assert result.calibration[0].map["slope"] < 0
    assert any("wrong way round" in warning for warning in result.warnings)


@pytest.fixture
def several(make_split):
    parts = []
    for name in ("val", "test"):
        rng = np.random.default_rng(len(name))
        targets = (rng.random((400, 4)) < [0.3, 0.2, 0.1, 0.0]).astype(int)
        targets[:50, 0] = -1
        targets[0, 3] = name == "test"
        scores = targets + rng.normal(size=targets.shape)
        parts.append(make_split(name, n=400, labels=["a", "b", "c", "d"], targets=targets, scores=scores))
    return Predictions.concatenate(parts)


def test_several_labels(several):
    result = evaluate(several)
    test, part = result.test, several.select("test")
    assert test.macro_labels == ["a", "b", "c"]
    aucs = [roc_auc_score(*part.known(label)) for label in test.macro_labels]
    assert test.auroc.value == pytest.approx(np.mean(aucs))
    assert test.auroc.low < test.auroc.value < test.auroc.high
    assert test.auprc is None
    assert test.labels["a"].n == 350
    assert test.labels["a"].auroc.value == pytest.approx(aucs[0])
    assert test.labels["d"].auroc.method.startswith("Hoeffding")
    assert {point.label for point in result.operating_points} == {"a", "b", "c"}
    assert [fit.label for fit in result.calibration] == ["a", "b", "c"]
    assert any("mean AUROC" in warning and warning.endswith(": d.") for warning in result.warnings)
    assert any("Validation lacks a class for d" in warning for warning in result.warnings)


def test_json_has_the_promised_keys_and_comes_back(both, tmp_path):
    result = evaluate(both, Settings(positive_name="malignant"))
    result.write(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text())
    for name in ("val", "test"):
        assert {"n", "n_positive", "auroc"} <= set(content["splits"][name])
        assert set(content["splits"][name]["auroc"]) == {
            *("value", "low", "high", "level", "n", "method", "reference")
        }
        assert content["splits"][name]["auroc"]["level"] == 0.95
    assert len(content["operating_points"]) == 3
    assert Evaluation.read(tmp_path / "evaluation.json") == result


def test_equal_predictions_give_equal_files(both, tmp_path):
    for name in ("first", "second"):
        evaluate(both).write(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "Invalid JSON"), ("{}", "Field required"), ('{"level": 0.95, "splits": {}, "x": 1}', "x: Extra")],
)
def test_a_damaged_evaluation_is_refused(tmp_path, content, message):
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        Evaluation.read(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        Evaluation.read(tmp_path / "absent.json")


def test_summary_says_what_counts(both, several):
    result = evaluate(both, Settings(positive_name="malignant"))
    lines = summary_lines(result)
    text = "\n".join(lines)
    assert f"300 samples, {result.test.n_positive} malignant" in text
    assert f"AUROC  {result.test.auroc.text()}" in text
    assert f"{result.operating_points[2].npv.text(2)}" in text
    assert result.calibration[0].after.brier.text() in text
    assert max(len(line) for line in lines if not line.startswith("note")) <= 110
    many = evaluate(several)
    text = "\n".join(summary_lines(many))
    assert many.test.labels["b"].auroc.text() in text
    assert all(warning in text for warning in many.warnings)


def test_a_guaranteed_sensitivity_needs_59_positives(make_split):
    targets = (np.arange(200) < 59).astype(int)
    scores = targets + np.linspace(0, 1, 200)
    test = make_split("test")
    result = evaluate(Predictions.concatenate([make_split("val", targets=targets, scores=scores), test]))
    point = result.operating_points[-1]
    assert point.threshold == scores[:59].min()
    assert "with 95% confidence" in point.guarantee
    targets[58] = 0
    short = evaluate(Predictions.concatenate([make_split("val", targets=targets, scores=scores), test]))
    assert all(found.guarantee is None for found in short.operating_points)
    assert any("validation has 58 positives, 59 are needed" in warning for warning in short.warnings)


def test_costs_and_prevalence_are_heeded(both):
    settings = Settings(cost_ratio=10.0, prevalence=0.02, confidence=None)
    result = evaluate(both, settings)
    val = both.select("val")
    point = {found.name: found for found in result.operating_points}["cost ratio 10"]
    assert point.threshold == threshold_at_least_cost(val.target(), val.score(), 10.0, 0.02)
    rate, alarm = point.sensitivity.value, 1 - point.specificity.value
    expected = 0.02 * rate / (0.02 * rate + 0.98 * alarm)
    assert point.at_prevalence.ppv.value == pytest.approx(expected)
    assert point.at_prevalence.ppv.low < expected < point.at_prevalence.ppv.high
    text = "\n".join(summary_lines(result))
    assert "PPV at 2%" in text
    assert point.at_prevalence.ppv.text(2) in text
    assert result.net_benefit[0].prevalence == 0.02


def test_repeated_groups_widen_the_intervals(make_split):
    """Every sample twice: by group the interval is that of the samples once."""
    once = make_split("test")
    twice = make_split(
        "test",
        n=400,
        ids=range(400),
        targets=np.repeat(once.target(), 2),
        scores=np.repeat(once.score(), 2),
        groups=np.repeat(np.arange(200), 2),
    )
    single, double = evaluate(once).test.auroc, evaluate(twice).test.auroc
    assert double.value == pytest.approx(single.value)
    assert double.high - double.low == pytest.approx(single.high - single.low, rel=0.02)
