"""Several models on the same samples: which ranks better, and by how much the data can tell."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medauc.errors import InputError
from medauc.evaluation import methods
from medauc.evaluation.alignment import Aligned
from medauc.evaluation.areas import (
    auprc_figure,
    auroc_figure,
    has_variance,
    known_rows,
    macro_figure,
)
from medauc.evaluation.comparison import (
    AucDifference,
    CallDifference,
    Comparison,
    LabelComparison,
    ModelFigures,
    ModelPoint,
    NonInferiority,
    OverallTest,
    Ranking,
)
from medauc.evaluation.methods import figure
from medauc.metrics import (
    AucTests,
    average_precision_difference,
    clustered_proportion,
    delong_tests,
    holm,
    macro_auc_tests,
    paired_proportions,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)

SMALL_CLASS = 50  # with fewer samples of a class, only large differences can be seen

Label = str | None


def compare(
    aligned: Aligned,
    *,
    level: float = 0.95,
    margin: float | None = None,
    target_specificity: float = 0.90,
    target_sensitivity: float = 0.95,
) -> Comparison:
    """Compare models on the same samples.

    AUROCs are compared by DeLong's paired test, by Obuchowski's clustered covariance where samples share a
    patient. Calls are compared at operating points that each model's own validation split chose, by McNemar's
    exact test among positives and among negatives. Differences are first less second, in the order given.

    Args:
        aligned: What :func:`medauc.evaluation.align` returned.
        level: Confidence of every interval, in (0, 1).
        margin: Largest loss of AUROC that does not matter, in (0, 1); then each pair also says whether the second
            model is non-inferior to the first.
        target_specificity: Specificity of the second operating point, in (0, 1).
        target_sensitivity: Sensitivity of the third operating point, in (0, 1).

    Returns:
        Every figure, with intervals, p-values and their Holm adjustment.

    Raises:
        InputError: A share outside (0, 1), or a class that occurs in a single group.

    >>> from medauc.evaluation import Predictions, align
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 200)
    >>> table = lambda noise: Predictions.from_arrays(
    ...     split="test", ids=range(200), targets=y, scores=y + noise * rng.normal(size=200))
    >>> found = compare(align({"sharp": table(0.5), "blurred": table(2.0)})).labels[0].ranking.differences[0]
    >>> found.first, found.second, found.difference.low > 0.1, found.p < 1e-6
    ('sharp', 'blurred', True, True)
    """
    shares = {"level": level, "specificity": target_specificity, "sensitivity": target_sensitivity}
    for name, share in (shares | ({} if margin is None else {"margin": margin})).items():
        if not 0.0 < share < 1.0:
            raise InputError(f"compare: {name} must lie between 0 and 1, got {share}")
    usable = [label for label in aligned.labels if has_variance(*_known_units(aligned, label))]
    if not usable:
        raise InputError("compare: the patients of one class are fewer than two; nothing can be tested")
    wanted = (target_specificity, target_sensitivity)
    tests = [_tests(aligned, label, level) for label in usable]
    adjusted = np.split(holm(np.concatenate([test.p for test in tests])), len(tests))
    points = [_points(aligned, label, level, wanted) for label in usable]
    calls = [_calls(aligned, label, found, level) for label, found in zip(usable, points, strict=True)]
    panels = [
        LabelComparison(
            label=label,
            n=int(aligned.known(label).sum()),
            n_positive=int((aligned.target(label) == 1).sum()),
            n_negative=int((aligned.target(label) == 0).sum()),
            ranking=Ranking(
                models=_models(aligned, label, level),
                differences=_with_auprc(
                    aligned,
                    label,
                    _differences(aligned, test, p_holm, int(aligned.known(label).sum()), level, margin),
                ),
                overall=_overall(test),
            ),
            points=points[place],
            calls=found,
        )
        for place, (label, test, p_holm, found) in enumerate(
            zip(usable, tests, adjusted, _adjusted(calls), strict=True)
        )
    ]
    return Comparison(
        split=aligned.split,
        level=level,
        names=list(aligned.names),
        n=aligned.parts[0].n,
        n_groups=aligned.n_groups,
        left_out=dict(aligned.left_out),
        labels=panels,
        mean=_mean(aligned, usable, level, margin) if len(aligned.labels) > 1 else None,
        warnings=_warnings(aligned, usable, panels),
    )


def _known_units(aligned: Aligned, label: Label) -> tuple[NDArray[np.int8], NDArray[np.intp] | None]:
    """Targets and groups of the samples whose target is known."""
    target, _, groups = _rows(aligned, label)
    return target, groups


def _rows(
    aligned: Aligned, label: Label
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.intp] | None]:
    """Targets, scores and groups of the samples whose target is known."""
    known, groups = aligned.known(label), aligned.groups
    return (
        aligned.target(label)[known],
        aligned.scores(label)[:, known],
        None if groups is None else groups[known],
    )


def _tests(aligned: Aligned, label: Label, level: float) -> AucTests:
    return delong_tests(*_rows(aligned, label), level)


def _models(aligned: Aligned, label: Label, level: float) -> list[ModelFigures]:
    target, scores, groups = _rows(aligned, label)
    return [
        ModelFigures(
            name=name,
            auroc=auroc_figure(target, score, groups, level),
            auprc=auprc_figure(target, score, groups, level),
        )
        for name, score in zip(aligned.names, scores, strict=True)
    ]


def _with_auprc(aligned: Aligned, label: Label, differences: list[AucDifference]) -> list[AucDifference]:
    """Add the differences of AUPRC."""
    target, scores, groups = _rows(aligned, label)
    score = dict(zip(aligned.names, scores, strict=True))
    method = methods.PAIRED_AUPRC if groups is None else methods.PAIRED_AUPRC_BY_GROUP
    found = []
    for one in differences:
        estimate = average_precision_difference(
            target, score[one.first], score[one.second], groups, one.difference.level
        )
        made = (
            figure(estimate, one.difference.level, int(target.size), method) if estimate.is_defined else None
        )
        found.append(one.model_copy(update={"auprc_difference": made}))
    return found


def _differences(
    aligned: Aligned,
    tests: AucTests,
    p_holm: NDArray[np.float64],
    n: int,
    level: float,
    margin: float | None,
) -> list[AucDifference]:
    method = methods.PAIRED_DELONG if aligned.groups is None else methods.PAIRED_OBUCHOWSKI
    found = []
    for k, (first, second) in enumerate(zip(tests.first, tests.second, strict=True)):
        high = float(tests.high[k])
        found.append(
            AucDifference(
                first=aligned.names[first],
                second=aligned.names[second],
                difference=figure((tests.difference[k], tests.low[k], high), level, n, method),
                z=float(tests.z[k]),
                p=float(tests.p[k]),
                p_holm=float(p_holm[k]),
                noninferiority=None
                if margin is None
                else NonInferiority(margin=margin, largest_deficit=high, shown=high < margin),
            )
        )
    return found


def _overall(tests: AucTests) -> OverallTest | None:
    if tests.aucs.size < 3:
        return None
    return OverallTest(chi2=tests.chi2, df=tests.df, p=tests.p_overall)


def _mean(aligned: Aligned, labels: Sequence[Label], level: float, margin: float | None) -> Ranking:
    """Compare the mean AUROC over labels; correlation between labels counts."""
    targets = np.column_stack([aligned.target(label) for label in labels])
    scores = np.stack([aligned.scores(label) for label in labels], axis=-1)
    tests = macro_auc_tests(targets, scores, aligned.groups, level)
    models = [
        ModelFigures(name=name, auroc=macro_figure(targets, table, aligned.groups, level), auprc=None)
        for name, table in zip(aligned.names, scores, strict=True)
    ]
    differences = _differences(aligned, tests, tests.p_holm, known_rows(targets), level, margin)
    return Ranking(models=models, differences=differences, overall=_overall(tests))


def _points(aligned: Aligned, label: Label, level: float, wanted: tuple[float, float]) -> list[ModelPoint]:
    """Thresholds of each model that has a validation split with both classes, and their rates."""
    if aligned.split == "val":
        return []
    target, scores, groups = _rows(aligned, label)
    units = np.arange(target.size) if groups is None else groups
    method = methods.WILSON if groups is None else methods.CLUSTERED_WILSON
    found: dict[str, list[ModelPoint]] = {}
    for name, table, score in zip(aligned.names, aligned.tables, scores, strict=True):
        val = table.select("val")
        if not val.has_both_classes(label):
            continue
        for point, threshold in _thresholds(*val.known(label), *wanted).items():
            right = (score >= threshold) == (target == 1)
            sensitivity, specificity = (
                figure(
                    clustered_proportion(right[target == value], units[target == value], level),
                    level,
                    int((target == value).sum()),
                    method,
                )
                for value in (1, 0)
            )
            found.setdefault(point, []).append(
                ModelPoint(
                    model=name,
                    point=point,
                    threshold=threshold,
                    sensitivity=sensitivity,
                    specificity=specificity,
                )
            )
    return [point for points in found.values() for point in points]


def _thresholds(
    target: NDArray[np.int8], score: NDArray[np.float64], specificity: float, sensitivity: float
) -> Mapping[str, float]:
    return {
        "youden": youden_threshold(target, score),
        f"specificity {specificity:.2f}": threshold_at_specificity(target, score, specificity),
        f"sensitivity {sensitivity:.2f}": threshold_at_sensitivity(target, score, sensitivity),
    }


def _calls(
    aligned: Aligned, label: Label, points: Sequence[ModelPoint], level: float
) -> list[CallDifference]:
    """Compare the calls of each pair of models at each operating point; p-values not yet adjusted."""
    target, scores, groups = _rows(aligned, label)
    row = dict(zip(aligned.names, scores, strict=True))
    rates: tuple[tuple[Literal["sensitivity", "specificity"], int], ...] = (
        ("sensitivity", 1),
        ("specificity", 0),
    )
    found = []
    for point in dict.fromkeys(point.point for point in points):
        right = {
            at.model: (row[at.model] >= at.threshold) == (target == 1) for at in points if at.point == point
        }
        for (first, one), (second, other) in combinations(right.items(), 2):
            for rate, value in rates:
                of = target == value
                result = paired_proportions(one[of], other[of], None if groups is None else groups[of], level)
                method = methods.PAIRED_RATES if groups is None else methods.PAIRED_RATES_BY_GROUP
                found.append(
                    CallDifference(
                        point=point,
                        rate=rate,
                        first=first,
                        second=second,
                        n=int(of.sum()),
                        only_first=result.only_first,
                        only_second=result.only_second,
                        difference=figure(result.difference, level, int(of.sum()), method),
                        p=result.p,
                        p_holm=result.p,
                    )
                )
    return found


def _adjusted(calls: Sequence[Sequence[CallDifference]]) -> list[list[CallDifference]]:
    """Adjust the p-values of calls over all labels, pairs and rates of an operating point."""
    adjusted: dict[int, float] = {}
    everything = [call for found in calls for call in found]
    for point in {call.point for call in everything}:
        family = [call for call in everything if call.point == point]
        adjusted |= zip(map(id, family), holm([call.p for call in family]).tolist(), strict=True)
    return [[call.model_copy(update={"p_holm": adjusted[id(call)]}) for call in found] for found in calls]


def _warnings(aligned: Aligned, usable: Sequence[Label], panels: Sequence[LabelComparison]) -> list[str]:
    found = list(aligned.notes)
    left_out = [str(label) for label in aligned.labels if label not in usable]
    if left_out:
        found.append(f"Left out, with under two cases or patients of a class: {', '.join(left_out)}.")
    if aligned.groups is not None:
        found.append(
            f"The {aligned.parts[0].n} samples come from {aligned.n_groups} groups; every interval and test counts "
            "samples of a group as dependent."
        )
    small = [panel for panel in panels if min(panel.n_positive, panel.n_negative) < SMALL_CLASS]
    if small and small[0].label is None:
        found.append(
            f"Only {small[0].n_positive} positives and {small[0].n_negative} negatives: only large differences can be "
            "seen, and one that is not seen is not shown to be absent."
        )
    elif small:
        found.append(
            f"Under {SMALL_CLASS} cases of a class: {', '.join(str(panel.label) for panel in small)}."
        )
    if aligned.split == "val":
        found.append("No operating points: on validation they would be judged where they were chosen.")
    else:
        lacking = [
            name
            for name, table in zip(aligned.names, aligned.tables, strict=True)
            if not any(table.select("val").has_both_classes(label) for label in usable)
        ]
        if lacking:
            found.append(
                f"No validation split with both classes, so no operating points and no calls: {', '.join(lacking)}."
            )
    return found
