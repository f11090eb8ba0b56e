"""The figures and tables of one label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from medauc.evaluation import (
    Calibration,
    Discrimination,
    Evaluation,
    NetBenefit,
    OperatingPoint,
    Predictions,
    Runs,
    Subgroup,
)
from medauc.report import plots
from medauc.report.forest_plots import runs_plot, subgroup_plot
from medauc.report.page import Plot, safe_json
from medauc.report.probability_plots import calibration_plot, decision_plot
from medauc.report.thresholds_table import MOST_THRESHOLDS, thresholds_table

_MOST_BY_LABEL = 150  # thresholds of the slider of one of several labels


@dataclass(frozen=True)
class Panel:
    """All that the page shows of one label; without both classes on test only its sizes."""

    number: int
    label: str | None
    found: Discrimination
    roc: Plot | None
    ranking: list[Plot]
    slider: dict[str, Any] | None
    points: list[OperatingPoint]
    calibration: Calibration | None
    calibration_plot: Plot | None
    net_benefit: NetBenefit | None
    decision_plot: Plot | None
    subgroups: list[Subgroup]
    subgroup_plot: Plot | None
    runs: Runs | None
    runs_plot: Plot | None

    @property
    def slider_json(self) -> Markup:
        """The table of thresholds, safe inside a script element."""
        return safe_json(self.slider)


def build_panel(evaluation: Evaluation, test: Predictions, label: str | None, number: int) -> Panel:
    """Draw everything of one label.

    Args:
        evaluation: All figures.
        test: The test rows.
        label: Which label; ``None`` for the one without a name.
        number: Makes ids in the page unique.
    """
    found = evaluation.test if label is None else evaluation.test.labels[label]
    points = [point for point in evaluation.operating_points if point.label == label]
    fit = next((fit for fit in evaluation.calibration if fit.label == label), None)
    curve = next((curve for curve in evaluation.net_benefit if curve.label == label), None)
    runs = next((runs for runs in evaluation.runs if runs.label == label), None)
    subgroups = [part for part in evaluation.subgroups if part.label == label]
    drawable = test.has_both_classes(label)
    target, score = test.known(label)
    return Panel(
        number=number,
        label=label,
        found=found,
        roc=_roc(target, score, found, points, evaluation.level) if drawable else None,
        ranking=_ranking(target, score, found, points, evaluation) if drawable else [],
        slider=_slider(test, label, points, evaluation.level) if drawable else None,
        points=points,
        calibration=fit,
        calibration_plot=None if fit is None else _calibration(target, score, fit),
        net_benefit=curve,
        decision_plot=None if curve is None else _decision(curve),
        subgroups=subgroups,
        subgroup_plot=_subgroups(subgroups, found, evaluation.level),
        runs=runs,
        runs_plot=None if runs is None else _runs(runs, evaluation.level),
    )


def _roc(
    target: NDArray[np.int8],
    score: NDArray[np.float64],
    found: Discrimination,
    points: Sequence[OperatingPoint],
    level: float,
) -> Plot:
    auroc = found.auroc.text() if found.auroc else "undefined"
    marks = "; marks: thresholds that validation chose" if points else ""
    description = f"AUROC {auroc}, with its pointwise {100 * level:g}% band{marks}; circle: the slider"
    return Plot("ROC curve", description, plots.roc_plot(target, score, list(points), level))


def _ranking(
    target: NDArray[np.int8],
    score: NDArray[np.float64],
    found: Discrimination,
    points: list[OperatingPoint],
    evaluation: Evaluation,
) -> list[Plot]:
    auprc = found.auprc.text() if found.auprc else "undefined"
    positive = evaluation.positive_name or "positive"
    thresholds = "; vertical lines: thresholds that validation chose" if points else ""
    return [
        Plot(
            "Precision and recall",
            f"AUPRC {auprc}; a useless score has {found.prevalence:.3f}",
            plots.precision_recall_plot(target, score),
        ),
        Plot(
            "Scores by class",
            f"{positive} hatched{thresholds}",
            plots.score_plot(target, score, points, positive),
        ),
    ]


def _slider(
    test: Predictions, label: str | None, points: Sequence[OperatingPoint], level: float
) -> dict[str, Any]:
    groups = test.known_groups(label) if test.has_repeated_groups else None
    chosen = list(dict.fromkeys(point.threshold for point in points))
    most = MOST_THRESHOLDS if label is None else _MOST_BY_LABEL
    table = thresholds_table(*test.known(label), level, chosen, groups, most)
    names = [" = ".join(point.name for point in points if point.threshold == value) for value in chosen]
    start = table["chosen"][0] if chosen else len(table["threshold"]) // 2
    return table | {"names": names, "start": start}


def _calibration(target: NDArray[np.int8], score: NDArray[np.float64], fit: Calibration) -> Plot:
    after = fit.after
    description = (
        f"Flexible curves with pointwise bands, dots for bins of equal size; after the map slope "
        f"{after.slope.text(2)}, intercept {after.intercept.text(2)}"
    )
    return Plot("Calibration, before and after", description, calibration_plot(target, score, fit))


def _decision(curve: NetBenefit) -> Plot:
    description = (
        f"Net benefit of the calibrated probabilities at a prevalence of {100 * curve.prevalence:.1f}%, against "
        "treating all and treating none; higher is better"
    )
    return Plot("Decision curve", description, decision_plot(curve))


def _subgroups(subgroups: Sequence[Subgroup], found: Discrimination, level: float) -> Plot | None:
    if found.auroc is None or not any(part.discrimination.auroc for part in subgroups):
        return None
    description = (
        "AUROC in each subgroup; dashed: all test samples; diamonds differ from the rest beyond chance"
    )
    return Plot("AUROC by subgroup", description, subgroup_plot(subgroups, found.auroc, level))


def _runs(runs: Runs, level: float) -> Plot:
    description = f"AUROC of each of {len(runs.names)} trainings, and their mean with its interval"
    return Plot("AUROC by training", description, runs_plot(runs, level))
