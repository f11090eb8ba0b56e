import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from medauc.errors import InputError
from medauc.evaluation import Discrimination, Predictions, Settings, calibrated, evaluate
from medauc.metrics import brier_score, confusion, delong_variance, net_benefit, roc_auc


def with_columns(table: Predictions, **columns: object) -> Predictions:
    return dataclasses.replace(table, frame=table.frame.assign(**columns))


@pytest.fixture
def scanners(make_split) -> Predictions:
    """Scanner b ranks worse: its positives score lower."""
    parts = []
    for name, n in (("val", 300), ("test", 600)):
        part = make_split(name, n=n)
        scanner = np.where(np.arange(n) % 3 == 0, "b", "a")
        worse = part.score() - 1.5 * part.target() * (scanner == "b")
        parts.append(with_columns(part, score=worse, scanner=scanner))
    return Predictions.concatenate(parts)


def test_each_value_has_every_figure_of_its_own_samples(scanners):
    result = evaluate(scanners)
    assert [(found.column, found.value) for found in result.subgroups] == [("scanner", "a"), ("scanner", "b")]
    test = scanners.select("test")
    for found in result.subgroups:
        part = test.where(np.asarray(test.frame["scanner"] == found.value))
        alone = evaluate(part).test
        assert (
            found.discrimination.model_dump()
            == Discrimination.model_validate(
                {name: getattr(alone, name) for name in Discrimination.model_fields}
            ).model_dump()
        )
        point = found.operating_points[0]
        expected = confusion(part.target(), part.score(), result.operating_points[0].threshold)
        assert (point.tp, point.fn) == (expected.counts.tp, expected.counts.fn)
        assert point.sensitivity.value == pytest.approx(expected.sensitivity.value)
        assert found.calibration.intercept.n == part.n
        probability = calibrated(part.score(), result.calibration[0])
        assert found.calibration.brier.value == pytest.approx(brier_score(part.target(), probability))
        curve = net_benefit(part.target(), probability)
        assert found.net_benefit.net_benefit == pytest.approx(curve.net_benefit)


def test_a_real_difference_is_flagged_and_has_the_size_of_the_parts(scanners):
    worse = evaluate(scanners).subgroups[1]
    area, sensitivity, specificity = worse.differences
    test = scanners.select("test")
    here = np.asarray(test.frame["scanner"] == "b")
    parts = [(test.target()[rows], test.score()[rows]) for rows in (here, ~here)]
    difference = roc_auc(*parts[0]) - roc_auc(*parts[1])
    assert area.difference.value == pytest.approx(difference)
    z = difference / sum(delong_variance(*part) for part in parts) ** 0.5
    assert np.log10(area.p) == pytest.approx(np.log10(2 * norm.sf(abs(z))), rel=0.4)
    assert (area.flagged, sensitivity.flagged, specificity.flagged) == (True, True, False)
    assert area.p <= area.p_adjusted <= 3 * area.p


def test_the_two_values_of_a_column_are_one_comparison(scanners):
    first, second = evaluate(scanners).subgroups
    for one, other in zip(first.differences, second.differences, strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert one.difference.low == pytest.approx(-other.difference.high)
        assert one.p == pytest.approx(other.p)
        assert one.p_adjusted == pytest.approx(other.p_adjusted)


def test_without_a_difference_a_flag_is_rare(make_split):
    """Family-wise: one of 100 tables of 3 columns may be flagged about 5 times."""
    flagged = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        columns = {name: rng.choice(["x", "y"], 200) for name in "pqr"}
        table = with_columns(make_split("test", seed=seed), **columns)
        result = evaluate(table)
        flagged += any(item.flagged for found in result.subgroups for item in found.differences)
    assert flagged <= 12


def test_too_small_groups_are_said_to_be_so(make_split):
    part = make_split("test")
    table = with_columns(part, site=["rare"] * 6 + ["common"] * 194)
    rare = {found.value: found for found in evaluate(table).subgroups}["rare"]
    assert rare.note.startswith("too small")
    assert rare.discrimination.n == 6
    assert rare.discrimination.auroc is None
    assert rare.differences == []


def test_numbers_are_cut_into_quarters_and_names_are_left_alone(make_split):
    age = np.arange(200) % 50 + 30
    table = with_columns(make_split("test"), age=age.astype(str), name=[f"n{row}" for row in range(200)])
    found = evaluate(table).subgroups
    assert [one.value for one in found] == ["30 to 42", "43 to 54", "55 to 67", "68 to 79"]
    assert sum(one.discrimination.n for one in found) == 200


def test_columns_can_be_chosen_and_must_exist(make_split):
    table = with_columns(make_split("test"), sex=np.tile(["f", "m"], 100), site=np.tile(["1", "2"], 100))
    assert {one.column for one in evaluate(table, Settings(subgroups=("sex",))).subgroups} == {"sex"}
    assert evaluate(table, Settings(subgroups=())).subgroups == []
    with pytest.raises(InputError, match="no column 'age'; it has sex, site"):
        evaluate(table, Settings(subgroups=("age",)))


def test_subgroups_of_several_labels(make_split):
    table = with_columns(
        make_split("test", n=400, labels=["a", "b"], prevalence=0.4), sex=np.tile(["f", "m"], 200)
    )
    assert [(one.label, one.value) for one in evaluate(table).subgroups] == [
        *(("a", "f"), ("a", "m"), ("b", "f"), ("b", "m"))
    ]
