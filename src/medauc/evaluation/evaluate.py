"""From predictions to an evaluation: everything chosen on validation, everything reported on test."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from medauc.errors import InputError
from medauc.evaluation.caveats import caveats
from medauc.evaluation.figures import (
    Calibration,
    Discrimination,
    Evaluation,
    Figure,
    OperatingPoint,
    SplitEvaluation,
)
from medauc.evaluation.predictions import Predictions
from medauc.metrics import (
    FEW_CASES,
    average_precision_interval,
    brier_interval,
    calibration_error_interval,
    confusion_counts,
    delong_interval,
    delong_variance,
    hoeffding_interval,
    macro_auc_interval,
    platt_apply,
    platt_fit,
    roc_auc,
    threshold_at_sensitivity,
    threshold_at_specificity,
    wilson_interval,
    youden_threshold,
)

_DELONG = "DeLong, score interval"
_MACRO = "mean over labels, DeLong influences summed by sample, logit scale"
_HOEFFDING = "Hoeffding bound, since DeLong's variance is 0 or rests on too few cases"
_BOUND = "least AUPRC at the Hoeffding bound of the AUROC, since resampling tells too little"
_INFLUENCE = "influence function, Student's t on the logit scale"
_BRIER = "normal interval of a mean"
_ECE = "10 equal-mass bins, confidence ball around their gaps"


def evaluate(
    predictions: Predictions,
    *,
    level: float = 0.95,
    target_specificity: float = 0.90,
    target_sensitivity: float = 0.95,
    calibration: Literal["none", "platt"] = "platt",
    positive_name: str | None = None,
) -> Evaluation:
    """Compute every figure of an evaluation.

    Thresholds and Platt's map come from the split "val" and are applied to "test". Without a validation split
    that has both classes there are none, and a warning says so: nothing is ever chosen on test.
    Equal predictions give equal figures; the bootstrap has a fixed seed.

    Args:
        predictions: The table; needs a test split with both classes (in one label at least).
        level: Confidence of every interval, in (0, 1).
        target_specificity: Specificity of the second operating point, in (0, 1).
        target_sensitivity: Sensitivity of the third operating point, in (0, 1).
        calibration: Whether to fit Platt's map.
        positive_name: What a target of 1 means ("malignant"), for people to read.

    Returns:
        The evaluation; ``warnings`` lists what a reader must know to judge it.

    Raises:
        InputError: No test rows, a test split with one class, or a level or rate outside (0, 1).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 400)
    >>> split = lambda name: Predictions.from_arrays(
    ...     split=name, ids=range(400), targets=y, scores=y + rng.normal(size=400))
    >>> result = evaluate(Predictions.concatenate([split("val"), split("test")]))
    >>> result.test.auroc.text()
    '0.738 [0.686, 0.783]'
    >>> [point.name for point in result.operating_points]
    ['youden', 'specificity 0.90', 'sensitivity 0.95']
    """
    for name, share in (
        ("level", level),
        ("specificity", target_specificity),
        ("sensitivity", target_sensitivity),
    ):
        if not 0.0 < share < 1.0:
            raise InputError(f"evaluate: {name} must lie between 0 and 1, got {share}")
    labels: tuple[str | None, ...] = predictions.labels or (None,)
    test, val = predictions.select("test"), predictions.select("val")
    _require_test(test, labels)
    points: list[OperatingPoint] = []
    maps: list[Calibration] = []
    for label in labels:
        if val.has_both_classes(label) and test.has_both_classes(label):
            points += _operating_points(val, test, label, level, target_specificity, target_sensitivity)
            maps += [_calibration(val, test, label, level)] if calibration == "platt" else []
    return Evaluation(
        level=level,
        positive_name=positive_name,
        label_names=list(predictions.labels),
        splits={name: _split(predictions.select(name), level) for name in predictions.splits},
        operating_points=points,
        calibration=maps,
        warnings=caveats(predictions, maps),
    )


def calibrated(score: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Probabilities after Platt's map."""
    return platt_apply(score, calibration.slope, calibration.intercept)


