"""AUCs of samples that come in groups: several lesions, slices or visits of one patient."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medauc.metrics._inputs import FloatArray, check_binary
from medauc.metrics._placement import won_pairs
from medauc.metrics.auc_interval import (
    Scale,
    check_scale,
    hoeffding_interval,
    normal_interval,
    score_interval,
)
from medauc.metrics.estimate import Estimate
from medauc.metrics.proportion import group_index


def clustered_covariance(
    target: ArrayLike, scores: ArrayLike, groups: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """AUCs of several scores and their covariance when samples of one group are dependent, in O(M N log N).

    Structural components are summed within groups, and a group with both classes adds the product of its
    two sums. With I10 groups that have a positive, I01 that have a negative, I in all, and
    ``A_g``, ``B_g`` the sums of ``V10 - AUC`` over the positives and of ``V01 - AUC`` over the negatives of group g,
    the variance is ``I10/(I10-1) sum A^2 / m^2 + I01/(I01-1) sum B^2 / n^2 + 2 I/(I-1) sum A B / (m n)``. With one
    sample a group, I10 = m, I01 = n and A B = 0: exactly DeLong's, factors included. The AUCs pool all samples.

    Args:
        target: 0 or 1, shape ``(N,)``.
        scores: Real numbers, shape ``(M, N)``, one row a model.
        groups: Whose sample it is, shape ``(N,)``; numbers or text, equal = same group.

    Returns:
        ``(aucs, covariance)``, of shapes ``(M,)`` and ``(M, M)``; the covariance has no negative eigenvalue.

    Raises:
        ValueError: A class occurs in fewer than two groups, shapes differ; or see
            :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Obuchowski, Biometrics 53 (1997) 567-578.

    >>> aucs, covariance = clustered_covariance([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8]], ["a", "b", "c", "d"])
    >>> aucs.tolist(), covariance.round(12).tolist()
    ([0.75], [[0.125]])
    """
    aucs, factors = clustered_factors(target, scores, groups)
    return aucs, factors @ factors.T


def clustered_interval(
    target: ArrayLike,
    score: ArrayLike,
    groups: ArrayLike,
    level: float = 0.95,
    scale: Scale = "score",
) -> Estimate:
    """AUC with its interval when samples of one group are dependent.

    :func:`medauc.metrics.delong_interval` with Obuchowski's variance. Where that is 0 (AUC 0 or 1, constant
    scores) or a class occurs in one group only, the bound is :func:`medauc.metrics.hoeffding_interval` with as many
    pairs as can be formed from different groups.

    Args:
        target: 0 or 1, shape ``(N,)``.
        score: Real numbers, shape ``(N,)``.
        groups: Whose sample it is, shape ``(N,)``; numbers or text, equal = same group.
        level: Confidence, in (0, 1).
        scale: ``"score"``, ``"logit"`` or ``"linear"``.

    Returns:
        ``(auc, low, high)``.

    Raises:
        ValueError: ``level`` or ``scale`` out of range, shapes differ; or see
            :func:`medauc.metrics._inputs.check_binary`.

    Source:
        See :func:`clustered_covariance`.

    >>> y, s = [0, 0, 0, 1, 1, 1, 0, 1], [1, 2, 4, 3, 5, 6, 3, 7]
    >>> [round(x, 3) for x in clustered_interval(y, s, [1, 1, 2, 2, 3, 3, 4, 4])]
    [0.906, 0.359, 0.99]
    """
    check_scale(scale)
    targets, scores = check_binary(target, score)
    groups = group_numbers(groups, targets.size)
    pairs = independent_pairs(targets, groups)
    positives, negatives = int(targets.sum()), int((~targets).sum())
    fewest = min(carriers(targets, groups))
    if fewest < 2:
        auc = float(won_pairs(targets, scores)[targets].mean() / negatives)
        return Estimate(auc, *hoeffding_interval(auc, pairs, level))
    aucs, factors = clustered_factors(targets, scores[None], groups)
    auc, variance = float(aucs[0]), float(np.square(factors).sum())
    if scale != "score" or variance == 0.0:
        return normal_interval(auc, variance, pairs, level, scale)
    low, high = score_interval(auc, variance, positives, negatives, fewest - 1, level)
    return Estimate(auc, float(low), float(high))


def clustered_factors(
    target: ArrayLike, scores: ArrayLike, groups: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """AUCs of the rows of ``scores`` and a factor F of their covariance, ``F @ F.T``.

    With f10 = I10/(I10-1), f01 = I01/(I01-1) and f = I/(I-1), none larger than the first two, the covariance
    ``f10 A A' + f01 B B' + f (A B' + B A')`` is ``(f10-f) A A' + (f01-f) B B' + f (A+B) (A+B)'``.

    >>> aucs, factors = clustered_factors([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8]], [1, 2, 3, 4])
    >>> factors.shape, round(float((factors**2).sum()), 12)
    ((1, 12), 0.125)
    """
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"scores need the shape (M, N) with M of 1 or more, got {rows.shape}")
    targets, _ = check_binary(target, rows[0])
    with_positive, with_negative = carriers(targets, groups)
    if min(with_positive, with_negative) < 2:
        raise ValueError(
            f"a clustered variance needs each class in two groups, got positives in {with_positive}, "
            f"negatives in {with_negative}"
        )
    index = group_numbers(groups, targets.size)
    total = int(index.max()) + 1
    positives, negatives = int(targets.sum()), int((~targets).sum())
    aucs, factors = np.empty(len(rows)), np.empty((len(rows), 3 * total))
    of_positives, of_negatives, shared = (
        units / (units - 1.0) for units in (with_positive, with_negative, total)
    )
    for k, row in enumerate(rows):
        won = won_pairs(*check_binary(targets, row))
        pairs_won = float(won[targets].sum())
        excess = np.where(targets, won - pairs_won / positives, won - pairs_won / negatives)
        excess /= positives * negatives
        a = np.bincount(index, np.where(targets, excess, 0.0), total)
        b = np.bincount(index, np.where(targets, 0.0, excess), total)
        aucs[k] = pairs_won / (positives * negatives)
        factors[k] = np.concatenate(
            (
                np.sqrt(max(of_positives - shared, 0.0)) * a,
                np.sqrt(max(of_negatives - shared, 0.0)) * b,
                np.sqrt(shared) * (a + b),
            )
        )
    return aucs, factors


def independent_pairs(target: ArrayLike, groups: ArrayLike | None) -> int:
    """Positive-negative pairs that can be formed with no group (no sample, without groups) in two of them.

    >>> independent_pairs([0, 0, 1, 1, 1], None), independent_pairs([0, 1, 0, 1, 1], [1, 1, 2, 2, 2])
    (2, 1)
    """
    targets = np.asarray(target).astype(np.bool_)
    total = targets.size if groups is None else int(group_numbers(groups, targets.size).max()) + 1
    return max(1, min(*carriers(targets, groups), total // 2))


def carriers(target: ArrayLike, groups: ArrayLike | None) -> tuple[int, int]:
    """Numbers of groups (of samples, without groups) that have a positive and that have a negative.

    >>> carriers([0, 1, 0, 1, 1], [1, 1, 2, 2, 3])
    (3, 2)
    """
    targets = np.asarray(target).astype(np.bool_)
    index = np.arange(targets.size) if groups is None else group_numbers(groups, targets.size)
    return int(np.count_nonzero(np.bincount(index[targets]))), int(
        np.count_nonzero(np.bincount(index[~targets]))
    )


def group_numbers(groups: ArrayLike, samples: int) -> NDArray[np.intp]:
    """Number the groups from 0, shape ``(N,)``; numbers sort faster than names.

    >>> group_numbers(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    index = group_index(groups, samples)
    return np.arange(samples) if index is None else index
