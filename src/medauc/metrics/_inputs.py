"""What every metric asks of its input, said once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]


def check_binary(target: ArrayLike, score: ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Return ``target`` as booleans and ``score`` as float64, both of shape ``(N,)``.

    Raises:
        ValueError: Shapes differ or are not ``(N,)``, a target is neither 0 nor 1, a score is not
            finite, or one of the two classes is absent.
    """
    targets, scores = check_pairs(target, score)
    positives = int(targets.sum())
    if positives in (0, targets.size):
        missing = "positive" if positives == 0 else "negative"
        raise ValueError(
            f"the metric needs both classes, but none of the {targets.size} targets is {missing}"
        )
    return targets, scores


def check_pairs(target: ArrayLike, score: ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Like :func:`check_binary`, but a single class is allowed."""
    targets, scores = np.asarray(target), np.asarray(score, dtype=np.float64)
    if targets.ndim != 1 or targets.shape != scores.shape:
        raise ValueError(f"target and score need one shape (N,), got {targets.shape} and {scores.shape}")
    if not np.isin(targets, (0, 1)).all():
        raise ValueError(f"targets must be 0 or 1, found {targets[~np.isin(targets, (0, 1))][0]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} of {scores.size} scores are not finite")
    return targets.astype(np.bool_), scores


def check_probability(target: ArrayLike, probability: ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Like :func:`check_pairs`, for at least one sample and values in [0, 1]."""
    targets, probabilities = check_pairs(target, probability)
    if not targets.size or not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("probabilities must lie in [0, 1], and at least one is needed")
    return targets, probabilities


def check_share(value: float, name: str) -> float:
    """Return ``value`` if it lies strictly between 0 and 1 (a confidence level, for one)."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")
    return float(value)
