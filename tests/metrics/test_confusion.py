"""The confusion table against scikit-learn, published examples and simulated coverage."""

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn import metrics as sklearn_metrics

from medauc.metrics import (
    Confusion,
    ConfusionCounts,
    Estimate,
    clustered_proportion,
    confusion,
    confusion_counts,
    confusion_from_counts,
)

labelled_scores = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=1, max_size=40)
FIGURES = [field.name for field in fields(Confusion) if "Estimate" in str(field.type)]


def columns(rows):
    return (np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(labelled_scores)
@settings(max_examples=40)
def test_values_equal_scikit_learn(rows):
    y, s = columns(rows)
    found, called = confusion(y, s, 1.0), (s >= 1).astype(int)
    tn, fp, fn, tp = sklearn_metrics.confusion_matrix(y, called, labels=[0, 1]).ravel()
    assert found.counts == ConfusionCounts(tp, fp, tn, fn) == confusion_counts(y, s, 1.0)
    nan = {"zero_division": np.nan}
    expected = {
        "sensitivity": sklearn_metrics.recall_score(y, called, **nan),
        "specificity": sklearn_metrics.recall_score(y, called, pos_label=0, **nan),
        "ppv": sklearn_metrics.precision_score(y, called, **nan),
        "npv": sklearn_metrics.precision_score(y, called, pos_label=0, **nan),
        "accuracy": sklearn_metrics.accuracy_score(y, called),
        "f1": sklearn_metrics.f1_score(y, called, **nan),
        "flagged_per_1000": 1000 * called.mean(),
    }
    if 0 < y.sum() < y.size:
        expected["balanced_accuracy"] = sklearn_metrics.balanced_accuracy_score(y, called)
        expected["mcc"] = sklearn_metrics.matthews_corrcoef(y, called)
        ratios = sklearn_metrics.class_likelihood_ratios(y, called, replace_undefined_by=np.nan)
        expected["lr_negative"] = ratios[1] if tn else (np.inf if fn else np.nan)
        expected["lr_positive"] = ratios[0] if fp else (np.inf if tp else np.nan)
    for name, value in expected.items():
        assert getattr(found, name).value == pytest.approx(value, nan_ok=True), name


@given(labelled_scores, st.sampled_from(["wilson", "clopper-pearson"]), st.sampled_from([None, 3]))
def test_every_interval_holds_its_value_or_both_are_undefined(rows, interval, patients):
    y, s = columns(rows)
    groups = None if patients is None else np.arange(y.size) % patients
    found = confusion(y, s, 1.0, interval=interval, prevalence=0.1, groups=groups)
    estimates = [getattr(found, name) for name in FIGURES]
    estimates += [found.at_prevalence.ppv, found.at_prevalence.npv, found.at_prevalence.flagged_per_1000]
    for value, low, high in estimates:
        assert math.isnan(value) == math.isnan(low) == math.isnan(high)
        assert math.isnan(value) or low - 1e-9 <= value <= high + 1e-9


@given(labelled_scores)
def test_exchanging_the_classes_exchanges_the_figures(rows):
    y, s = columns(rows)
    found = confusion(y, s, 0.5, prevalence=0.2)
    mirrored = confusion(1 - y, -s, -0.5, prevalence=0.8)
    for one, other in (("sensitivity", "specificity"), ("ppv", "npv"), ("mcc", "mcc"), ("accuracy",) * 2):
        assert getattr(found, one) == pytest.approx(getattr(mirrored, other), nan_ok=True)
    for name in ("balanced_accuracy", "odds_ratio"):
        assert getattr(found, name) == pytest.approx(getattr(mirrored, name), nan_ok=True)
    assert found.at_prevalence.ppv == pytest.approx(mirrored.at_prevalence.npv, nan_ok=True)


@given(labelled_scores, st.integers(2, 4), st.randoms())
@settings(max_examples=50)
def test_copies_keep_values_and_order_does_not_matter(rows, copies, random):
    plain = confusion(*columns(rows), 0.0)
    repeated = confusion(*columns(rows * copies), 0.0)
    shuffled = confusion(*columns(random.sample(rows, len(rows))), 0.0)
    assert shuffled.counts == plain.counts
    for name in FIGURES:
        assert getattr(repeated, name).value == pytest.approx(getattr(plain, name).value, nan_ok=True)


def test_ratios_have_simels_and_woolfs_intervals():
    tp, fp, tn, fn = 20, 180, 1820, 10
    found = confusion_from_counts(ConfusionCounts(tp, fp, tn, fn))
    error = math.sqrt(1 / tp - 1 / (tp + fn) + 1 / fp - 1 / (fp + tn))
    ratio = (tp / (tp + fn)) / (fp / (fp + tn))
    expected = ratio, ratio * math.exp(-1.959964 * error), ratio * math.exp(1.959964 * error)
    assert found.lr_positive == pytest.approx(expected, rel=1e-6)
    error = math.sqrt(1 / fn - 1 / (tp + fn) + 1 / tn - 1 / (fp + tn))
    ratio = (fn / (tp + fn)) / (tn / (fp + tn))
    expected = ratio, ratio * math.exp(-1.959964 * error), ratio * math.exp(1.959964 * error)
    assert found.lr_negative == pytest.approx(expected, rel=1e-6)
    error = math.sqrt(1 / tp + 1 / fp + 1 / tn + 1 / fn)
    odds = tp * tn / fp / fn
    assert found.odds_ratio[1:] == pytest.approx(
        (odds * math.exp(-1.959964 * error), odds * math.exp(1.959964 * error)), rel=1e-6
    )


def test_predictive_values_at_a_stated_prevalence_are_mercaldos():
    tp, fp, tn, fn, share = 90, 30, 170, 10, 0.03
    found = confusion_from_counts(ConfusionCounts(tp, fp, tn, fn), prevalence=share).at_prevalence
    sensitivity, specificity = 0.9, 0.85
    logit = math.log(share * sensitivity / ((1 - share) * (1 - specificity)))
    error = math.sqrt((1 - sensitivity) / sensitivity / 100 + specificity / (1 - specificity) / 200)
    bounds = [1 / (1 + math.exp(-(logit + z * error))) for z in (0, -1.959964, 1.959964)]
    assert found.ppv == pytest.approx(bounds, rel=1e-6)
    logit = math.log((1 - share) * specificity / (share * (1 - sensitivity)))
    error = math.sqrt(sensitivity / (1 - sensitivity) / 100 + (1 - specificity) / specificity / 200)
    bounds = [1 / (1 + math.exp(-(logit + z * error))) for z in (0, -1.959964, 1.959964)]
    assert found.npv == pytest.approx(bounds, rel=1e-6)


def test_the_prevalence_of_the_data_gives_their_predictive_values():
    found = confusion_from_counts(ConfusionCounts(30, 14, 126, 10), prevalence=40 / 180)
    assert found.at_prevalence.ppv.value == pytest.approx(found.ppv.value)
    assert found.at_prevalence.npv.value == pytest.approx(found.npv.value)
    assert found.at_prevalence.flagged_per_1000.value == pytest.approx(found.flagged_per_1000.value)


def test_mcc_variance_is_that_of_bishop_fienberg_holland():
    cells = np.array([30.0, 14, 126, 10])
    n, (tp, fp, tn, fn) = cells.sum(), cells / cells.sum()
    rows, cols = (tp + fn, fp + tn), (tp + fp, fn + tn)
    product = math.sqrt(math.prod(rows) * math.prod(cols))
    phi = (tp * tn - fp * fn) / product
    row, col = rows[0] - rows[1], cols[0] - cols[1]
    variance = 1 - phi**2 + phi * (1 + phi**2 / 2) * row * col / product
    variance -= 0.75 * phi**2 * (row**2 / math.prod(rows) + col**2 / math.prod(cols))
    half = 1.959964 * math.sqrt(variance / n) / (1 - phi**2)
    bounds = np.tanh(np.arctanh(phi) + np.array([0, -half, half]))
    found = confusion_from_counts(ConfusionCounts(30, 14, 126, 10)).mcc
    assert found == pytest.approx(bounds, rel=1e-6)


def test_empty_cells_have_defined_results():
    perfect = confusion_from_counts(ConfusionCounts(tp=20, fp=0, tn=30, fn=0), prevalence=0.01)
    assert perfect.lr_positive.value == perfect.lr_positive.high == math.inf
    assert perfect.lr_negative[:2] == (0.0, 0.0)
    assert perfect.mcc.value == perfect.mcc.high == 1.0
    assert 0.7 < perfect.mcc.low < 1.0
    assert perfect.at_prevalence.ppv.value == perfect.at_prevalence.ppv.high == 1.0
    assert 0 < perfect.at_prevalence.ppv.low < 0.5
    silent = confusion_from_counts(ConfusionCounts(tp=0, fp=0, tn=30, fn=20))
    assert not silent.ppv.is_defined
    assert not silent.lr_positive.is_defined
    assert silent.mcc.value == 0.0
    assert silent.mcc.low < 0 < silent.mcc.high
    healthy = confusion_from_counts(ConfusionCounts(tp=0, fp=3, tn=30, fn=0))
    assert not any(getattr(healthy, name).is_defined for name in ("sensitivity", "mcc", "odds_ratio"))
    assert healthy.specificity.value == 30 / 33


def truths(chances, share):
    tp, fp, tn, fn = chances
    sensitivity, specificity = tp / (tp + fn), tn / (tn + fp)
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "mcc": (tp * tn - fp * fn) / root,
        "lr_positive": sensitivity / (1 - specificity),
        "lr_negative": (1 - sensitivity) / specificity,
        "odds_ratio": tp * tn / fp / fn,
        "ppv": share * sensitivity / (share * sensitivity + (1 - share) * (1 - specificity)),
        "npv": (1 - share) * specificity / ((1 - share) * specificity + share * (1 - sensitivity)),
        "flagged_per_1000": 1000 * (share * sensitivity + (1 - share) * (1 - specificity)),
    }


