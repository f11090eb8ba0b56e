"""Two methods, several training seeds each, one test set: whether one ranks better, seeds and cases counted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from medauc.metrics._inputs import FloatArray, check_share
from medauc.metrics.estimate import Estimate
from medauc.metrics.macro_comparison import macro_factors
from medauc.metrics.seeds import mean_over_seeds


@dataclass(frozen=True)
class SeedDifference:
    """AUC of one method less that of another, over seeds.

    Attributes:
        difference: Mean over seeds, with the interval that counts both the seeds and the test cases as samples.
        differences: Difference at each seed, shape ``(S,)``.
        spread: Standard deviation of ``differences``.
        p: Two-sided p-value.
        degrees: Degrees of freedom of both.
    """

    difference: Estimate
    differences: FloatArray
    spread: float
    p: float
    degrees: float


def seed_difference(
    target: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    level: float = 0.95,
    groups: ArrayLike | None = None,
) -> SeedDifference:
    """Mean difference of AUC between two methods trained with the same seeds, for new seeds and new cases.

    The model of :func:`medauc.metrics.seed_interval` with the difference at each seed in place of the AUC; the cases
    enter by the paired influences of DeLong, so cases that both methods rank alike cancel. With several labels the
    figure is the mean AUC over labels. The interval is ``difference +- t sqrt(variance)``.

    Args:
        target: 0 or 1, shape ``(N,)``, or 0, 1, -1 (unknown), shape ``(N, L)``; at least two of each class.
        scores_a: Real numbers, one row a seed, shape ``(S, N)`` or ``(S, N, L)`` with S of 2 or more.
        scores_b: The other method's, same shape, row by row the same seeds.
        level: Confidence, in (0, 1).
        groups: Whose sample it is, shape ``(N,)``; ``None``: all samples are independent.

    Returns:
        The difference. Where neither seeds nor cases make it vary, p is 1 for a difference of 0, else Hoeffding's
        bound, as in :func:`medauc.metrics.delong_test`.

    Raises:
        ValueError: Shapes do not fit, fewer than two seeds, ``level`` outside (0, 1).

    Source:
        Obuchowski & Rockette, Commun. Stat. Simul. 24 (1995) 285-308; degrees of freedom: Hillis, Stat. Med. 26
        (2007) 596-619.

    >>> y = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> a = [[1, 2, 3, 5, 4, 6, 7, 8], [2, 1, 5, 3, 4, 6, 7, 8]]
    >>> b = [[1, 6, 3, 5, 4, 2, 7, 8], [2, 1, 6, 7, 4, 5, 3, 8]]
    >>> found = seed_difference(y, a, b)
    >>> found.differences.tolist(), round(found.difference.value, 4), round(found.p, 3)
    ([0.25, 0.3125], 0.2812, 0.093)
    """
    check_share(level, "level")
    targets, one, other = np.asarray(target), *(np.asarray(s, dtype=np.float64) for s in (scores_a, scores_b))
    if targets.ndim == 1:
        targets, one, other = targets[:, None], one[..., None], other[..., None]
    if one.ndim != 3 or one.shape != other.shape or len(one) < 2 or one.shape[1:] != targets.shape:
        raise ValueError(
            "both methods need scores of the shape (S, N) or (S, N, L) with the same S of 2 or more, "
            f"got {np.shape(scores_a)} and {np.shape(scores_b)} for targets {np.shape(target)}"
        )
    count = len(one)
    aucs, factors, pairs = macro_factors(targets, np.concatenate((one, other)), groups)
    differences = aucs[:count] - aucs[count:]
    found = mean_over_seeds(differences, factors[:count] - factors[count:])
    if found.variance > 0.0:
        error = found.variance**0.5
        half = float(stdtrit(found.degrees, 0.5 + level / 2)) * error
        p = 2.0 * float(stdtr(found.degrees, -abs(found.mean) / error))
    else:
        half = float(np.sqrt(2.0 * np.log(2.0 / (1.0 - level)) / pairs)) if found.mean else 0.0
        p = min(1.0, 2.0 * float(np.exp(-pairs * found.mean**2 / 2)))
    return SeedDifference(
        difference=Estimate(found.mean, max(found.mean - half, -1.0), min(found.mean + half, 1.0)),
        differences=differences,
        spread=found.spread,
        p=p,
        degrees=found.degrees,
    )
