"""From a comparison to one self-contained HTML page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medauc import __version__
from medauc.evaluation import Aligned, Comparison
from medauc.evaluation.comparison import AucDifference, LabelComparison, ModelPoint
from medauc.evaluation.comparison_text import p_text
from medauc.files import save_text
from medauc.report.comparison_plots import forest, rank_plot, roc_overlay
from medauc.report.page import Plot, asset, environment, plotly_script

_MOST_CASES = 50  # in the page; the table written beside it has all


@dataclass(frozen=True)
class Panel:
    """The figures of one label."""

    comparison: LabelComparison
    plots: list[Plot]


def write_comparison_report(
    path: Path | str, comparison: Comparison, aligned: Aligned, differing: pd.DataFrame
) -> None:
    """Write :func:`build_comparison_report`'s page to ``path``, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    save_text(path, build_comparison_report(comparison, aligned, differing))


def build_comparison_report(comparison: Comparison, aligned: Aligned, differing: pd.DataFrame) -> str:
    """Render the page.

    Args:
        comparison: What :func:`medauc.evaluation.compare` made of ``aligned``.
        aligned: The models' scores, for the curves.
        differing: What :func:`medauc.evaluation.disagreements` listed; the first 50 are shown.

    Returns:
        HTML that needs no other file and no network. Text from outside is escaped.

    >>> from medauc.evaluation import Predictions, align, compare, disagreements
    >>> table = lambda scores: Predictions.from_arrays(split="test", ids="abcd", targets=[0, 0, 1, 1], scores=scores)
    >>> aligned = align({"A": table([1, 2, 3, 4]), "<B>": table([1, 3, 2, 4])})
    >>> comparison = compare(aligned)
    >>> "<h1>A, &lt;B&gt;</h1>" in build_comparison_report(comparison, aligned, disagreements(aligned, comparison))
    True
    """
    return (
        environment()
        .get_template("comparison.html.jinja")
        .render(
            comparison=comparison,
            answer=answer(comparison),
            overview=_overview(comparison),
            panels=[_panel(comparison, aligned, panel) for panel in comparison.labels],
            cases=differing.head(_MOST_CASES).to_dict("records"),
            case_columns=_case_columns(differing),
            case_count=len(differing),
            by_calls=any(panel.calls for panel in comparison.labels),
            p_text=p_text,
            version=__version__,
            style=asset("report.css"),
            script=asset("report.js"),
            plotly=plotly_script(),
        )
    )


def answer(comparison: Comparison) -> str:
    """Say in a sentence what the comparison shows.

    With two models the difference and whether chance explains it; with more, whether all may be equal and which
    pairs differ after adjustment.
    """
    ranking = comparison.mean or comparison.labels[0].ranking
    name = "mean AUROC" if comparison.mean else "AUROC"
    risk = 1.0 - comparison.level
    if ranking.overall is None:
        only = ranking.differences[0]
        lead, other = (only.first, only.second) if only.z >= 0 else (only.second, only.first)
        size = f"{abs(only.difference.value or 0.0):.3f}"
        bounds = f"{only.first} less {only.second}: {only.difference.text()}, p {p_text(only.p)}"
        if only.p <= risk:
            return f"{lead} ranks better than {other}: its {name} is higher by {size} ({bounds})."
        return f"These samples do not tell {only.first} and {only.second} apart: {name} differs by {size} ({bounds})."
    best = max(ranking.models, key=lambda model: model.auroc.value or 0.0)
    told = [found for found in ranking.differences if found.p_holm <= risk]
    pairs = "; ".join(map(_ordered, told)) if told else "no pair differs after Holm's adjustment"
    return (
        f"{best.name} has the highest {name}, {best.auroc.text()}. That all {len(ranking.models)} are equal has "
        f"p {p_text(ranking.overall.p)}; {pairs}."
    )


def _ordered(found: AucDifference) -> str:
    lead, other = (found.first, found.second) if found.z >= 0 else (found.second, found.first)
    return f"{lead} is above {other} (p {p_text(found.p_holm)})"


def _overview(comparison: Comparison) -> Plot | None:
    if comparison.mean is None:
        return None
    several = len(comparison.names) > 2
    rows = [
        (f"{panel.label}: {_pair(found)}" if several else str(panel.label), found.difference)
        for panel in comparison.labels
        for found in panel.ranking.differences
    ]
    rows += [
        (f"mean: {_pair(found)}" if several else "mean", found.difference)
        for found in comparison.mean.differences
    ]
    title = "difference of AUROC" if several else f"AUROC, {_pair(comparison.mean.differences[0])}"
    return Plot(
        "Differences by label", "AUROC differences with intervals; numbers below", forest(rows, title)
    )


def _panel(comparison: Comparison, aligned: Aligned, panel: LabelComparison) -> Panel:
    known = aligned.known(panel.label)
    target, scores = aligned.target(panel.label)[known], aligned.scores(panel.label)[:, known]
    drawn = [
        Plot(
            "ROC curves",
            "; ".join(f"{model.name}: AUROC {model.auroc.text()}" for model in panel.ranking.models),
            roc_overlay(target, scores, comparison.names, _first_points(panel), comparison.level),
        )
    ]
    if comparison.mean is None:
        drawn.append(_auc_forest(panel))
    if panel.calls:
        drawn.append(_call_forest(panel))
    if len(comparison.names) == 2:
        description = "rank among all samples by each model; far from the diagonal they disagree"
        drawn.append(
            Plot("Where they disagree", description, rank_plot(target, scores, comparison.names, "positive"))
        )
    return Panel(panel, drawn)


def _auc_forest(panel: LabelComparison) -> Plot:
    differences = panel.ranking.differences
    rows = [(_pair(found), found.difference) for found in differences]
    limit = differences[0].noninferiority
    margin = None if limit is None else limit.margin
    told = (
        ""
        if margin is None
        else f"; dotted: the margin of {margin:g}, which non-inferiority needs to stay below"
    )
    description = f"AUROC of the first less AUROC of the second, with intervals{told}"
    return Plot("Differences of AUROC", description, forest(rows, "difference of AUROC", margin))


def _call_forest(panel: LabelComparison) -> Plot:
    point = panel.calls[0].point
    rows = [
        (f"{call.rate}: {call.first} - {call.second}", call.difference)
        for call in panel.calls
        if call.point == point
    ]
    description = f"at the {point} threshold that each model's own validation chose, with intervals"
    return Plot("Differences of sensitivity and specificity", description, forest(rows, "difference"))


def _first_points(panel: LabelComparison) -> list[ModelPoint]:
    return [point for point in panel.points if point.point == panel.points[0].point]


def _pair(found: AucDifference) -> str:
    return f"{found.first} - {found.second}"


def _case_columns(differing: pd.DataFrame) -> list[str]:
    same = bool((differing["group"] == differing["id"]).all())
    return [str(name) for name in differing.columns if not (same and name == "group")]
