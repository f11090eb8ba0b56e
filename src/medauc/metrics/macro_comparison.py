"""Whether mean AUCs over labels differ between models of the same samples."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from medauc.metrics._inputs import FloatArray
from medauc.metrics.comparison import AucTests, compare_aucs
from medauc.metrics.delong import aucs_and_influences
from medauc.metrics.proportion import group_index


def macro_auc_tests(
    targets: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> AucTests:
    """Paired tests of the mean AUC over labels, of two or more models that scored the same samples.

    The influence of a sample on a model's mean is the mean of its influences on the labels, so correlation
    between labels and between models counts; with ``groups``, influences are summed by group, and the variance
    carries the factor G / (G - 1) for G groups. With one label and no groups this is
    :func:`medauc.metrics.delong_tests`.

    Args:
        targets: 0, 1 or -1 (unknown: the sample is left out of that label), shape ``(N, L)``; at least
            two samples of each class in each label.
        scores: Real numbers, shape ``(M, N, L)`` with M of 2 or more.
        groups: Whose sample it is (the patient), shape ``(N,)``; ``None``: all samples are independent.
        level: Confidence of the intervals, in (0, 1).

    Returns:
        The tests.

    Raises:
        ValueError: Shapes do not fit, fewer than two models, ``level`` outside (0, 1); or see
            :func:`medauc.metrics.delong_covariance`.

    Source:
        DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988) 837-845: a mean of AUCs is a linear contrast.

    >>> y = [[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [1, 1]]
    >>> a = [[1, 1], [4, 2], [3, 3], [8, 8], [2, 1], [7, 5]]
    >>> b = [[1, 4], [4, 2], [3, 3], [2, 8], [2, 1], [7, 5]]
    >>> result = macro_auc_tests(y, [a, b])
    >>> result.aucs.round(3).tolist(), round(float(result.p[0]), 3)
    ([0.889, 0.75], 0.264)
    """
    target_table, score_cube = np.asarray(targets), np.asarray(scores, dtype=np.float64)
    if score_cube.ndim != 3 or len(score_cube) < 2 or target_table.shape != score_cube.shape[1:]:
        shapes = f"{target_table.shape} and {score_cube.shape}"
        raise ValueError(f"targets need the shape (N, L) and scores (M, N, L), M of 2 or more, got {shapes}")
    aucs, factors, fewest = macro_factors(target_table, score_cube, groups)

    def alike(one: int, other: int) -> bool:
        return np.array_equal(rankdata(score_cube[one], axis=0), rankdata(score_cube[other], axis=0))

    return compare_aucs(aucs, factors, fewest, alike, level)


def macro_factors(
    targets: NDArray[np.generic], scores: FloatArray, groups: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, int]:
    """Mean AUC over labels of each model, and the influences whose products are its covariance.

    Args:
        targets: Shape ``(N, L)``, as in :func:`macro_auc_tests`.
        scores: Shape ``(M, N, L)``.
        groups: Shape ``(N,)`` or ``None``.

    Returns:
        AUCs ``(M,)``; factors ``(M, F)``, of covariance ``factors @ factors.T``; disjoint positive-negative pairs
        behind each AUC.

    >>> aucs, factors, pairs = macro_factors(np.array([[0], [0], [1], [1]]), np.array([[[1.0], [3], [2], [4]]]))
    >>> float(aucs[0]), factors.shape, pairs
    (0.75, (1, 4), 2)
    """
    models, samples, labels = scores.shape
    aucs, factors, fewest = np.zeros(models), np.zeros((models, samples)), samples
    for label, target in enumerate(targets.T):
        known = target != -1
        found, influence = aucs_and_influences(target[known], scores[:, known, label])
        aucs += found / labels
        factors[:, known] += influence / labels
        fewest = min(fewest, int((target == 1).sum()), int((target == 0).sum()))
    index = None if groups is None else group_index(groups, samples)
    if index is not None:
        count = int(index.max()) + 1
        summed = np.array([np.bincount(index, row) for row in factors])
        factors, fewest = summed * np.sqrt(count / max(count - 1, 1)), min(fewest, count)
    return aucs, factors, fewest
