"""Logistic regression by Newton's method with step halving: what calibration fits and tests with."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from medauc.metrics._inputs import BoolArray, FloatArray


def fit_logistic(
    design: FloatArray, wanted: FloatArray, offset: FloatArray | float = 0.0, ridge: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Maximise the likelihood of ``wanted`` under ``expit(design @ weights + offset)``.

    Args:
        design: Shape ``(N, K)``, columns of similar size and full rank.
        wanted: Shares in [0, 1], shape ``(N,)``.
        offset: Added to the linear predictor, shape ``(N,)`` or one number.
        ridge: Weight of half the squared norm of ``weights``; keeps them finite when classes are separable.

    Returns:
        ``(weights, information)`` of shapes ``(K,)`` and ``(K, K)``.

    >>> weights, _ = fit_logistic(np.ones((4, 1)), np.array([0.0, 1.0, 1.0, 1.0]))
    >>> round(float(weights[0]), 6) == round(float(np.log(3)), 6)
    True
    """
    weights = np.zeros(design.shape[1])
    before = _loss(design @ weights + offset, wanted, weights, ridge)
    for _ in range(100):
        probability = expit(design @ weights + offset)
        gradient = design.T @ (probability - wanted) + ridge * weights
        information = _information(design, probability, ridge)
        # The hair on the diagonal only matters where probabilities have saturated.
        step = np.linalg.solve(information + 1e-12 * np.eye(weights.size), gradient)
        scale, after = 1.0, _loss(design @ (weights - step) + offset, wanted, weights - step, ridge)
        while after > before * (1 + 1e-12) and scale > 1e-10:  # sums of many samples round
            scale /= 2
            trial = weights - scale * step
            after = _loss(design @ trial + offset, wanted, trial, ridge)
        weights, before = weights - scale * step, after
        # Convergence is quadratic: after a step of 1e-8 the error is rounding.
        if scale == 1.0 and np.abs(step).max() < 1e-8 * max(1.0, float(np.abs(weights).max())):
            break
    return weights, _information(design, expit(design @ weights + offset), ridge)


def fit_intercept(margin: FloatArray, positives: int) -> float:
    """What added to ``margin`` makes the expected number of positives right, however far off the margins are.

    Args:
        margin: Shape ``(N,)``.
        positives: 1 to N - 1.

    >>> round(fit_intercept(np.array([-900.0, -900.0, -900.0, -900.0]), 2), 6)
    900.0
    """
    wanted = float(logit(positives / margin.size))
    low, high = wanted - float(margin.max()), wanted - float(margin.min())
    if high - low < 1e-12:
        return low
    return float(
        brentq(lambda shift: float(expit(margin + shift).sum()) - positives, low - 1e-6, high + 1e-6)
    )


def negative_log_likelihood(margin: FloatArray, wanted: FloatArray) -> float:
    """Sum of cross-entropies of ``expit(margin)`` against ``wanted``.

    >>> round(negative_log_likelihood(np.zeros(2), np.array([0.0, 1.0])), 6)
    1.386294
    """
    softplus = np.log1p(np.exp(-np.abs(margin))) + np.maximum(margin, 0.0)  # twice as fast as logaddexp
    return float(softplus.sum() - wanted @ margin)


def smoothed_targets(target: BoolArray) -> FloatArray:
    """Platt's targets: 1 to ``(m + 1) / (m + 2)``, 0 to ``1 / (n + 2)`` for m positives and n negatives.

    >>> smoothed_targets(np.array([True, False, False])).round(3).tolist()
    [0.667, 0.25, 0.25]
    """
    positives = int(target.sum())
    negatives = target.size - positives
    return np.where(target, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _loss(margin: FloatArray, wanted: FloatArray, weights: FloatArray, ridge: float) -> float:
    return negative_log_likelihood(margin, wanted) + ridge / 2 * float(weights @ weights)


def _information(design: FloatArray, probability: FloatArray, ridge: float) -> FloatArray:
    weighted = design * (probability * (1.0 - probability))[:, None]
    return np.asarray(design.T @ weighted + ridge * np.eye(design.shape[1]))
