"""How well scores rank: areas under curves of one split, for one label, several, or several classes."""

import numpy as np
from numpy.typing import NDArray

from medauc.evaluation import methods
from medauc.evaluation.areas import (
    auprc_figure,
    auroc_figure,
    has_variance,
    known_rows,
    macro_figure,
    mean_figure,
)
from medauc.evaluation.figures import Discrimination, Figure, PartialArea, RateAt, SplitEvaluation
from medauc.evaluation.methods import figure
from medauc.evaluation.predictions import Predictions
from medauc.metrics import (
    micro_auc_interval,
    multiclass_auc,
    partial_auc_interval,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)

PARTIAL = ((0.1, None), (None, 0.9), (0.4, 0.6))  # (max_fpr, min_tpr): few false alarms, few misses, both
FIXED = (0.90, 0.95)


def evaluate_split(part: Predictions, level: float, whole: bool) -> SplitEvaluation:
    """Every figure of ranking of one split.

    Args:
        part: Rows of the split.
        level: Confidence of the intervals.
        whole: Partial areas and rates at fixed rates too, which take longer.
    """
    n_groups = len(set(part.groups))
    if not part.labels:
        return SplitEvaluation(**discrimination(part, None, level, whole).model_dump())
    each = {label: discrimination(part, label, level, whole) for label in part.labels}
    macro = [label for label in part.labels if can_average(part, label)]
    positive = int(np.any([part.target(label) == 1 for label in part.labels], axis=0).sum())
    return SplitEvaluation(
        n=part.n,
        n_positive=positive,
        n_negative=part.n - positive,
        n_groups=n_groups,
        prevalence=positive / part.n,
        auroc=macro_figure(*_tables(part, macro), _all_groups(part), level) if macro else None,
        auprc=None,
        labels=each,
        macro_labels=macro,
        micro_auroc=_micro(part, macro, level) if macro and not part.is_multiclass else None,
        hand_till=_hand_till(part, level) if part.is_multiclass and len(macro) == len(each) else None,
    )


def discrimination(part: Predictions, label: str | None, level: float, whole: bool = True) -> Discrimination:
    """Every figure of ranking for one label; null where a class is absent."""
    positives, negatives = part.class_sizes(label)
    both = min(positives, negatives) > 0
    return Discrimination(
        n=positives + negatives,
        n_positive=positives,
        n_negative=negatives,
        n_groups=len(np.unique(part.known_groups(label))),
        prevalence=positives / max(1, positives + negatives),
        auroc=auroc(part, label, level) if both else None,
        auprc=auprc_figure(*part.known(label), _groups(part, label), level) if both else None,
        partial=_partial(part, label, level) if both and whole else [],
        rates=_rates(part, label, level) if both and whole else [],
    )


def auroc(part: Predictions, label: str | None, level: float) -> Figure:
    """Area under the ROC curve; by group where groups have several samples."""
    return auroc_figure(*part.known(label), _groups(part, label), level)


def can_average(part: Predictions, label: str | None) -> bool:
    """Whether a label has the two cases, or patients, of each class that a mean over labels or runs needs."""
    return has_variance(part.known(label)[0], _groups(part, label))


def _groups(part: Predictions, label: str | None) -> NDArray[np.str_] | None:
    """Groups of the known rows where some group has several rows, else None."""
    return part.known_groups(label) if part.has_repeated_groups else None


def _partial(part: Predictions, label: str | None, level: float) -> list[PartialArea]:
    target, score = part.known(label)
    made = []
    for max_fpr, min_tpr in PARTIAL:
        found = partial_auc_interval(target, score, max_fpr, min_tpr, level=level)
        standardized = figure(found, level, int(target.size), methods.PARTIAL)
        made.append(PartialArea(max_fpr=max_fpr, min_tpr=min_tpr, standardized=standardized))
    return made


def _rates(part: Predictions, label: str | None, level: float) -> list[RateAt]:
    target, score = part.known(label)
    positives, negatives = part.class_sizes(label)
    made = []
    for share in FIXED:
        found = sensitivity_at_specificity(target, score, share, level)
        shown = figure(found, level, positives, methods.RATE_AT)
        made.append(RateAt(rate="sensitivity", at=share, figure=shown))
    for share in FIXED:
        found = specificity_at_sensitivity(target, score, share, level)
        shown = figure(found, level, negatives, methods.RATE_AT)
        made.append(RateAt(rate="specificity", at=share, figure=shown))
    return made


def _micro(part: Predictions, labels: list[str], level: float) -> Figure:
    targets, scores = _tables(part, labels)
    groups = _all_groups(part)
    found = micro_auc_interval(targets, scores, level, groups=groups)
    usual = methods.MICRO if groups is None else methods.MICRO_BY_GROUP
    return mean_figure(found, level, known_rows(targets), usual)


def _hand_till(part: Predictions, level: float) -> Figure:
    targets, scores = _tables(part, list(part.labels))
    groups = _all_groups(part)
    found = multiclass_auc(targets.argmax(axis=1), scores, "ovo", level=level, groups=groups)
    return mean_figure(
        found, level, part.n, methods.HAND_TILL if groups is None else methods.HAND_TILL_BY_GROUP
    )


def _all_groups(part: Predictions) -> NDArray[np.str_] | None:
    return np.asarray(part.groups, dtype=np.str_) if part.has_repeated_groups else None


def _tables(part: Predictions, labels: list[str]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    targets = np.column_stack([part.target(label) for label in labels])
    return targets, np.column_stack([part.score(label) for label in labels])
