"""Values that R's pROC gives for its own data set (in its manual and test suite), and the Python package pauc."""

import numpy as np
import pauc
import pytest

from medauc.metrics import (
    delong_covariance,
    delong_interval,
    delong_test,
    delong_tests,
    delong_variance,
    partial_auc,
    roc_auc,
    sensitivity_at_specificity,
    youden_threshold,
)

PROC_AUC = {"wfns": 0.823678861788618, "ndka": 0.611957994579946}
PROC_VARIANCE = {"wfns": 0.00146991470882363, "ndka": 0.0031908105493913, "s100b": 0.00266868245717244}
PROC_COVARIANCE = {
    ("wfns", "ndka"): -0.000532967856762438,
    ("ndka", "s100b"): -0.000756164938056579,
    ("s100b", "wfns"): 0.00119615567376754,
}
PROC_TEST = {
    ("wfns", "s100b"): (2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
    ("wfns", "ndka"): (2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
    ("ndka", "s100b"): (-1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
}
# (marker, max_fpr, min_tpr, area, McClish-standardised)
PROC_PARTIAL = [
    ("wfns", 0.1, None, 0.0334417344173442, 0.649693339038653),
    ("ndka", 0.1, None, 0.0107046070460705, 0.530024247610897),
    ("wfns", None, 0.9, 0.0400999322493225, 0.68473648552275),
    ("wfns", None, None, 0.823678861788618, 0.823678861788618),
]


@pytest.mark.parametrize("marker", PROC_VARIANCE)
def test_auc_and_variance(asah, marker):
    if marker in PROC_AUC:
        assert roc_auc(asah["poor_outcome"], asah[marker]) == pytest.approx(PROC_AUC[marker], rel=1e-12)
    assert delong_variance(asah["poor_outcome"], asah[marker]) == pytest.approx(
        PROC_VARIANCE[marker], rel=1e-10
    )


def test_linear_interval(asah):
    found = delong_interval(asah["poor_outcome"], asah["ndka"], scale="linear")
    assert found == pytest.approx((0.611957994579946, 0.501244999271703, 0.722670989888189), rel=1e-10)
    found = delong_interval(asah["poor_outcome"], asah["s100b"], scale="linear")
    assert np.round(found, 4).tolist() == [0.7314, 0.6301, 0.8326]  # as printed in pROC's manual


def test_covariance(asah):
    for (one, other), expected in PROC_COVARIANCE.items():
        _, covariance = delong_covariance(asah["poor_outcome"], [asah[one], asah[other]])
        assert covariance[0, 1] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("pair", PROC_TEST)
def test_paired_test(asah, pair):
    z, p, low, high = PROC_TEST[pair]
    assert delong_test(asah["poor_outcome"], asah[pair[0]], asah[pair[1]]) == pytest.approx((z, p), rel=1e-10)
    result = delong_tests(asah["poor_outcome"], [asah[pair[0]], asah[pair[1]]])
    assert (result.low[0], result.high[0]) == pytest.approx((low, high), rel=1e-9)
    assert result.chi2 == pytest.approx(z**2)  # one contrast: the square of z, with the same p
    assert result.p_overall == pytest.approx(p)


@pytest.mark.parametrize(("marker", "max_fpr", "min_tpr", "area", "standardized"), PROC_PARTIAL)
def test_partial_auc(asah, marker, max_fpr, min_tpr, area, standardized):
    arguments = (asah["poor_outcome"], asah[marker], max_fpr, min_tpr)
    assert partial_auc(*arguments, standardized=False) == pytest.approx(area, rel=1e-10)
    assert partial_auc(*arguments) == pytest.approx(standardized, rel=1e-10)


def test_youden_threshold_and_its_rates(asah):
    y, s = asah["poor_outcome"], asah["s100b"]
    assert youden_threshold(y, s) == pytest.approx(0.205)
    found = sensitivity_at_specificity(y, s, 0.8055555555555556)
    assert found.value == pytest.approx(0.6341463414634146)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("seed", range(3))
def test_pauc_agrees(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(90) < 0.4).astype(int)
    s = np.round(y + rng.normal(size=(2, 90)), 1)  # with ties
    one, other = (pauc.ROC(y, row, direction="<") for row in s)
    assert one.auc == pytest.approx(roc_auc(y, s[0]))
    _, covariance = delong_covariance(y, s)
    assert [pauc.var(one), pauc.var(other), pauc.cov(one, other)] == pytest.approx(
        [covariance[0, 0], covariance[1, 1], covariance[0, 1]]
    )
    theirs = pauc.compare(one, other)
    assert (theirs.stat, theirs.p_value) == pytest.approx(delong_test(y, *s))
