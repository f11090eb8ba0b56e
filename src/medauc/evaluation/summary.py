"""An evaluation in a few lines of text."""

from medauc.evaluation.figures import Evaluation, Figure, OperatingPoint, SplitEvaluation, Subgroup


def summary_lines(evaluation: Evaluation) -> list[str]:
    """Write the test figures out for a terminal, a line each, at most 110 characters wide.

    Args:
        evaluation: What :func:`medauc.evaluation.evaluate` returned.

    Returns:
        Lines without markup or line ends: sizes, areas, labels, operating points, calibration, warnings.
    """
    test, percent = evaluation.test, f"{100 * evaluation.level:g}%"
    lines = [f"test   {_sizes(test, evaluation)}"]
    if test.auroc is not None:
        name = "mean AUROC" if evaluation.label_names else "AUROC"
        lines.append(f"{name}  {test.auroc.text()}   {percent} interval, {test.auroc.method}")
    for name, pooled in (("labels pooled", test.micro_auroc), ("pairs of classes", test.hand_till)):
        if pooled is not None:
            lines.append(f"AUROC, {name}  {pooled.text()}")
    if test.auprc is not None:
        lines.append(f"AUPRC  {test.auprc.text()}   a useless score has {test.prevalence:.3f}")
    for found in evaluation.runs:
        of = "" if found.label is None else f" for {found.label}"
        each = f"single runs: mean AUROC {found.mean.text()}, SD {found.spread:.3f}"
        lines.append(f"  mean of the standardised scores of {len(found.names)} runs{of}; {each}")
    lines += _label_lines(test)
    lines += _point_lines([point for point in evaluation.operating_points if point.label is None])
    for fit in evaluation.calibration:
        if fit.label is None:
            errors = f"slope {fit.after.slope.text()}  O:E {fit.after.observed_expected.text()}"
            lines.append(f"calibrated ({fit.method}, fitted on {fit.fitted_on})  {errors}")
            lines.append(f"  Brier {fit.after.brier.text()}  ECE {fit.after.ece.text()}")
    lines += [
        _flag_line(found) for found in evaluation.subgroups if any(d.flagged for d in found.differences)
    ]
    return lines + [f"note: {warning}" for warning in evaluation.warnings]


def _sizes(test: SplitEvaluation, evaluation: Evaluation) -> str:
    positive = evaluation.positive_name or "positive"
    if evaluation.label_names:
        if test.hand_till is not None:
            return f"{test.n} samples, {len(evaluation.label_names)} classes"
        return f"{test.n} samples, {len(evaluation.label_names)} labels, {test.n_positive} with any of them"
    return f"{test.n} samples, {test.n_positive} {positive} ({100 * test.prevalence:.1f}%)"


def _label_lines(test: SplitEvaluation) -> list[str]:
    width = max(map(len, test.labels), default=0)
    return [
        f"  {label:<{width}}  {found.n_positive:>6} positive  "
        + (found.auroc.text() if found.auroc is not None else "no AUROC: one class only")
        for label, found in test.labels.items()
    ]


def _point_lines(points: list[OperatingPoint]) -> list[str]:
    if not points:
        return []
    first = f"threshold from {points[0].chosen_on}"
    width = max(len(first), *(len(point.name) for point in points))
    header = f"{first:<{width}}{'':>10}"
    stated = points[0].at_prevalence
    at = "" if stated is None else f" at {100 * stated.prevalence:g}%"
    header += "".join(f"  {name:<17}" for name in ("sensitivity", "specificity", f"PPV{at}", f"NPV{at}"))
    rows = [
        f"{point.name:<{width}}{_threshold(point):>10}"
        + "".join(f"  {figure.text(2):<17}" for figure in _rates(point))
        for point in points
    ]
    return [line.rstrip() for line in (header, *rows)]


def _flag_line(found: Subgroup) -> str:
    flagged = "; ".join(f"{d.name} by {d.difference.text()}" for d in found.differences if d.flagged)
    of = "" if found.label is None else f" ({found.label})"
    return f"subgroup {found.column} {found.value}{of} differs from the rest: {flagged}"


def _rates(point: OperatingPoint) -> tuple[Figure, Figure, Figure, Figure]:
    """Sensitivity, specificity, PPV and NPV, the latter two at the stated prevalence if there is one."""
    predictive = point if point.at_prevalence is None else point.at_prevalence
    return point.sensitivity, point.specificity, predictive.ppv, predictive.npv


def _threshold(point: OperatingPoint) -> str:
    return "no call" if point.tp + point.fp == 0 else f"{point.threshold:.4g}"
