"""Several methods on several data sets: mean ranks, and whether they differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc
from scipy.stats import rankdata

from medauc.metrics._inputs import FloatArray


@dataclass(frozen=True)
class Ranks:
    """Ranks of K methods on D data sets; 1 is best, equal figures share the mean of their ranks.

    Attributes:
        ranks: Shape ``(D, K)``.
        mean: Mean rank of each method, shape ``(K,)``.
        chi2: Friedman's statistic, corrected for ties.
        p: Its p-value by the chi-square distribution with K - 1 degrees of freedom, which is a fair approximation
            from about ten data sets on; NaN when fewer than two data sets or three methods were ranked.
    """

    ranks: FloatArray
    mean: FloatArray
    chi2: float
    p: float


def friedman_ranks(figures: ArrayLike) -> Ranks:
    """Rank methods on each data set, the highest figure first, and test whether all are equal.

    Args:
        figures: AUC or another figure of which more is better, shape ``(D, K)``, finite.

    Raises:
        ValueError: Not a finite table with a row and a column at least.

    Source:
        Friedman, J. Am. Stat. Assoc. 32 (1937) 675-701; for comparing learners: Demsar, J. Mach. Learn. Res. 7 (2006)
        1-30.

    >>> found = friedman_ranks([[0.9, 0.8, 0.7], [0.95, 0.9, 0.9], [0.8, 0.85, 0.7]])
    >>> found.mean.round(3).tolist(), round(found.chi2, 3), round(found.p, 3)
    ([1.333, 1.833, 2.833], 3.818, 0.148)
    """
    table = np.asarray(figures, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape or not np.isfinite(table).all():
        raise ValueError(f"ranks need a finite table of the shape (D, K), got {table.shape}")
    sets, methods = table.shape
    ranks = rankdata(-table, axis=1)
    mean = ranks.mean(axis=0)
    if sets < 2 or methods < 3:
        return Ranks(ranks, mean, np.nan, np.nan)
    between = sets * float(((mean - (methods + 1) / 2) ** 2).sum())
    within = float(((ranks - (methods + 1) / 2) ** 2).sum()) / (sets * (methods - 1))
    chi2 = between / within if within > 0 else 0.0
    return Ranks(ranks, mean, chi2, float(chdtrc(methods - 1, chi2)))
