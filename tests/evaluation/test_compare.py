"""Every figure of a comparison against an independent computation, and what must not change it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from medauc.errors import InputError
from medauc.evaluation import (
    Comparison,
    Predictions,
    align,
    compare,
    comparison_lines,
    disagreements,
    write_table,
)
from medauc.metrics import clustered_interval, delong_interval, delong_test, holm, youden_threshold


def model(noise=1.0, seed=0, n=160, splits=("val", "test"), labels=None, groups=None, order=None):
    """Targets depend on the split alone, scores on the seed; ``groups`` samples share a patient and a shift."""
    parts = []
    for split in splits:
        shape = (n, len(labels)) if labels else (n,)
        targets = np.random.default_rng([7, len(split)]).integers(0, 2, shape)
        rng = np.random.default_rng([seed, len(split)])
        patient = np.arange(n) // (groups or 1)
        shift = rng.normal(size=n)[patient] if groups else np.zeros(n)
        scores = targets + noise * rng.normal(size=shape) + (shift[:, None] if labels else shift)
        rows = np.arange(n) if order is None else order
        parts.append(
            Predictions.from_arrays(
                split=split,
                ids=[f"case-{row:03}" for row in rows],
                targets=targets[rows],
                scores=scores[rows],
                groups=[f"{split}-{patient[row]}" for row in rows] if groups else None,
                label_names=labels,
            )
        )
    return Predictions.concatenate(parts)


@pytest.fixture(scope="module")
def three():
    return align({"A": model(0.8, 1), "B": model(1.2, 2), "C": model(1.6, 3)})


@pytest.fixture(scope="module")
def compared(three):
    return compare(three, margin=0.2)


def test_each_models_areas(three, compared):
    target = three.target(None)
    for found, score in zip(compared.labels[0].ranking.models, three.scores(None), strict=True):
        assert found.auroc.value == pytest.approx(roc_auc_score(target, score))
        assert (found.auroc.value, found.auroc.low, found.auroc.high) == tuple(delong_interval(target, score))
        assert found.auprc.value == pytest.approx(average_precision_score(target, score))
        assert found.auprc.low < found.auprc.value < found.auprc.high


def test_differences_are_delongs_paired_tests(three, compared):
    target, scores = three.target(None), dict(zip("ABC", three.scores(None), strict=True))
    found = compared.labels[0].ranking.differences
    assert [(one.first, one.second) for one in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    for one in found:
        z, p = delong_test(target, scores[one.first], scores[one.second])
        assert (one.z, one.p) == pytest.approx((z, p))
        error = one.difference.value / z
        assert one.difference.low == pytest.approx(one.difference.value - 1.959964 * error, abs=1e-6)
        auprc = [average_precision_score(target, scores[name]) for name in (one.first, one.second)]
        assert one.auprc_difference.value == pytest.approx(auprc[0] - auprc[1])
    assert [one.p_holm for one in found] == pytest.approx(holm([one.p for one in found]).tolist())
    assert compared.labels[0].ranking.overall.df == 2


def test_the_difference_agrees_with_a_paired_bootstrap(three, compared):
    """An independent reference for the interval: redraw samples within classes."""
    rng, target = np.random.default_rng(0), three.target(None)
    one, other = three.scores(None)[:2]
    drawn = []
    for _ in range(600):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(target == value), (target == value).sum()) for value in (0, 1)]
        )
        auc = [(rankdata(score[rows])[target[rows] == 1]).mean() for score in (one, other)]
        drawn.append((auc[0] - auc[1]) / (target == 0).sum())
    difference = compared.labels[0].ranking.differences[0].difference
    assert (difference.low, difference.high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.018)


def test_noninferiority_is_the_upper_bound_below_the_margin(compared):
    for one in compared.labels[0].ranking.differences:
        assert one.noninferiority.largest_deficit == one.difference.high
        assert one.noninferiority.shown == (one.difference.high < 0.2)
    assert {one.noninferiority.shown for one in compared.labels[0].ranking.differences} == {True, False}


def test_thresholds_are_each_models_own_validations(three, compared):
    for point in compared.labels[0].points:
        table = three.tables[three.names.index(point.model)]
        score = three.scores(None)[three.names.index(point.model)]
        if point.point == "youden":
            assert point.threshold == youden_threshold(*table.select("val").known())
        hit = (score >= point.threshold)[three.target(None) == 1].mean()
        assert point.sensitivity.value == pytest.approx(hit)
    assert [point.point for point in compared.labels[0].points[:3]] == ["youden"] * 3


def test_calls_are_mcnemars_tests(three, compared):
    panel, target = compared.labels[0], three.target(None)
    threshold = {(point.model, point.point): point.threshold for point in panel.points}
    assert len(panel.calls) == 3 * 3 * 2
    for call in panel.calls:
        rows = target == (call.rate == "sensitivity")
        right = [
            ((three.scores(None)[three.names.index(name)] >= threshold[name, call.point]) == target)[rows]
            for name in (call.first, call.second)
        ]
        alone = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
        assert [call.only_first, call.only_second, call.n] == [*alone, rows.sum()]
        assert call.p == pytest.approx(binomtest(alone[0], sum(alone)).pvalue if sum(alone) else 1.0)
        assert call.difference.value == pytest.approx((alone[0] - alone[1]) / rows.sum())
    for point in ("youden", "specificity 0.90", "sensitivity 0.95"):
        family = [call for call in panel.calls if call.point == point]
        assert [call.p_holm for call in family] == pytest.approx(holm([call.p for call in family]).tolist())


def test_disagreements_are_the_cases_called_differently(three, compared):
    found = disagreements(three, compared)
    threshold = {
        point.model: point.threshold for point in compared.labels[0].points if point.point == "youden"
    }
    calls = np.stack(
        [score >= threshold[name] for name, score in zip(three.names, three.scores(None), strict=True)]
    )
    differing = {
        name
        for name, same in zip(three.parts[0].ids, np.ptp(calls.astype(int), axis=0) == 0, strict=True)
        if not same
    }
    assert set(found["id"]) == differing
    assert found["spread"].is_monotonic_decreasing
    ranks = found[["rank A", "rank B", "rank C"]].to_numpy()
    assert np.ptp(ranks, axis=1) == pytest.approx(found["spread"].to_numpy())
    assert ((ranks > 0) & (ranks < 1)).all()


def test_without_validation_ranks_are_compared_and_a_warning_says_why():
    aligned = align({"A": model(0.8, 1, splits=("test",)), "B": model(1.2, 2)})
    found = compare(aligned)
    assert {point.model for point in found.labels[0].points} == {"B"}
    assert found.labels[0].calls == []
    assert found.warnings[-1].startswith("No validation split")
    assert found.warnings[-1].endswith(": A.")
    listed = disagreements(aligned, found)
    assert len(listed) == 100
    assert "call A" not in listed


def test_comparing_on_validation_has_no_operating_points():
    found = compare(align({"A": model(0.8, 1), "B": model(1.2, 2)}, split="val"))
    assert (found.split, found.labels[0].points) == ("val", [])
    assert "judged where they were chosen" in found.warnings[-1]


def test_patients_with_several_samples_count_once():
    aligned = align({"A": model(0.8, 1, groups=4), "B": model(1.2, 2, groups=4)})
    found = compare(aligned)
    one = found.labels[0].ranking
    assert (found.n, found.n_groups) == (160, 40)
    assert (one.models[0].auroc.value, one.models[0].auroc.low, one.models[0].auroc.high) == tuple(
        clustered_interval(aligned.target(None), aligned.scores(None)[0], aligned.groups)
    )
    assert "by group" in one.differences[0].difference.method
    plain = compare(align({"A": model(0.8, 1), "B": model(1.2, 2)}))
    assert "by group" not in plain.labels[0].ranking.differences[0].difference.method
    assert any("40 groups" in warning for warning in found.warnings)


def test_several_labels_have_a_mean_and_one_family_of_tests():
    labels = ["x", "y", "z"]
    aligned = align({"A": model(0.8, 1, labels=labels), "B": model(1.0, 2, labels=labels)})
    found = compare(aligned)
    assert [panel.label for panel in found.labels] == labels
    values = [panel.ranking.models[0].auroc.value for panel in found.labels]
    assert found.mean.models[0].auroc.value == pytest.approx(np.mean(values))
    p = [panel.ranking.differences[0].p for panel in found.labels]
    assert [panel.ranking.differences[0].p_holm for panel in found.labels] == pytest.approx(holm(p).tolist())
    differences = [panel.ranking.differences[0].difference.value for panel in found.labels]
    assert found.mean.differences[0].difference.value == pytest.approx(np.mean(differences))
    family = [call for panel in found.labels for call in panel.calls if call.point == "youden"]
    assert [call.p_holm for call in family] == pytest.approx(holm([call.p for call in family]).tolist())
    assert set(disagreements(aligned, found)["label"]) == set(labels)


def test_a_label_with_one_class_is_left_out_and_named():
    tables = {
        name: model(noise, seed, labels=["x", "rare"]) for name, noise, seed in (("A", 0.8, 1), ("B", 1.2, 2))
    }
    for table in tables.values():
        table.frame["target_rare"] = 0
    found = compare(align(tables))
    assert [panel.label for panel in found.labels] == ["x"]
    assert "Left out, with under two cases or patients of a class: rare." in found.warnings
    assert found.mean.models[0].auroc.value == pytest.approx(found.labels[0].ranking.models[0].auroc.value)


def test_equal_scores_of_two_models_do_not_differ():
    found = compare(align({"A": model(0.8, 1), "copy": model(0.8, 1)}))
    only = found.labels[0].ranking.differences[0]
    assert (only.z, only.p, only.difference.low, only.difference.high) == (0.0, 1.0, 0.0, 0.0)
    assert {call.p for call in found.labels[0].calls} == {1.0}


@given(st.integers(0, 10**6))
@settings(max_examples=5)
def test_order_of_rows_does_not_matter_and_swapping_models_flips_signs(seed):
    order = np.random.default_rng(seed).permutation(60)
    a, b = model(0.8, seed, n=60), model(1.2, seed + 1, n=60)
    found = compare(align({"A": a, "B": b}))
    shuffled = compare(align({"A": a, "B": model(1.2, seed + 1, n=60, order=order)}))
    assert shuffled == found
    one = found.labels[0]
    other = compare(align({"B": b, "A": a})).labels[0]
    there, back = one.ranking.differences[0], other.ranking.differences[0]
    assert (there.z, there.p, there.difference.low) == pytest.approx((-back.z, back.p, -back.difference.high))
    for call, opposite in zip(one.calls, other.calls, strict=True):
        assert (call.only_first, call.only_second) == (opposite.only_second, opposite.only_first)
        assert call.p == pytest.approx(opposite.p)
        assert call.difference.low == pytest.approx(-opposite.difference.high)


@given(st.sampled_from([np.exp, np.arctan, lambda x: 3 * x - 7, lambda x: x**3]))
@settings(max_examples=4)
def test_a_rising_transform_of_one_models_scores_changes_no_rank_figure(transform):
    a, b = model(0.8, 1), model(1.2, 2)
    changed = model(1.2, 2)
    changed.frame["score"] = transform(changed.frame["score"] / 4)
    one = compare(align({"A": a, "B": b})).labels[0]
    other = compare(align({"A": a, "B": changed})).labels[0]
    assert other.ranking == one.ranking
    assert [call.only_first for call in other.calls] == [call.only_first for call in one.calls]


@pytest.mark.slow
def test_type_one_error_of_the_whole_path():
    """Two models equally good, four samples a patient: about 5% of comparisons find a difference."""
    draws = 400
    found = [
        compare(
            align({name: model(1.2, 2 * seed + place, n=240, groups=4) for place, name in enumerate("AB")})
        )
        for seed in range(draws)
    ]
    ranked = sum(one.labels[0].ranking.differences[0].p <= 0.05 for one in found)
    assert 0.03 * draws <= ranked <= 0.08 * draws


@pytest.mark.parametrize(
    "bad", [{"level": 1.0}, {"margin": 0.0}, {"margin": 2.0}, {"target_sensitivity": 0.0}]
)
def test_shares_outside_their_range_are_refused(three, bad):
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        compare(three, **bad)


def test_one_patient_with_all_positives_cannot_be_tested():
    table = model(groups=160, splits=("test",))
    with pytest.raises(InputError, match="fewer than two"):
        compare(align({"A": table, "B": model(1.3, 5, groups=160, splits=("test",))}))


def test_the_file_says_what_was_computed(compared, tmp_path):
    path = tmp_path / "comparison.json"
    compared.write(path)
    assert Comparison.read(path) == compared
    path.write_text(path.read_text().replace('"split"', '"part"'))
    with pytest.raises(InputError, match=r"comparison.json is not a comparison of medauc: split"):
        Comparison.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        Comparison.read(tmp_path / "absent.json")
    for write in (compared.write, lambda target: write_table(pd.DataFrame({"id": []}), target)):
        with pytest.raises(InputError, match="cannot be written"):
            write(tmp_path / "absent" / "x")


@pytest.mark.parametrize("labels", [None, ["edema", "a label with a long name"]])
def test_lines_fit_a_terminal_and_hold_the_figures(labels):
    names = ["baseline", "a model with a very long name indeed", "runs/x/another-long-one-seed0"]
    aligned = align(
        {
            name: model(noise, noise_seed, labels=labels)
            for noise_seed, (name, noise) in enumerate(zip(names, (0.8, 1.0, 1.2), strict=True))
        }
    )
    found = compare(aligned, margin=0.02)
    lines = comparison_lines(found)
    text = "\n".join(lines)
    assert max(len(line) for line in lines if not line.startswith("note:")) <= 100
    assert "B = a model with a very long name indeed" in lines
    ranking = found.mean or found.labels[0].ranking
    for shown in (*(one.auroc for one in ranking.models), *(one.difference for one in ranking.differences)):
        assert shown.text() in text
    assert "all equal: p " in text
    assert "margin 0.02" in text
    assert ("right alone" in text) == (labels is None)
    assert all(f"note: {warning}" in lines for warning in found.warnings)
