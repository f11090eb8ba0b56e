"""Operating points: thresholds chosen on validation, judged on test."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medauc.evaluation import methods
from medauc.evaluation.figures import AtPrevalence, Calibration, Figure, NetBenefit, OperatingPoint
from medauc.evaluation.methods import Method, figure
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.probabilities import calibrated
from medauc.evaluation.settings import Settings
from medauc.metrics import (
    Confusion,
    Estimate,
    confusion,
    controlled_threshold,
    net_benefit,
    threshold_at_least_cost,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)


class Rule(NamedTuple):
    """A chosen threshold: its name, its value, and what it guarantees."""

    name: str
    threshold: float
    guarantee: str | None = None


class Choice(NamedTuple):
    """The thresholds that validation gives, and why some of them do not exist."""

    rules: list[Rule]
    missing: list[str]


def choose_thresholds(val: Predictions, label: str | None, settings: Settings) -> Choice:
    """Choose every operating point on validation.

    A guaranteed sensitivity needs independent draws: with repeated groups it is left out, and the reason given.

    Args:
        val: Validation rows with both classes.
        label: Which label.
        settings: Targets of the rules.
    """
    target, score = val.known(label)
    rules = [
        Rule("youden", youden_threshold(target, score)),
        Rule(
            f"specificity {settings.target_specificity:.2f}",
            threshold_at_specificity(target, score, settings.target_specificity),
        ),
        Rule(
            f"sensitivity {settings.target_sensitivity:.2f}",
            threshold_at_sensitivity(target, score, settings.target_sensitivity),
        ),
    ]
    if settings.cost_ratio is not None:
        threshold = threshold_at_least_cost(target, score, settings.cost_ratio, settings.prevalence)
        rules.append(Rule(f"cost ratio {settings.cost_ratio:g}", threshold))
    if settings.confidence is None:
        return Choice(rules, [])
    guaranteed, reason = _guaranteed(val, label, settings, settings.confidence)
    return Choice(rules + guaranteed, reason)


def _guaranteed(
    val: Predictions, label: str | None, settings: Settings, confidence: float
) -> tuple[list[Rule], list[str]]:
    name = f"guaranteed sensitivity {settings.target_sensitivity:.2f}"
    if val.has_repeated_groups:
        return [], [f"No {name}: validation has several samples of a group, which are no independent draws."]
    found = controlled_threshold(
        *val.known(label), at_least=settings.target_sensitivity, confidence=confidence
    )
    if found.threshold is None:
        few = f"validation has {found.cases} positives, {found.cases_needed} are needed"
        return [], [f"No {name}{'' if label is None else f' of {label}'}: {few}."]
    promise = (
        f"sensitivity of at least {settings.target_sensitivity:g} in the population that validation was drawn from, "
        f"with {100 * confidence:g}% confidence, unless validation also chose what made the scores, such as the epoch "
        "(Wilks, Ann. Math. Stat. 12 (1941) 91)"
    )
    return [Rule(name, found.threshold, promise)], []


def operating_point(
    rule: Rule, test: Predictions, label: str | None, settings: Settings, chosen_on: str = "val"
) -> OperatingPoint:
    """Judge a threshold on test; samples of a group are not taken as independent."""
    target, score = test.known(label)
    groups = test.known_groups(label) if test.has_repeated_groups else None
    found = confusion(
        target, score, rule.threshold, level=settings.level, prevalence=settings.prevalence, groups=groups
    )
    wilson = methods.WILSON if groups is None else methods.CLUSTERED_WILSON
    counts, level, n = found.counts, settings.level, int(target.size)
    positives, negatives = counts.tp + counts.fn, counts.fp + counts.tn

    def make(estimate: Estimate, n: int, method: Method) -> Figure:
        return figure(estimate, level, n, method)

    return OperatingPoint(
        name=rule.name,
        label=label,
        threshold=rule.threshold,
        chosen_on=chosen_on,
        applied_to="test",
        guarantee=rule.guarantee,
        tp=counts.tp,
        fp=counts.fp,
        tn=counts.tn,
        fn=counts.fn,
        sensitivity=make(found.sensitivity, positives, wilson),
        specificity=make(found.specificity, negatives, wilson),
        ppv=make(found.ppv, counts.tp + counts.fp, wilson),
        npv=make(found.npv, counts.tn + counts.fn, wilson),
        accuracy=make(found.accuracy, n, wilson),
        balanced_accuracy=make(found.balanced_accuracy, n, methods.MOVER),
        f1=make(found.f1, n, methods.JACCARD),
        mcc=make(found.mcc, n, methods.FISHER),
        lr_positive=make(found.lr_positive, n, methods.LOG_RATIO),
        lr_negative=make(found.lr_negative, n, methods.LOG_RATIO),
        odds_ratio=make(found.odds_ratio, n, methods.WOOLF),
        flagged_per_1000=make(found.flagged_per_1000, n, wilson),
        at_prevalence=_at_prevalence(found, level, n),
    )


def _at_prevalence(found: Confusion, level: float, n: int) -> AtPrevalence | None:
    if found.at_prevalence is None:
        return None
    return AtPrevalence(
        prevalence=found.at_prevalence.prevalence,
        ppv=figure(found.at_prevalence.ppv, level, n, methods.MERCALDO),
        npv=figure(found.at_prevalence.npv, level, n, methods.MERCALDO),
        flagged_per_1000=figure(found.at_prevalence.flagged_per_1000, level, n, methods.MOVER),
    )


def decision_curve(test: Predictions, fit: Calibration, settings: Settings) -> NetBenefit:
    """Net benefit of the calibrated probabilities on test, for thresholds of 0.01 to 0.99."""
    target, score = test.known(fit.label)
    curve = net_benefit(target, calibrated(score, fit), prevalence=settings.prevalence, level=settings.level)
    return NetBenefit(
        label=fit.label,
        prevalence=curve.prevalence,
        level=settings.level,
        method=methods.NET_BENEFIT.text,
        reference=methods.NET_BENEFIT.reference,
        threshold=_plain(curve.threshold),
        net_benefit=_plain(curve.net_benefit),
        low=_plain(curve.low),
        high=_plain(curve.high),
        treat_all=_plain(curve.treat_all),
    )


def _plain(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values]