def uncalibrated(score: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Probabilities before Platt's map, in the reading that ``calibration.uncalibrated`` names."""
    return score if calibration.uncalibrated == "score" else np.asarray(expit(score))


def _require_test(test: Predictions, labels: tuple[str | None, ...]) -> None:
    if not test.n:
        raise InputError("the predictions have no row with split 'test'; an evaluation needs test data")
    if not any(test.has_both_classes(label) for label in labels):
        positives, negatives = test.class_sizes(labels[0])
        found = (
            f"{positives} positives and {negatives} negatives" if labels[0] is None else "no label with both"
        )
        raise InputError(
            f"the test split needs positives and negatives, it has {found}; no AUC can be computed"
        )


def _split(part: Predictions, level: float) -> SplitEvaluation:
    n_groups = len(set(part.groups))
    if not part.labels:
        return SplitEvaluation(**_discrimination(part, None, level).model_dump(), n_groups=n_groups)
    each = {label: _discrimination(part, label, level) for label in part.labels}
    macro = [label for label, found in each.items() if min(found.n_positive, found.n_negative) >= 2]
    positive = int(np.any([part.target(label) == 1 for label in part.labels], axis=0).sum())
    return SplitEvaluation(
        n=part.n,
        n_positive=positive,
        n_negative=part.n - positive,
        prevalence=positive / part.n,
        auroc=_macro(part, macro, level) if macro else None,
        auprc=None,
        n_groups=n_groups,
        labels=each,
        macro_labels=macro,
    )


def _discrimination(part: Predictions, label: str | None, level: float) -> Discrimination:
    target, score = part.known(label)
    positives, negatives = part.class_sizes(label)
    auroc = auprc = None
    if min(positives, negatives) > 0:
        auroc = _auroc(target, score, min(positives, negatives), level)
        resampled = min(positives, negatives) >= FEW_CASES and auroc.value != 1.0
        ranked = average_precision_interval(target, score, level)
        auprc = _figure(ranked, level, _INFLUENCE if resampled else _BOUND)
    return Discrimination(
        n=target.size,
        n_positive=positives,
        n_negative=negatives,
        prevalence=positives / max(1, target.size),
        auroc=auroc,
        auprc=auprc,
    )


def _auroc(target: NDArray[np.int8], score: NDArray[np.float64], smaller: int, level: float) -> Figure:
    if smaller >= FEW_CASES and delong_variance(target, score) > 0.0:
        return _figure(delong_interval(target, score, level), level, _DELONG)
    auc = roc_auc(target, score)
    return _figure((auc, *hoeffding_interval(auc, smaller, level)), level, _HOEFFDING)


def _macro(part: Predictions, labels: list[str], level: float) -> Figure:
    targets = np.column_stack([part.target(label) for label in labels])
    scores = np.column_stack([part.score(label) for label in labels])
    usable = any(delong_variance(*part.known(label)) > 0.0 for label in labels)
    return _figure(macro_auc_interval(targets, scores, level), level, _MACRO if usable else _HOEFFDING)


def _operating_points(
    val: Predictions,
    test: Predictions,
    label: str | None,
    level: float,
    specificity: float,
    sensitivity: float,
) -> list[OperatingPoint]:
    target, score = val.known(label)
    thresholds = {
        "youden": youden_threshold(target, score),
        f"specificity {specificity:.2f}": threshold_at_specificity(target, score, specificity),
        f"sensitivity {sensitivity:.2f}": threshold_at_sensitivity(target, score, sensitivity),
    }
    return [_operating_point(name, threshold, test, label, level) for name, threshold in thresholds.items()]


def _operating_point(
    name: str, threshold: float, test: Predictions, label: str | None, level: float
) -> OperatingPoint:
    counts = confusion_counts(*test.known(label), threshold)
    return OperatingPoint(
        name=name,
        label=label,
        threshold=threshold,
        chosen_on="val",
        applied_to="test",
        tp=counts.tp,
        fp=counts.fp,
        tn=counts.tn,
        fn=counts.fn,
        sensitivity=_proportion(counts.tp, counts.tp + counts.fn, level),
        specificity=_proportion(counts.tn, counts.tn + counts.fp, level),
        ppv=_proportion(counts.tp, counts.tp + counts.fp, level),
        npv=_proportion(counts.tn, counts.tn + counts.fn, level),
    )


def _proportion(successes: int, trials: int, level: float) -> Figure:
    if trials == 0:
        return Figure(value=None, low=None, high=None, level=level, method="undefined: no such calls")
    low, high = wilson_interval(successes, trials, level)
    return _figure((successes / trials, float(low), float(high)), level, "Wilson")


def _calibration(val: Predictions, test: Predictions, label: str | None, level: float) -> Calibration:
    slope, intercept = platt_fit(*val.known(label))
    target, score = test.known(label)
    everything = np.concatenate((val.known(label)[1], score))
    is_probability = bool(((everything >= 0.0) & (everything <= 1.0)).all())
    after, before = platt_apply(score, slope, intercept), score if is_probability else expit(score)
    return Calibration(
        label=label,
        slope=slope,
        intercept=intercept,
        fitted_on="val",
        applied_to="test",
        uncalibrated="score" if is_probability else "logistic(score)",
        brier=_figure(brier_interval(target, after, level), level, _BRIER),
        ece=_figure(calibration_error_interval(target, after, level=level), level, _ECE),
        brier_uncalibrated=_figure(brier_interval(target, before, level), level, _BRIER),
        ece_uncalibrated=_figure(calibration_error_interval(target, before, level=level), level, _ECE),
    )


def _figure(estimate: tuple[float, float, float], level: float, method: str) -> Figure:
    value, low, high = estimate
    return Figure(value=value, low=low, high=high, level=level, method=method)
