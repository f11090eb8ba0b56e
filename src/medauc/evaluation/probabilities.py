"""From scores to probabilities: a map fitted on validation, judged on test before and after."""

from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from medauc.evaluation import methods
from medauc.evaluation.figures import Calibration, Curve, Figure, ProbabilityFigures
from medauc.evaluation.methods import Method, figure
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.settings import Settings
from medauc.metrics import (
    CalibrationMap,
    Estimate,
    brier_decomposition,
    brier_interval,
    brier_skill,
    calibration_curve,
    calibration_error_interval,
    calibration_intercept,
    calibration_slope,
    fit_calibration,
    log_loss_interval,
    observed_expected_ratio,
    spiegelhalter_test,
)

FloatArray = NDArray[np.float64]
FEWEST_FOR_CURVE = 20  # test samples; a flexible curve through fewer shows noise


def calibrate(val: Predictions, test: Predictions, label: str | None, settings: Settings) -> Calibration:
    """Fit the map on validation and judge the probabilities on test, before and after it.

    Args:
        val: Validation rows with both classes of the label.
        test: Test rows with both classes of the label.
        label: Which label.
        settings: Method and level; the method is not "none".
    """
    target, score = val.known(label)
    groups = val.known_groups(label) if val.has_repeated_groups else None
    assert settings.calibration != "none"
    fitted = fit_calibration(target, score, settings.calibration, groups=groups)
    outcome, raw = test.known(label)
    reading = _reading(np.concatenate((score, raw)))
    return Calibration(
        label=label,
        method=fitted.method,
        map=fitted.to_dict(),
        fitted_on="val",
        applied_to="test",
        uncalibrated=reading,
        before=_judge(outcome, raw if reading == "score" else np.asarray(expit(raw)), settings.level),
        after=_judge(outcome, fitted.apply(raw), settings.level),
    )


def calibrated(score: FloatArray, calibration: Calibration) -> FloatArray:
    """Probabilities after the fitted map."""
    return CalibrationMap.from_dict(calibration.map).apply(score)


def uncalibrated(score: FloatArray, calibration: Calibration) -> FloatArray:
    """Probabilities before the map, in the reading that ``calibration.uncalibrated`` names."""
    return score if calibration.uncalibrated == "score" else np.asarray(expit(score))


def judge_part(part: Predictions, fit: Calibration, level: float) -> ProbabilityFigures:
    """How good the calibrated probabilities of some rows are, by the map that was fitted for all."""
    target, score = part.known(fit.label)
    return _judge(target, calibrated(score, fit), level)


def _reading(scores: FloatArray) -> Literal["score", "logistic(score)"]:
    return "score" if bool(((scores >= 0.0) & (scores <= 1.0)).all()) else "logistic(score)"


def _judge(target: NDArray[np.int8], probability: FloatArray, level: float) -> ProbabilityFigures:
    n = int(target.size)

    def make(estimate: tuple[float, float, float], method: Method) -> Figure:
        return figure(estimate, level, n, method)

    parts, p = brier_decomposition(target, probability), spiegelhalter_test(target, probability)[1]
    curve = calibration_curve(target, probability, level=level) if n >= FEWEST_FOR_CURVE else None
    return ProbabilityFigures(
        intercept=make(calibration_intercept(target, probability, level), methods.COX),
        slope=make(calibration_slope(target, probability, level), methods.COX),
        observed_expected=make(
            observed_expected_ratio(target, probability, level), methods.OBSERVED_EXPECTED
        ),
        brier=make(brier_interval(target, probability, level), methods.BRIER),
        brier_skill=make(brier_skill(target, probability, level), methods.BRIER_SKILL),
        reliability=parts.reliability,
        resolution=parts.resolution,
        uncertainty=parts.uncertainty,
        within_bins=parts.within_bins,
        log_loss=make(log_loss_interval(target, probability, level), methods.LOG_LOSS),
        ece=make(Estimate(*calibration_error_interval(target, probability, level=level)), methods.ECE),
        ici=None if curve is None else curve.ici,
        spiegelhalter_p=p,
        curve=None
        if curve is None
        else Curve(
            x=_list(curve.probability), y=_list(curve.observed), low=_list(curve.low), high=_list(curve.high)
        ),
    )


def _list(values: FloatArray) -> list[float]:
    return cast(list[float], values.tolist())
