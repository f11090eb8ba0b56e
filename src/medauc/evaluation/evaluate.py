"""From predictions to an evaluation: everything chosen on validation, everything reported on test."""

from typing import NamedTuple

from medauc.errors import InputError
from medauc.evaluation.caveats import caveats
from medauc.evaluation.decisions import Rule, choose_thresholds, decision_curve, operating_point
from medauc.evaluation.figures import Calibration, Evaluation, NetBenefit, OperatingPoint
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.probabilities import calibrate
from medauc.evaluation.ranking import evaluate_split
from medauc.evaluation.settings import Settings
from medauc.evaluation.subgroups import adjust, evaluate_subgroups, find_groupings


class Decisions(NamedTuple):
    """What validation decided for one label, and what it does on test."""

    rules: list[Rule]
    points: list[OperatingPoint]
    fit: Calibration | None
    net_benefit: NetBenefit | None
    missing: list[str]


def evaluate(predictions: Predictions, settings: Settings | None = None) -> Evaluation:
    """Compute every figure of an evaluation.

    Thresholds and the map to probabilities come from the split "val" and are applied to "test". Without a
    validation split that has both classes there are none, and a warning says so: nothing is ever chosen
    on test. Where groups have several samples, intervals of ranking and of rates are by group.
    Equal predictions give equal figures; every resampling has a fixed seed.

    Args:
        predictions: The table; needs a test split with both classes (in one label at least).
        settings: What is to be decided beforehand; by default :class:`Settings`' own values.

    Returns:
        The evaluation; ``warnings`` lists what a reader must know to judge it.

    Raises:
        InputError: No test rows, a test split with one class, or a subgroup column that is not there.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 400)
    >>> split = lambda name: Predictions.from_arrays(
    ...     split=name, ids=range(400), targets=y, scores=y + rng.normal(size=400))
    >>> result = evaluate(Predictions.concatenate([split("val"), split("test")]))
    >>> result.test.auroc.text()
    '0.738 [0.686, 0.783]'
    >>> [point.name for point in result.operating_points]
    ['youden', 'specificity 0.90', 'sensitivity 0.95', 'guaranteed sensitivity 0.95']
    """
    settings = settings or Settings()
    labels: tuple[str | None, ...] = predictions.labels or (None,)
    test, val = predictions.select("test"), predictions.select("val")
    _require_test(test, labels)
    groupings, notes = find_groupings(test, settings)
    decided = {
        label: _decide(val, test, label, settings)
        for label in labels
        if val.has_both_classes(label) and test.has_both_classes(label)
    }
    nothing = Decisions([], [], None, None, [])
    subgroups = [
        found
        for label in labels
        if test.has_both_classes(label)
        for made in [decided.get(label, nothing)]
        for found in evaluate_subgroups(test, label, made.rules, made.fit, groupings, settings)
    ]
    fits = [made.fit for made in decided.values() if made.fit is not None]
    notes += [sentence for made in decided.values() for sentence in made.missing]
    return Evaluation(
        level=settings.level,
        positive_name=settings.positive_name,
        label_names=list(predictions.labels),
        splits={
            name: evaluate_split(predictions.select(name), settings.level, whole=name == "test")
            for name in predictions.splits
        },
        operating_points=[point for made in decided.values() for point in made.points],
        calibration=fits,
        net_benefit=[made.net_benefit for made in decided.values() if made.net_benefit is not None],
        subgroups=adjust(subgroups, settings.level),
        warnings=[*predictions.notes, *dict.fromkeys(notes), *caveats(predictions, fits)],
    )


def evaluate_validation(predictions: Predictions, settings: Settings | None = None) -> Evaluation:
    """Compute how well validation is ranked, where test is kept aside, as in a search; nothing is decided by it.

    Args:
        predictions: The table, of validation alone.
        settings: Level and name of the positive class are looked at.

    >>> import numpy as np
    >>> y = np.arange(60) % 3 // 2
    >>> val = Predictions.from_arrays(split="val", ids=range(60), targets=y, scores=y + np.sin(np.arange(60)))
    >>> evaluate_validation(val).splits["val"].auroc.text()
    '0.825 [0.682, 0.904]'
    """
    settings = settings or Settings()
    return Evaluation(
        level=settings.level,
        positive_name=settings.positive_name,
        label_names=list(predictions.labels),
        splits={
            name: evaluate_split(predictions.select(name), settings.level, whole=False)
            for name in predictions.splits
        },
        operating_points=[],
        calibration=[],
        net_benefit=[],
        subgroups=[],
        warnings=["Test was kept aside. Epochs were selected on validation, so its figures are optimistic."],
    )


def _decide(val: Predictions, test: Predictions, label: str | None, settings: Settings) -> Decisions:
    rules, missing = choose_thresholds(val, label, settings)
    fit = None if settings.calibration == "none" else calibrate(val, test, label, settings)
    return Decisions(
        rules,
        [operating_point(rule, test, label, settings) for rule in rules],
        fit,
        None if fit is None else decision_curve(test, fit, settings),
        missing,
    )


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
