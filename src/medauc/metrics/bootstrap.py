"""What the percentile bootstraps share."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import check_share

_BLOCK = 4_000_000  # numbers held at once: 32 MB of float64


def percentile_interval(replicates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Interval between the ``(1 - level) / 2`` quantiles at both ends of bootstrap replicates.

    Args:
        replicates: The statistic in each replicate, shape ``(B,)``.
        level: Confidence, in (0, 1).

    Returns:
        ``(low, high)``.

    Raises:
        ValueError: ``level`` outside (0, 1).

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    >>> percentile_interval(range(101), level=0.5)
    (25.0, 75.0)
    """
    tail = (1.0 - check_share(level, "level")) / 2
    low, high = np.quantile(np.asarray(replicates, dtype=np.float64), (tail, 1.0 - tail))
    return float(low), float(high)


def blocks(replicates: int, width: int) -> Iterator[slice]:
    """Split ``replicates`` rows of ``width`` numbers into slices that fit in memory.

    >>> list(blocks(5, 2_000_000))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    rows = max(1, _BLOCK // max(1, width))
    for start in range(0, replicates, rows):
        yield slice(start, min(start + rows, replicates))
