"""Two models' calls on the same samples: the difference of their rates, and McNemar's exact test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve
from scipy.stats import binom

from medauc.metrics._inputs import FloatArray, check_pairs
from medauc.metrics.estimate import Estimate
from medauc.metrics.proportion import clustered_proportion, group_index, mover


@dataclass(frozen=True)
class PairedProportions:
    """How often each of two models is right on the same samples.

    Attributes:
        first: Share of samples where the first is right, with its interval.
        second: The same for the second.
        difference: First less second, with its interval.
        only_first: Number of samples where the first alone is right.
        only_second: Number where the second alone is right.
        p: Two-sided p-value of McNemar's exact test that both shares are equal.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    only_first: int
    only_second: int
    p: float


def paired_proportions(
    first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> PairedProportions:
    """Compare two proportions of the same samples: two models' sensitivities on the positives, say.

    The interval of the difference adds Wilson's intervals in squares, with the correlation of the two. The test is
    exact: if the models are alike, each sample that only one of them got right is as likely to be the first's
    as the second's. With ``groups``, the intervals are :func:`medauc.metrics.clustered_proportion`'s,
    correlation is taken between group totals, and the test changes sides for a whole group at a time: each group's
    surplus of the first over the second is as likely to be positive as negative. With one sample a group
    both are the plain ones.

    Args:
        first: 1 where the first model is right, else 0, shape ``(N,)``, N of 1 or more.
        second: The same for the second model.
        groups: Name of each sample's group (patient), shape ``(N,)``.
        level: Confidence of the intervals, in (0, 1).

    Returns:
        Shares, difference, discordant samples and p-value.

    Raises:
        ValueError: Shapes differ, a value other than 0 and 1, no samples, or ``level`` outside (0, 1).

    Source:
        Newcombe, Stat. Med. 17 (1998) 2635-2650, method 10; McNemar, Psychometrika 12 (1947) 153-157, in
        the exact form; a group's sign at random: Fisher, The Design of Experiments (1935), section 21.

    >>> a = [1] * 20 + [1] * 12 + [0] * 2 + [0] * 16  # both right, first only, second only, none
    >>> b = [1] * 20 + [0] * 12 + [1] * 2 + [0] * 16
    >>> result = paired_proportions(a, b)
    >>> [round(x, 4) for x in result.difference], round(result.p, 4)
    ([0.2, 0.0562, 0.3292], 0.0129)
    """
    right, _ = check_pairs(first, np.zeros(np.shape(first)))
    other, _ = check_pairs(second, np.zeros(right.shape))
    names = np.arange(right.size) if groups is None else np.asarray(groups)
    estimates = clustered_proportion(right, names, level), clustered_proportion(other, names, level)
    index = group_index(names, right.size)
    units = np.arange(right.size) if index is None else index
    value, low, high = mover(*estimates, (1.0, -1.0), _correlation(right, other, units))
    surplus = np.bincount(units, right).astype(np.int64) - np.bincount(units, other).astype(np.int64)
    return PairedProportions(
        first=estimates[0],
        second=estimates[1],
        difference=Estimate(float(value), float(low), float(high)),
        only_first=int((right & ~other).sum()),
        only_second=int((other & ~right).sum()),
        p=_sign_test(surplus),
    )


def _correlation(first: NDArray[np.bool_], second: NDArray[np.bool_], units: NDArray[np.intp]) -> float:
    """Correlation of the two shares over units, where positive less Newcombe's continuity correction."""
    p, q = float(first.mean()), float(second.mean())
    if p in (0.0, 1.0) or q in (0.0, 1.0):
        return 0.0
    size = np.bincount(units)
    a, b = np.bincount(units, first) - p * size, np.bincount(units, second) - q * size
    spread = float(np.sqrt((a @ a) * (b @ b)))
    if spread == 0.0:
        return 0.0
    rho = float(a @ b) / spread
    correction = 1.0 / (2.0 * size.size * np.sqrt(p * (1.0 - p) * q * (1.0 - q)))
    return max(rho - correction, 0.0) if rho > 0.0 else rho


def _sign_test(surplus: NDArray[np.int64]) -> float:
    """Two-sided p of the sum of ``surplus`` when each entry's sign is a fair coin."""
    sizes, counts = np.unique(np.abs(surplus[surplus != 0]), return_counts=True)
    total = int(sizes @ counts)
    tail = (total - abs(int(surplus.sum()))) // 2  # sum of the entries on the smaller side
    if sizes.size == 0:
        return 1.0
    if sizes.size == 1:
        return min(1.0, 2.0 * float(binom.cdf(tail // int(sizes[0]), int(counts[0]), 0.5)))
    chances = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        chances = fftconvolve(chances, _coins(int(size), int(count)))
    return min(1.0, 2.0 * float(np.maximum(chances[: tail + 1], 0.0).sum()))


def _coins(size: int, count: int) -> FloatArray:
    """Chances of each sum of ``count`` fair coins worth ``size``."""
    chances = np.zeros(size * count + 1)
    chances[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
    return chances
