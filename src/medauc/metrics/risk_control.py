"""Thresholds with a finite-sample guarantee, whatever the distribution of the scores."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from medauc.metrics._inputs import check_pairs, check_share


@dataclass(frozen=True)
class ControlledThreshold:
    """A threshold that guarantees a rate, or the reason why these data cannot give one.

    Attributes:
        threshold: Samples with ``score >= threshold`` are called positive; ``None`` if the data do not suffice.
        cases: Samples of the class that the rate is about.
        cases_needed: How many of them the guarantee takes at least.
        misses: How many of them lie on the wrong side of the threshold here, at most; 0 without a threshold.
        reason: Why there is no threshold; ``None`` if there is one.
    """

    threshold: float | None
    cases: int
    cases_needed: int
    misses: int
    reason: str | None


def controlled_threshold(
    target: ArrayLike,
    score: ArrayLike,
    at_least: float = 0.95,
    rate: Literal["sensitivity", "specificity"] = "sensitivity",
    confidence: float | None = 0.95,
) -> ControlledThreshold:
    """Threshold that keeps sensitivity (or specificity) on new data at ``at_least`` or above.

    For sensitivity it is the largest threshold with the guarantee, so it costs the least specificity; for
    specificity the smallest. It is an order statistic of the scores of the positives (negatives), and the
    guarantee is exact for any distribution, ties included, as long as those samples are independent draws
    of those to come: give one sample per patient, and fit nothing else on the same data that moves scores.

    With ``confidence``, the draw of these data is good with at least that probability, and then the rate on
    the population is ``at_least`` or more; equivalently, the lower Clopper-Pearson bound of the rate
    is. With ``confidence=None``, the rate is ``at_least`` or more on average over draws of these data,
    which takes fewer cases (conformal risk control).

    Args:
        target: 0 or 1, shape ``(N,)``; one class alone is allowed. Validation data, never test.
        score: Real numbers, shape ``(N,)``.
        at_least: Rate to guarantee, in (0, 1).
        rate: Which rate.
        confidence: Probability of the guarantee, in (0, 1); ``None`` for the guarantee on average.

    Returns:
        The threshold, or the reason for its absence and the number of cases that would do.

    Raises:
        ValueError: ``at_least`` or ``confidence`` outside (0, 1), another rate; or see
            :func:`medauc.metrics._inputs.check_pairs`.

    Source:
        Wilks, Ann. Math. Stat. 12 (1941) 91-96 (tolerance bounds); Bates et al., J. ACM 68 (2021) 43; on
        average: Angelopoulos, Bates, Fisch, Lei & Schuster, Conformal risk control, ICLR 2024.

    >>> y, s = [0] * 100 + [1] * 100, [*range(100), *range(50, 150)]
    >>> controlled_threshold(y, s)
    ControlledThreshold(threshold=51.0, cases=100, cases_needed=59, misses=1, reason=None)
    >>> controlled_threshold(y[80:150], s[80:150]).reason
    'sensitivity of 0.95 with confidence 0.95 takes 59 positives at least, there are 50'
    """
    if rate not in ("sensitivity", "specificity"):
        raise ValueError(f"rate must be 'sensitivity' or 'specificity', got {rate!r}")
    check_share(at_least, "at_least")
    if confidence is not None:
        check_share(confidence, "confidence")
    targets, scores = check_pairs(target, score)
    sensitive = rate == "sensitivity"
    ranked = np.sort(scores[targets] if sensitive else -scores[~targets])
    misses, needed = _allowed_misses(ranked.size, at_least, confidence), _cases_needed(at_least, confidence)
    if misses < 0:
        sure = "on average" if confidence is None else f"with confidence {confidence:g}"
        cases = "positives" if sensitive else "negatives"
        reason = f"{rate} of {at_least:g} {sure} takes {needed} {cases} at least, there are {ranked.size}"
        return ControlledThreshold(None, int(ranked.size), needed, 0, reason)
    bound = float(ranked[misses])
    # A negative at the bound itself must still be called negative.
    threshold = bound if sensitive else float(np.nextafter(-bound, np.inf))
    return ControlledThreshold(threshold, int(ranked.size), needed, misses, None)


def _allowed_misses(cases: int, at_least: float, confidence: float | None) -> int:
    """Most misses among ``cases`` with which the guarantee holds; -1 if not even 0 will do."""
    if confidence is None:
        # Rounding: 20 cases at 0.95 allow (20 + 1) * 0.05 - 1 = 0.05, so 0 misses, and 19 exactly 0.
        return int(np.floor((cases + 1) * (1 - at_least) - 1 + 1e-9))
    low, high = -1, cases
    while high - low > 1:  # P(misses <= m) rises with m: find the last one that stays below 1 - confidence
        middle = (low + high) // 2
        if bdtr(middle, cases, 1 - at_least) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def _cases_needed(at_least: float, confidence: float | None) -> int:
    if confidence is None:
        return int(np.ceil(1 / (1 - at_least) - 1 - 1e-9))
    return int(np.ceil(np.log(1 - confidence) / np.log(at_least) - 1e-9))