@pytest.mark.parametrize(
    ("n", "prevalence", "sensitivity", "specificity"), [(60, 0.5, 0.7, 0.6), (120, 0.2, 0.9, 0.95)]
)
def test_intervals_cover(n, prevalence, sensitivity, specificity):
    rng, share, draws = np.random.default_rng(1), 0.05, 500
    miss, alarm = 1 - sensitivity, 1 - specificity
    chances = np.array([prevalence * sensitivity, (1 - prevalence) * alarm, 0, prevalence * miss])
    chances[2] = 1 - chances.sum()
    truth = truths(chances, share)
    hits = dict.fromkeys(truth, 0)
    for cells in rng.multinomial(n, chances, draws):
        found = confusion_from_counts(ConfusionCounts(*map(int, cells)), prevalence=share)
        for name, value in truth.items():
            at = found.at_prevalence if name in ("ppv", "npv", "flagged_per_1000") else found
            estimate: Estimate = getattr(at, name)
            hits[name] += estimate.low <= value <= estimate.high
    for name, count in hits.items():
        assert 0.92 <= count / draws <= 0.99, name


def draw_patients(rng, patients):
    group = np.repeat(np.arange(patients), rng.integers(1, 10, patients))
    reader, disease = rng.normal(size=(2, patients))
    y = (rng.normal(size=group.size) + disease[group] > 0.5).astype(int)
    return y, 1.5 * y + reader[group] + rng.normal(size=group.size), group


