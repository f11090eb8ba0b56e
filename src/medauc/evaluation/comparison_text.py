"""A comparison in a few lines of text."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from medauc.evaluation.comparison import AucDifference, CallDifference, Comparison, LabelComparison, Ranking

_WIDEST = 16  # of a model's name in a table; where one is longer, letters stand for all

Names = Mapping[str, str]


def comparison_lines(comparison: Comparison) -> list[str]:
    """Write a comparison out for a terminal, a line each, at most 100 characters wide but for names and notes.

    Args:
        comparison: What :func:`medauc.evaluation.compare` returned.

    Returns:
        Lines without markup or line ends: models, differences, calls at the first operating point, warnings.
    """
    names = {name: name for name in comparison.names}
    lines = [_sizes(comparison)]
    if max(map(len, names)) > _WIDEST and len(names) <= len(ascii_uppercase):
        names = dict(zip(names, ascii_uppercase, strict=False))
        lines += ["", *(f"{letter} = {name}" for name, letter in names.items())]
    if comparison.mean is not None:
        lines += [*_ranking(comparison.mean, "mean AUROC", names), "", *_by_label(comparison, names)]
    else:
        lines += _ranking(comparison.labels[0].ranking, "AUROC", names)
        lines += _calls(comparison.labels[0], names)
    lines += [""] if comparison.warnings else []
    return [line.rstrip() for line in lines] + [f"note: {warning}" for warning in comparison.warnings]


def p_text(p: float) -> str:
    """Write a p-value with two significant digits, never as 0.

    >>> p_text(0.0412), p_text(0.2), p_text(0.00001)
    ('0.041', '0.20', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def _sizes(comparison: Comparison) -> str:
    groups = "" if comparison.n_groups == comparison.n else f" from {comparison.n_groups} groups"
    panel = comparison.labels[0]
    content = (
        f"{len(comparison.labels)} labels"
        if comparison.mean is not None
        else f"{panel.n_positive} positive ({100 * panel.n_positive / panel.n:.1f}%)"
    )
    return f"{comparison.split}   {comparison.n} samples{groups}, {content}; {100 * comparison.level:g}% intervals"


def _ranking(ranking: Ranking, title: str, names: Names) -> list[str]:
    width = max(len("difference"), *(len(_pair(found, names)) for found in ranking.differences))
    has_auprc = ranking.models[0].auprc is not None
    lines = ["", f"{'model':<{width}}  {title:<23}{'AUPRC' if has_auprc else ''}"]
    for model in ranking.models:
        auprc = "" if model.auprc is None else model.auprc.text()
        lines.append(f"{names[model.name]:<{width}}  {model.auroc.text():<23}{auprc}")
    lines += ["", _difference_header("difference", title, width)]
    lines += [_difference_line(found, _pair(found, names), width) for found in ranking.differences]
    if ranking.overall is not None:
        test = ranking.overall
        lines.append(
            f"all equal: p {p_text(test.p)} (chi-square {test.chi2:.2f}, {test.df} degrees of freedom)"
        )
    for found in ranking.differences:
        if found.noninferiority is not None:
            margin, bound = found.noninferiority.margin, found.noninferiority.largest_deficit
            verdict = "non-inferior" if found.noninferiority.shown else "not shown to be non-inferior"
            second, first = names[found.second], names[found.first]
            lines.append(f"{second} is {verdict} to {first}: worse by {bound:.3f} at most, margin {margin:g}")
    return lines


def _difference_header(name: str, title: str, width: int) -> str:
    return f"{name:<{width}}  {title:<23}{'z':>6}  {'p':>6}  {'Holm':>6}"


def _difference_line(found: AucDifference, name: str, width: int) -> str:
    numbers = f"{found.z:>6.2f}  {p_text(found.p):>6}  {p_text(found.p_holm):>6}"
    return f"{name:<{width}}  {found.difference.text():<23}{numbers}"


def _calls(panel: LabelComparison, names: Names) -> list[str]:
    if not panel.calls:
        return []
    point = panel.calls[0].point
    width = max(len("model"), *(len(names[at.model]) for at in panel.points))
    lines = [
        "",
        f"calls at the threshold that each model's own validation chose ({point})",
        f"{'model':<{width}}  {'threshold':>9}  {'sensitivity':<20}  specificity",
    ]
    for at in panel.points:
        if at.point == point:
            rates = f"{at.sensitivity.text(2):<20}  {at.specificity.text(2)}"
            lines.append(f"{names[at.model]:<{width}}  {at.threshold:>9.4g}  {rates}")
    shown = [call for call in panel.calls if call.point == point]
    width = max(len("difference"), *(len(_pair(call, names)) for call in shown))
    lines += ["", f"{'difference':<{width}}  {'':<11}  {'':<20}  right alone  {'p':>6}  {'Holm':>6}"]
    for call in shown:
        alone = f"{call.only_first} : {call.only_second}"
        numbers = f"{alone:>11}  {p_text(call.p):>6}  {p_text(call.p_holm):>6}"
        lines.append(
            f"{_pair(call, names):<{width}}  {call.rate:<11}  {call.difference.text(2):<20}  {numbers}"
        )
    return lines


def _by_label(comparison: Comparison, names: Names) -> list[str]:
    """One row for each label and pair of models."""
    rows = [(panel, found) for panel in comparison.labels for found in panel.ranking.differences]
    pairs: Sequence[str] = [_pair(found, names) for _, found in rows]
    several = len(set(pairs)) > 1
    title = "by label" if several else f"by label, {pairs[0]}"
    firsts = [
        f"{panel.label}, {pair}" if several else str(panel.label)
        for (panel, _), pair in zip(rows, pairs, strict=True)
    ]
    width = max(len(title), *map(len, firsts))
    lines = [_difference_header(title, "AUROC", width)]
    return lines + [
        _difference_line(found, name, width) for (_, found), name in zip(rows, firsts, strict=True)
    ]


def _pair(found: AucDifference | CallDifference, names: Names) -> str:
    return f"{names[found.first]} - {names[found.second]}"
