"""Interval of a proportion."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from medauc.metrics._inputs import FloatArray, check_share


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Wilson's score interval of a proportion, without continuity correction.

    Args:
        successes: Number of successes, 0 to ``trials``; any shape.
        trials: Number of trials, at least 1; any shape that broadcasts.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)`` in [0, 1], of the broadcast shape. With 0 successes ``low`` is exactly 0, with
        ``trials`` successes ``high`` is exactly 1.

    Raises:
        ValueError: A count outside its range, or ``level`` outside (0, 1).

    Source:
        Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.

    >>> low, high = wilson_interval(45, 50)
    >>> round(float(low), 4), round(float(high), 4)
    (0.7864, 0.9565)
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if not ((n >= 1) & (k >= 0) & (k <= n)).all():
        raise ValueError("wilson_interval needs 0 <= successes <= trials and at least one trial")
    z = float(ndtri(0.5 + check_share(level, "level") / 2))
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1.0))
    return low, high