def test_intervals_of_alike_samples_cover_where_plain_ones_do_not():
    rng, draws = np.random.default_rng(2), 200
    y, s, _ = draw_patients(rng, 100_000)
    truth = confusion(y, s, 0.8, prevalence=0.1)
    names = (
        "sensitivity",
        "npv",
        "balanced_accuracy",
        "f1",
        "mcc",
        "lr_positive",
        "lr_negative",
        "odds_ratio",
    )
    hits, plain = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for _ in range(draws):
        y, s, group = draw_patients(rng, 30)
        for found, count in ((confusion(y, s, 0.8, groups=group), hits), (confusion(y, s, 0.8), plain)):
            for name in names:
                _, low, high = getattr(found, name)
                count[name] += low <= getattr(truth, name).value <= high
    for name in names:
        assert hits[name] / draws >= 0.89, name
        assert plain[name] < hits[name], name
    assert sum(plain.values()) / draws / len(names) < 0.89


def test_groups_reach_every_figure_and_groups_of_one_change_nothing():
    rng = np.random.default_rng(3)
    y, s, group = draw_patients(rng, 40)
    plain, clustered = (
        confusion(y, s, 0.8, prevalence=0.1),
        confusion(y, s, 0.8, prevalence=0.1, groups=group),
    )
    assert confusion(y, s, 0.8, prevalence=0.1, groups=np.arange(y.size)) == plain
    for name in FIGURES:
        assert getattr(clustered, name).value == pytest.approx(getattr(plain, name).value)
        assert getattr(clustered, name) != getattr(plain, name)
    called = (s[y == 1] >= 0.8).astype(int)
    assert clustered.sensitivity == pytest.approx(clustered_proportion(called, group[y == 1]))


@given(labelled_scores)
@settings(max_examples=40)
def test_wilson_and_clopper_pearson_differ_only_where_said(rows):
    y, s = columns(rows)
    assume(0 < y.sum() < y.size)
    wilson, exact = confusion(y, s, 0.0), confusion(y, s, 0.0, interval="clopper-pearson")
    assert wilson.lr_positive == pytest.approx(exact.lr_positive, nan_ok=True)
    assert wilson.mcc == exact.mcc
    assert exact.sensitivity.value == wilson.sensitivity.value


def test_a_wider_level_is_wider():
    narrow = confusion_from_counts(ConfusionCounts(30, 14, 126, 10), level=0.8)
    wide = confusion_from_counts(ConfusionCounts(30, 14, 126, 10), level=0.99)
    for name in FIGURES:
        assert getattr(wide, name).low < getattr(narrow, name).low, name
        assert getattr(wide, name).high > getattr(narrow, name).high, name
    ratio = math.log(wide.odds_ratio.high / wide.odds_ratio.low) / math.log(
        narrow.odds_ratio.high / narrow.odds_ratio.low
    )
    assert ratio == pytest.approx(norm.ppf(0.995) / norm.ppf(0.9))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion([], [], 0.5), "at least one sample"),
        (lambda: confusion([0, 1], [0, 1], 0.5, prevalence=1.0), "prevalence must lie between 0 and 1"),
        (lambda: confusion([0, 1], [0, 1], 0.5, level=0.0), "level must lie"),
        (lambda: confusion([0, 1], [0, 1], 0.5, interval="wald"), "'wilson' or 'clopper-pearson'"),
        (lambda: confusion([0, 1], [0, 1], 0.5, groups=["a"]), "groups needs the shape"),
        (lambda: confusion([0, 1], [0, np.nan], 0.5), "not finite"),
        (lambda: confusion([0, 1], [0, 1], np.nan), "threshold is not a number"),
        (lambda: confusion_from_counts(ConfusionCounts(-1, 2, 3, 4)), "cannot be negative"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
