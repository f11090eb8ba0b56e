"""Multi-class and multi-label AUC against scikit-learn, resampling and known coverage."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from medauc.metrics import (
    clustered_interval,
    delong_interval,
    macro_auc_interval,
    micro_auc_interval,
    multiclass_auc,
    roc_auc,
)


def classes(rng, sizes, distance=1.2):
    y = np.repeat(np.arange(len(sizes)), sizes)
    return y, rng.normal(size=(y.size, len(sizes))) + distance * np.eye(len(sizes))[y]


@pytest.mark.parametrize("scheme", ["ovr", "ovo"])
@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_multiclass_equals_scikit_learn(scheme, average):
    y, s = classes(np.random.default_rng(0), (30, 50, 20, 40))
    p = softmax(s, axis=1)
    expected = roc_auc_score(y, p, multi_class=scheme, average=average)
    assert multiclass_auc(y, p, scheme, average).value == pytest.approx(expected)


@pytest.mark.parametrize("scheme", ["ovr", "ovo"])
def test_multiclass_standard_error_equals_that_of_resampling(scheme):
    rng = np.random.default_rng(1)
    sizes = (60, 90, 50)
    y, s = classes(rng, sizes)
    starts = np.cumsum((0, *sizes[:-1]))
    drawn = []
    for _ in range(300):
        rows = np.concatenate([start + rng.integers(0, n, n) for start, n in zip(starts, sizes, strict=True)])
        drawn.append(multiclass_auc(y[rows], s[rows], scheme).value)
    value, low, high = multiclass_auc(y, s, scheme)
    error = np.log(high / (1 - high) * (1 - low) / low) / (2 * 1.96) * value * (1 - value)
    assert error == pytest.approx(np.std(drawn), rel=0.15)


def test_hand_till_covers_and_does_not_depend_on_class_sizes():
    rng = np.random.default_rng(2)
    truth, hits, values = norm.cdf(1.2 / 2**0.5), 0, []
    for _ in range(200):
        y, s = classes(rng, (25, 60, 40))
        value, low, high = multiclass_auc(y, s, "ovo")
        hits += low <= truth <= high
        values.append(value)
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / 200**0.5)
    assert 0.9 <= hits / 200 <= 0.99


def test_two_classes_are_the_binary_case():
    rng = np.random.default_rng(3)
    y = np.arange(80) < 30
    s = y + rng.normal(size=80)
    both = np.column_stack((-s, s))
    expected = delong_interval(y, s, scale="logit")
    for scheme in ("ovr", "ovo"):
        assert multiclass_auc(y.astype(int), both, scheme) == pytest.approx(tuple(expected))


def test_multiclass_follows_ranks_and_the_order_of_classes():
    y, s = classes(np.random.default_rng(4), (20, 30, 25))
    plain = multiclass_auc(y, s, "ovo")
    assert multiclass_auc(y, np.column_stack((s[:, 0], np.exp(s[:, 1]), 3 * s[:, 2])), "ovo") == plain
    renamed = multiclass_auc((y + 1) % 3, s[:, [2, 0, 1]], "ovo")
    assert renamed == pytest.approx(tuple(plain))


def test_groups_widen_multiclass_and_macro_as_copies_do():
    y, s = classes(np.random.default_rng(5), (20, 30, 25))
    names = np.tile(np.arange(y.size), 4)
    once, apart = multiclass_auc(y, s), multiclass_auc(np.tile(y, 4), np.tile(s, (4, 1)))
    grouped = multiclass_auc(np.tile(y, 4), np.tile(s, (4, 1)), groups=names)
    assert apart.high - apart.low == pytest.approx((once.high - once.low) / 2, rel=0.1)
    assert grouped == pytest.approx(tuple(once), abs=0.003)
    labels = np.eye(3, dtype=int)[y]
    grouped = macro_auc_interval(np.tile(labels, (4, 1)), np.tile(s, (4, 1)), groups=names)
    assert grouped == pytest.approx(tuple(macro_auc_interval(labels, s)), abs=0.003)


def test_micro_pools_known_decisions_and_clusters_them_by_sample():
    rng = np.random.default_rng(6)
    y, s = (rng.random((70, 3)) < 0.4).astype(int), rng.normal(size=(70, 3))
    s = s + y
    y[:10, 0] = -1
    known = y != -1
    found = micro_auc_interval(y, s)
    assert found.value == pytest.approx(roc_auc(y[known], s[known]))
    owners = np.repeat(np.arange(70), 3)[known.ravel()]
    assert found == clustered_interval(y[known], s[known], owners)
    patients = np.arange(70) // 2
    expected = clustered_interval(y[known], s[known], patients[owners])
    assert micro_auc_interval(y, s, groups=patients) == expected


def test_micro_covers_with_dependent_labels_where_pooling_blindly_fails():
    rng = np.random.default_rng(7)
    truth, hits, blind = norm.cdf(1 / 2**0.5), 0, 0
    for _ in range(200):
        y = np.tile(rng.random(60) < 0.4, (4, 1)).T.astype(int)  # four labels that always agree
        s = y + np.sqrt(0.8) * rng.normal(size=(60, 1)) + np.sqrt(0.2) * rng.normal(size=(60, 4))
        found = micro_auc_interval(y, s)
        hits += found.low <= truth <= found.high
        pooled = delong_interval(y.ravel(), s.ravel())
        blind += pooled.low <= truth <= pooled.high
    assert 0.9 <= hits / 200 <= 0.99
    assert blind / 200 < 0.8


@pytest.mark.parametrize(
    ("target", "scores", "options", "message"),
    [
        ([0, 0, 1, 1], np.ones((4, 1)), {}, "C of 2 or more"),
        ([0, 0, 1, 3], np.ones((4, 2)), {}, "classes must be 0 to 1"),
        ([0, 0, 1, 1], np.ones((4, 3)), {}, "class 2 has 0"),
        ([0, 0, 1, 1], np.ones((4, 2)), {"scheme": "all"}, "scheme must be"),
        ([0, 0, 1, 1], np.ones((4, 2)), {"average": "micro"}, "average 'macro' or 'weighted'"),
        ([0, 0, 1, 1], np.full((4, 2), np.nan), {}, "not finite"),
    ],
)
def test_wrong_arguments_of_multiclass_are_named(target, scores, options, message):
    with pytest.raises(ValueError, match=message):
        multiclass_auc(target, scores, **options)


def test_wrong_arguments_of_multilabel_are_named():
    with pytest.raises(ValueError, match="one shape"):
        micro_auc_interval([[0, 1]], [[1.0]])
    with pytest.raises(ValueError, match="groups needs the shape"):
        micro_auc_interval([[0, 1], [1, 0]], [[1.0, 2.0], [2.0, 1.0]], groups=[1, 2, 3])
    with pytest.raises(ValueError, match="scale must be"):
        macro_auc_interval([[0, 1], [1, 0]], [[1.0, 2.0], [2.0, 1.0]], scale="probit")
