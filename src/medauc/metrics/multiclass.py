"""AUC of several exclusive classes: one against the rest, or every pair."""

from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, IntArray
from medauc.metrics.auc_interval import normal_interval
from medauc.metrics.clustered import independent_pairs
from medauc.metrics.delong import delong_influence
from medauc.metrics.estimate import Estimate
from medauc.metrics.multilabel import summed_squares
from medauc.metrics.roc import roc_auc


def multiclass_auc(
    target: ArrayLike,
    scores: ArrayLike,
    scheme: Literal["ovr", "ovo"] = "ovr",
    average: Literal["macro", "weighted"] = "macro",
    level: float = 0.95,
    groups: ArrayLike | None = None,
) -> Estimate:
    """Mean AUC over classes or pairs of classes, with its confidence interval.

    ``"ovr"``: class c against all others by the scores of c. ``"ovo"``: for each pair, the mean of the AUC of one
    against the other by the scores of the one and that by the scores of the other; their plain mean
    is the M measure of Hand and Till, which does not depend on how common the classes are. The influence of a sample
    on the mean is the weighted sum of its DeLong influences on the terms; the interval is normal on the logit scale.
    Weights are taken as known.

    Args:
        target: Class of each sample, 0 to C - 1, shape ``(N,)``; at least two samples of each class.
        scores: Real numbers, higher = more of that class, shape ``(N, C)`` with C of 2 or more. A monotone change of
            one class's scores changes nothing.
        scheme: ``"ovr"`` or ``"ovo"``.
        average: ``"macro"``: every class (pair) counts alike; ``"weighted"``: by its number of samples.
        level: Confidence, in (0, 1).
        groups: Whose sample it is, shape ``(N,)``; ``None``: all samples are independent.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: Shapes do not match, a class has fewer than two samples or no column, a score is not finite, or an
            argument is out of range.

    Source:
        Hand & Till, Machine Learning 45 (2001) 171-186; Provost & Domingos, CeDER working paper IS-00-04 (2000).

    >>> y, s = [0, 0, 1, 1, 2, 2], [[9, 1, 0], [4, 5, 1], [3, 6, 1], [5, 3, 2], [1, 2, 7], [2, 2, 6]]
    >>> round(multiclass_auc(y, s).value, 4), round(multiclass_auc(y, s, "ovo").value, 4)
    (0.9167, 0.9167)
    """
    if scheme not in ("ovr", "ovo") or average not in ("macro", "weighted"):
        raise ValueError(
            f"scheme must be 'ovr' or 'ovo' and average 'macro' or 'weighted', got {scheme!r}, {average!r}"
        )
    classes, table, sizes = _check_classes(target, scores)
    # Each term: the class whose scores are used, and the samples that take part.
    if scheme == "ovr":
        terms = [(c, np.ones(classes.size, dtype=np.bool_)) for c in range(sizes.size)]
        weights = sizes.astype(np.float64)
    else:
        pairs = [
            (c, d)
            for one, other in combinations(range(sizes.size), 2)
            for c, d in ((one, other), (other, one))
        ]
        terms = [(c, (classes == c) | (classes == d)) for c, d in pairs]
        weights = np.array([sizes[c] + sizes[d] for c, d in pairs], dtype=np.float64)
    weights = weights / weights.sum() if average == "weighted" else np.full(len(terms), 1.0 / len(terms))
    owner = np.arange(classes.size) if groups is None else np.asarray(groups)
    value, influence, fewest = 0.0, np.zeros(classes.size), classes.size
    for weight, (c, chosen) in zip(weights, terms, strict=True):
        value += float(weight) * roc_auc(classes[chosen] == c, table[chosen, c])
        influence[chosen] += weight * delong_influence(classes[chosen] == c, table[chosen, c])
        fewest = min(fewest, independent_pairs(classes[chosen] == c, owner[chosen]))
    return normal_interval(min(value, 1.0), summed_squares(influence, groups), fewest, level, "logit")


def _check_classes(target: ArrayLike, scores: ArrayLike) -> tuple[IntArray, FloatArray, IntArray]:
    classes, table = np.asarray(target), np.asarray(scores, dtype=np.float64)
    if classes.ndim != 1 or table.ndim != 2 or len(table) != classes.size or table.shape[1] < 2:
        raise ValueError(
            f"need target (N,) and scores (N, C) with C of 2 or more, got {classes.shape} and {table.shape}"
        )
    if not np.isin(classes, np.arange(table.shape[1])).all():
        raise ValueError(f"classes must be 0 to {table.shape[1] - 1}, the columns of scores")
    classes = classes.astype(np.intp)
    sizes = np.bincount(classes, minlength=table.shape[1])
    if sizes.min() < 2:
        raise ValueError(f"each class needs two samples; class {int(sizes.argmin())} has {int(sizes.min())}")
    return classes, table, sizes
