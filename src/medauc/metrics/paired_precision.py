"""Difference of two models' average precision on the same samples."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from medauc.metrics._inputs import check_share
from medauc.metrics.auc_interval import FEW_CASES
from medauc.metrics.clustered import carriers
from medauc.metrics.estimate import UNDEFINED, Estimate
from medauc.metrics.multilabel import summed_squares
from medauc.metrics.precision_recall import average_precision, average_precision_influence


def average_precision_difference(
    target: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Average precision of the first score less that of the second, with its confidence interval.

    The influences of a sample on the two are subtracted, so their correlation counts; Student's t interval, with one
    degree of freedom less than there are positives (groups with positives). Of binormal draws with 20 to 100
    positives, nominal 95% covered 94% to 96%. With fewer than ``FEW_CASES`` (5) positives or negatives, or groups
    that have them, it is undefined.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score_a: Real numbers, shape ``(N,)``.
        score_b: Real numbers, shape ``(N,)``.
        groups: Whose sample it is (the patient), shape ``(N,)``; ``None``: all samples are independent.
        level: Confidence, in (0, 1).

    Returns:
        The difference and its interval, in [-1, 1].

    Raises:
        ValueError: ``level`` outside (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Influences: :func:`medauc.metrics.precision_recall.average_precision_influence`.

    >>> y, a = [0] * 6 + [1] * 6, [1, 2, 3, 4, 6, 9, 5, 7, 8, 10, 11, 12]
    >>> [round(x, 3) for x in average_precision_difference(y, a, [1, 2, 3, 12, 6, 9, 5, 7, 8, 10, 11, 4])]
    [0.276, -0.114, 0.666]
    """
    tail = 0.5 + check_share(level, "level") / 2
    value = average_precision(target, score_a) - average_precision(target, score_b)
    of_positives, of_negatives = carriers(target, groups)
    if min(of_positives, of_negatives) < FEW_CASES:
        return UNDEFINED
    influence = average_precision_influence(target, score_a) - average_precision_influence(target, score_b)
    half = float(student.ppf(tail, of_positives - 1) * np.sqrt(summed_squares(influence, groups)))
    return Estimate(value, max(value - half, -1.0), min(value + half, 1.0))
