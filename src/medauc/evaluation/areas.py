"""Areas under curves of one score, each under the name of the method that its samples allowed."""

import numpy as np
from numpy.typing import NDArray

from medauc.evaluation import methods
from medauc.evaluation.cells import UNKNOWN
from medauc.evaluation.figures import Figure
from medauc.evaluation.methods import Method, figure
from medauc.metrics import (
    Estimate,
    average_precision_interval,
    clustered_interval,
    delong_interval,
    hoeffding_interval,
    macro_auc_interval,
)
from medauc.metrics.clustered import carriers, group_numbers, independent_pairs

Targets = NDArray[np.int8]
Scores = NDArray[np.float64]
Groups = NDArray[np.generic] | None


def has_variance(target: Targets, groups: Groups) -> bool:
    """Whether each class has two samples, or two groups where groups repeat, as an estimated variance needs.

    >>> target = np.array([0, 0, 1, 1], np.int8)
    >>> has_variance(target, None), has_variance(target, np.array(["a", "b", "c", "c"]))
    (True, False)
    """
    return min(carriers(target, groups)) >= 2


def auroc_figure(target: Targets, score: Scores, groups: Groups, level: float) -> Figure:
    """Area under the ROC curve; by group where ``groups`` is given."""
    n = int(target.size)
    owners = None if groups is None else group_numbers(groups, n)
    if owners is None:
        found, usual = delong_interval(target, score, level), methods.DELONG
    else:
        found, usual = clustered_interval(target, score, owners, level), methods.OBUCHOWSKI
    bound = hoeffding_interval(found.value, independent_pairs(target, owners), level)
    return figure(found, level, n, methods.HOEFFDING if (found.low, found.high) == bound else usual)


def auprc_figure(target: Targets, score: Scores, groups: Groups, level: float) -> Figure:
    """Area under the precision-recall curve; by group where ``groups`` is given."""
    found = average_precision_interval(target, score, level, groups)
    usual = methods.AUPRC if groups is None else methods.AUPRC_BY_GROUP
    return figure(found, level, int(target.size), methods.LEAST_AUPRC if found.high == 1.0 else usual)


def macro_figure(targets: Targets, scores: Scores, groups: Groups, level: float) -> Figure:
    """Mean area over labels, tables of shape ``(N, L)``; that of the label where there is one."""
    if targets.shape[1] == 1:
        known = targets[:, 0] != UNKNOWN
        owners = None if groups is None else groups[known]
        return auroc_figure(targets[known, 0], scores[known, 0], owners, level)
    found = macro_auc_interval(targets, scores, level, groups=groups)
    usual = methods.MACRO if groups is None else methods.MACRO_BY_GROUP
    return mean_figure(found, level, known_rows(targets), usual)


def known_rows(targets: Targets) -> int:
    """Number of samples with a known target in one label at least, shape ``(N, L)``."""
    return int((targets != UNKNOWN).any(axis=1).sum())


def mean_figure(found: Estimate, level: float, n: int, usual: Method) -> Figure:
    """Figure of a mean or a pool of areas; only Hoeffding's bound reaches 0 or 1.

    >>> mean_figure(Estimate(1.0, 0.8, 1.0), 0.95, 40, methods.MACRO).method[:15]
    'Hoeffding bound'
    """
    return figure(found, level, n, methods.HOEFFDING if found.low == 0.0 or found.high == 1.0 else usual)
