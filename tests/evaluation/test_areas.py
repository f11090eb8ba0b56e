"""Every figure names the method and the size that it really has."""

import numpy as np
import pytest

from medauc.errors import InputError
from medauc.evaluation import Predictions, align, compare, evaluate, evaluate_runs
from medauc.metrics import hoeffding_interval

N = 60
TARGETS = np.column_stack([np.arange(N) < 4, np.arange(N) % 2]).astype(int)
ONE_PATIENT = ["one" if row < 4 else f"g{row // 2}" for row in range(N)]


def table(seed=0, **options):
    """Two labels; all positives of the first are of one patient where groups are ONE_PATIENT."""
    scores = TARGETS + np.random.default_rng(seed).normal(size=(N, 2))
    options = {"targets": TARGETS, "scores": scores, "label_names": ["few", "half"]} | options
    return Predictions.from_arrays(split="test", ids=range(N), **options)


def single(scores, targets=TARGETS[:, 1], **options):
    return table(targets=targets, scores=scores, label_names=None, **options)


def test_a_bound_by_group_is_called_one():
    auroc = evaluate(single(TARGETS[:, 1], groups=np.arange(N) // 2)).test.auroc
    assert auroc.method.startswith("Hoeffding")
    assert (auroc.low, auroc.high) == hoeffding_interval(1.0, N // 4)
    lonely = evaluate(single(np.arange(N) % 7, targets=TARGETS[:, 0], groups=ONE_PATIENT)).test.auroc
    assert lonely.method.startswith("Hoeffding")


def test_a_perfect_model_in_a_comparison_has_the_bounds_name():
    noisy = TARGETS[:, 1] + np.random.default_rng(0).normal(size=N)
    found = compare(align({"perfect": single(TARGETS[:, 1]), "noisy": single(noisy)})).labels[0]
    perfect, other = found.ranking.models
    assert perfect.auroc.method.startswith("Hoeffding")
    assert perfect.auprc.method.startswith("least AUPRC")
    assert other.auroc.method.startswith("DeLong")
    assert other.auprc.method.startswith("influence")


def test_sizes_leave_out_unknown_targets():
    targets = TARGETS.copy()
    targets[20:40, 1] = -1
    targets[50:, :] = -1
    found = compare(align({"A": table(0, targets=targets), "B": table(1, targets=targets)}))
    sizes = {panel.label: panel.ranking.differences[0].difference.n for panel in found.labels}
    assert sizes == {"few": 50, "half": 30}
    assert found.mean.differences[0].difference.n == found.mean.models[0].auroc.n == 50
    assert evaluate(table(0, targets=targets)).test.auroc.n == 50


def test_a_label_of_one_patient_is_in_no_mean():
    result = evaluate(table(groups=ONE_PATIENT))
    assert result.test.macro_labels == ["half"]
    assert result.test.auroc.low == result.test.labels["half"].auroc.low
    assert any("under two test cases or patients of a class: few" in text for text in result.warnings)


def test_means_by_group_say_so_and_their_bounds_count_groups():
    groups = np.repeat(np.arange(N // 4), 4)
    targets = np.column_stack([groups % 2, (groups + 1) % 2])
    found = evaluate(table(targets=targets, groups=groups)).test
    assert "by group" in found.auroc.method
    assert "by group" in found.micro_auroc.method
    assert "by sample" in evaluate(table(targets=targets)).test.auroc.method
    perfect = evaluate(table(targets=targets, scores=targets, groups=groups)).test.auroc
    assert (perfect.low, perfect.high) == hoeffding_interval(1.0, 7)  # of 15 groups


def test_runs_leave_out_what_has_no_variance():
    _, several = evaluate_runs({"a": table(0, groups=ONE_PATIENT), "b": table(1, groups=ONE_PATIENT)})
    assert [found.label for found in several.runs] == ["half"]
    scores = np.random.default_rng(0).normal(size=(2, N))
    runs = {str(k): single(row, TARGETS[:, 0], groups=ONE_PATIENT) for k, row in enumerate(scores)}
    _, one = evaluate_runs(runs)
    assert one.runs == []
    assert any("No mean over runs" in text for text in one.warnings)


def test_runs_without_test_rows_are_refused():
    part = Predictions.from_arrays(split="val", ids=range(N), targets=TARGETS[:, 1], scores=np.arange(N))
    with pytest.raises(InputError, match="no row with split 'test'"):
        evaluate_runs({"a": part, "b": part})


def test_scores_that_look_like_percentages_are_told(make_split):
    share = np.linspace(0, 1, 200)
    percent, ratio = (evaluate(make_split("test", scores=scores)) for scores in (100 * share, share))
    assert any("divide them by 100" in text for text in percent.warnings)
    assert not any("divide them by 100" in text for text in ratio.warnings)


def test_equal_validation_scores_are_told(make_split):
    both = Predictions.concatenate([make_split("val", scores=np.ones(200)), make_split("test")])
    assert any("All validation scores are equal" in text for text in evaluate(both).warnings)


def test_few_patients_are_few_cases(make_split):
    targets, groups = np.repeat([0, 1], 100), np.repeat(np.arange(40), 5)
    grouped = evaluate(make_split("test", targets=targets, groups=groups)).warnings
    assert "Test has positives of only 20 groups and negatives of 20: heed the intervals." in grouped
    assert not any(
        "heed the intervals" in text for text in evaluate(make_split("test", targets=targets)).warnings
    )
