"""The mean over repeated random splits of the same samples, with an interval that knows that they overlap."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from medauc.metrics._inputs import check_share
from medauc.metrics.estimate import Estimate


def resampled_mean(values: ArrayLike, test_ratio: float, level: float = 0.95) -> Estimate:
    """Mean of a figure over random splits, each trained and judged anew, with the corrected resampled t interval.

    Trainings on splits of the same samples share most of them, so the variance over splits is too small by far for the
    error of their mean; it is multiplied by ``1 / R + test_ratio`` in place of ``1 / R``. For the difference of two
    methods, give the differences on the same splits.

    Args:
        values: The figure (an AUC, a difference of AUCs) on each split, shape ``(R,)``.
        test_ratio: Samples that a split judges by, over those that it trains on; above 0.
        level: Confidence of the interval.

    Returns:
        The mean, its bounds NaN where there is but one split. An AUC's bounds may lie outside 0 to 1.

    Raises:
        ValueError: No values, one that is not finite, or ``test_ratio`` not above 0.

    Source:
        Nadeau & Bengio, Inference for the generalization error, Mach. Learn. 52 (2003) 239-281, section 4.2.

    >>> mean, low, high = resampled_mean([0.80, 0.84, 0.82, 0.78, 0.86], test_ratio=1 / 4)
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (0.82, 0.761, 0.879)
    """
    check_share(level, "level")
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not found.size or not np.isfinite(found).all() or not test_ratio > 0:
        raise ValueError(
            f"needs finite values of shape (R,) and a ratio above 0, got {found.shape} and {test_ratio}"
        )
    mean = float(found.mean())
    if found.size == 1:
        return Estimate(mean, np.nan, np.nan)
    error = float(np.sqrt(found.var(ddof=1) * (1 / found.size + test_ratio)))
    half = float(stdtrit(found.size - 1, 0.5 + level / 2)) * error
    return Estimate(mean, mean - half, mean + half)
