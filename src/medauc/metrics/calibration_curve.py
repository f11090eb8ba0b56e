"""Flexible calibration curve: the chance of the outcome as a smooth function of the probability."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtri

from medauc.metrics._inputs import FloatArray, check_probability, check_share
from medauc.metrics._logistic import fit_logistic
from medauc.metrics.calibration import finite_logit

# Quantiles at which Harrell places the knots of a restricted cubic spline.
_KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
_RIDGE = (
    1e-4  # per unit of standardised weight: unseen unless the classes are separable, then it ends the climb
)


@dataclass(frozen=True)
class CalibrationCurve:
    """A flexible calibration curve with its pointwise band, and what it says of the samples.

    Attributes:
        probability: Where the curve is given, rising from the smallest to the largest probability, shape ``(P,)``.
        observed: Estimated share of positives there, shape ``(P,)``; the diagonal is right.
        low: Lower bound of ``observed``, shape ``(P,)``.
        high: Upper bound of ``observed``, shape ``(P,)``.
        ici: Integrated calibration index: mean distance of curve and probability over the samples.
        e50: Median distance.
        e90: 90% quantile of the distance.
        emax: Largest distance.
        level: Confidence of the band.
    """

    probability: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray
    ici: float
    e50: float
    e90: float
    emax: float
    level: float


def calibration_curve(
    target: ArrayLike, probability: ArrayLike, knots: int = 4, points: int = 101, level: float = 0.95
) -> CalibrationCurve:
    """Fit a logistic regression on a restricted cubic spline of the logit of the probability.

    The band is a normal interval on the logit scale by the delta method; it takes the form of the curve
    for given. As a mean of distances, ``ici`` is above 0 for a calibrated score too, the more so the fewer
    the samples. With too few distinct probabilities for the knots the curve has fewer, down to a
    straight line on the logit scale, or a constant. Where the classes are separable the curve is a steep
    step and its band wide; with a single class it runs close to 0 or 1.

    Args:
        target: 0 or 1, shape ``(N,)``.
        probability: In [0, 1], shape ``(N,)``; kept off 0 and 1 by the machine epsilon, to have a logit.
        knots: 3, 4 or 5.
        points: Number of points of the curve, 2 or more, at equal steps of probability.
        level: Confidence of the band, in (0, 1).

    Returns:
        The curve.

    Raises:
        ValueError: ``knots`` or ``points`` out of range, ``level`` outside (0, 1); or see
            :func:`medauc.metrics._inputs.check_probability`.

    Source:
        Harrell, Regression Modeling Strategies (2015), section 2.4; curve: Van Calster et al., J. Clin.
        Epidemiol. 74 (2016) 167-176; ICI, E50, E90: Austin & Steyerberg, Stat. Med. 38 (2019) 4051-4065.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(4000)
    >>> curve = calibration_curve(rng.random(4000) < p**2, p)
    >>> bool(curve.low[50] < 0.25 < curve.high[50]), float(curve.high[50] - curve.low[50]) < 0.1
    (True, True)
    >>> round(curve.ici, 2)  # the integral of p - p^2
    0.17
    """
    targets, probabilities = check_probability(target, probability)
    if knots not in _KNOTS or points < 2:
        raise ValueError(f"knots must be 3, 4 or 5 and points 2 or more, got {knots} and {points}")
    z = float(ndtri(0.5 + check_share(level, "level") / 2))
    margin, grid = finite_logit(probabilities), np.linspace(probabilities.min(), probabilities.max(), points)
    places = np.unique(np.quantile(margin, _KNOTS[knots]))
    basis = _spline(margin, places)
    scale = np.where(np.ptp(basis, axis=0) > 0, basis.std(axis=0), np.inf)  # a constant column drops out
    design = _standardized(basis, basis.mean(axis=0), scale)
    # An orthogonal design of unit variance: Newton converges and the ridge treats all directions alike.
    _, triangle = np.linalg.qr(design)
    rotation = np.linalg.pinv(triangle, rcond=1e-10) * targets.size**0.5
    weights, information = fit_logistic(design @ rotation, targets.astype(np.float64), ridge=_RIDGE)
    drawn = _standardized(_spline(finite_logit(grid), places), basis.mean(axis=0), scale) @ rotation
    half = z * np.sqrt(np.einsum("pk,pk->p", drawn, np.linalg.solve(information, drawn.T).T))
    distance = np.abs(expit(design @ rotation @ weights) - probabilities)
    return CalibrationCurve(
        probability=grid,
        observed=expit(drawn @ weights),
        low=expit(drawn @ weights - half),
        high=expit(drawn @ weights + half),
        ici=float(distance.mean()),
        e50=float(np.median(distance)),
        e90=float(np.quantile(distance, 0.9)),
        emax=float(distance.max()),
        level=level,
    )


def _spline(margin: FloatArray, knots: FloatArray) -> FloatArray:
    """Restricted cubic spline, linear beyond the outer knots: columns x and one for each inner knot."""
    if knots.size < 3:
        return margin[:, None]

    def cube(place: float) -> FloatArray:
        return np.maximum(margin - place, 0.0) ** 3

    *inner, before, last = knots.tolist()
    bends = [
        cube(place)
        - cube(before) * (last - place) / (last - before)
        + cube(last) * (before - place) / (last - before)
        for place in inner
    ]
    return np.column_stack((margin, *bends))


def _standardized(basis: FloatArray, centre: FloatArray, scale: FloatArray) -> FloatArray:
    return np.column_stack((np.ones(len(basis)), (basis - centre) / scale))
