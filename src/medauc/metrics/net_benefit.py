"""Decision curves: what a model is worth to someone who trades missed cases against false alarms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray, check_binary, check_share
from medauc.metrics.proportion import mover, wilson_interval

Band = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at each threshold probability; every array has the shape ``(T,)``.

    Attributes:
        threshold: Probability from which a person would act.
        net_benefit: True positives less false positives weighted by the odds of the threshold, per sample.
        low: Lower bound, pointwise.
        high: Upper bound, pointwise.
        treat_all: Net benefit of acting on everyone; that of acting on no one is 0.
        standardized: Net benefit as a share of the largest possible one, the prevalence; at most 1.
        standardized_low: Lower bound, pointwise.
        standardized_high: Upper bound, pointwise.
        prevalence: That of the data, or the stated one.
        level: Confidence of the bounds.
    """

    threshold: FloatArray
    net_benefit: FloatArray
    low: FloatArray
    high: FloatArray
    treat_all: FloatArray
    standardized: FloatArray
    standardized_low: FloatArray
    standardized_high: FloatArray
    prevalence: float
    level: float


def net_benefit(
    target: ArrayLike,
    probability: ArrayLike,
    thresholds: ArrayLike | None = None,
    prevalence: float | None = None,
    level: float = 0.95,
) -> DecisionCurve:
    """Net benefit of calling positive whoever has ``probability >= threshold``, against all and none.

    ``net benefit = prevalence * sensitivity - (1 - prevalence) * (1 - specificity) * t / (1 - t)``. The bounds
    combine Wilson's intervals of the two shares (MOVER): true and false positives among all samples,
    which are correlated, or, where the prevalence is stated because the data were sampled by class,
    sensitivity and false positive rate, which are not.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], calibrated on other data (for the stated prevalence, if one is stated), shape ``(N,)``.
        thresholds: In [0, 1), shape ``(T,)``; by default 0.01, 0.02, ..., 0.99.
        prevalence: Share of positives where the model will be used, in (0, 1); ``None``: as in these data.
        level: Confidence of the pointwise bounds, in (0, 1).

    Returns:
        The curve.

    Raises:
        ValueError: A probability outside [0, 1], a threshold outside [0, 1), ``prevalence`` or ``level`` outside
            (0, 1); or see :func:`medauc.metrics._inputs.check_binary`.

    Source:
        Vickers & Elkin, Med. Decis. Making 26 (2006) 565-574; standardised: Kerr et al., J. Clin. Oncol. 34
        (2016) 2534-2540; sampled by class: Pfeiffer & Gail, Am. J. Epidemiol. 189 (2020) 482-490.

    >>> curve = net_benefit([0, 0, 0, 1, 1], [0.1, 0.2, 0.7, 0.6, 0.9], [0.2, 0.5])
    >>> curve.net_benefit.round(3).tolist(), curve.treat_all.round(3).tolist()
    ([0.3, 0.2], [0.25, -0.2])
    """
    targets, probabilities = check_binary(target, probability)
    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("probabilities must lie in [0, 1]")
    threshold = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if threshold.ndim != 1 or not ((threshold >= 0.0) & (threshold < 1.0)).all():
        raise ValueError("thresholds must lie in [0, 1) and have the shape (T,)")
    check_share(level, "level")
    positives, negatives = int(targets.sum()), int((~targets).sum())
    tp = _at_or_above(probabilities[targets], threshold)
    fp = _at_or_above(probabilities[~targets], threshold)
    odds = threshold / (1.0 - threshold)
    if prevalence is None:
        share = positives / targets.size
        plain = _by_sample(tp, fp, targets.size, odds, level)
        standard = _standardized_by_sample(tp, fp, positives, odds, level)
    else:
        share = check_share(prevalence, "prevalence")
        rates = _wilson_band(tp, positives, level), _wilson_band(fp, negatives, level)
        plain = mover(*rates, (share, -(1 - share) * odds))
        standard = mover(*rates, (1.0, -(1 - share) / share * odds))
    treat_all = share - (1 - share) * odds
    return DecisionCurve(threshold, *plain, treat_all, *standard, prevalence=share, level=level)


def _at_or_above(probability: FloatArray, threshold: FloatArray) -> FloatArray:
    return (probability.size - np.searchsorted(np.sort(probability), threshold)).astype(np.float64)


def _wilson_band(successes: FloatArray, trials: FloatArray | int, level: float) -> Band:
    return successes / trials, *wilson_interval(successes, trials, level)


def _by_sample(tp: FloatArray, fp: FloatArray, n: int, odds: FloatArray, level: float) -> Band:
    """Shares of one multinomial draw, hence negatively correlated."""
    correlation = -np.sqrt(tp * fp / np.maximum((n - tp) * (n - fp), 1.0))
    return mover(_wilson_band(tp, n, level), _wilson_band(fp, n, level), (1.0, -odds), correlation)


def _standardized_by_sample(
    tp: FloatArray, fp: FloatArray, positives: int, odds: FloatArray, level: float
) -> Band:
    """``sensitivity - odds * fp / positives``; fp / positives is the odds of the proportion fp / (fp + positives)."""
    share, low, high = _wilson_band(fp, fp + positives, level)
    alarms = share / (1 - share), low / (1 - low), high / (1 - high)
    return mover(_wilson_band(tp, positives, level), alarms, (1.0, -odds))
