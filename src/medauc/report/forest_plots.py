"""Several AUROCs with their intervals below each other, as plotly.js specifications."""

from collections.abc import Sequence

import numpy as np

from medauc.evaluation import Evaluation, Figure, Runs, SplitEvaluation, Subgroup
from medauc.report.plots import BLUE, GREY, ORANGE, Spec, _axis, _numbers, _plain, _spec

Row = tuple[str, Figure, bool]  # name, figure, whether it stands out


def label_plot(evaluation: Evaluation, split: SplitEvaluation) -> Spec:
    """AUROC of each label with its interval, and their mean."""
    rows = [(name, found.auroc, False) for name, found in split.labels.items() if found.auroc is not None]
    if split.auroc is not None:
        rows.append(("mean", split.auroc, True))
    return forest(rows, evaluation.level)


def subgroup_plot(subgroups: Sequence[Subgroup], overall: Figure, level: float) -> Spec:
    """AUROC of every value of every column, and a line at the AUROC of all; flagged ones are diamonds."""
    rows = [
        (
            f"{found.column}: {found.value}",
            found.discrimination.auroc,
            any(item.flagged for item in found.differences),
        )
        for found in subgroups
        if found.discrimination.auroc is not None
    ]
    return forest([*rows, ("all", overall, False)], level, line=overall.value)


def runs_plot(runs: Runs, level: float) -> Spec:
    """AUROC of each run as a dot, and their mean with its interval."""
    bare = [
        runs.mean.model_copy(update={"value": value, "low": value, "high": value}) for value in runs.auroc
    ]
    rows = [(name, figure, False) for name, figure in zip(runs.names, bare, strict=True)]
    return forest([*rows, ("mean", runs.mean, True)], level)


def forest(rows: Sequence[Row], level: float, line: float | None = None) -> Spec:
    """Dots with intervals, a row each; those that stand out are diamonds of another colour."""
    drawn = [row for row in rows if row[1].value is not None]
    value = np.array([figure.value for _, figure, _ in drawn], dtype=np.float64)
    low, high = (
        np.array([getattr(figure, side) for _, figure, _ in drawn], dtype=np.float64)
        for side in ("low", "high")
    )
    dots = {
        "x": _numbers(value),
        "y": [_plain(name) for name, _, _ in drawn],
        "mode": "markers",
        "marker": {
            "color": [ORANGE if out else BLUE for _, _, out in drawn],
            "size": [11 if out else 9 for _, _, out in drawn],
            "symbol": ["diamond" if out else "circle" for _, _, out in drawn],
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": _numbers(high - value),
            "arrayminus": _numbers(value - low),
            "color": BLUE,
        },
        "customdata": [figure.text() for _, figure, _ in drawn],
        "hovertemplate": "%{y}: %{customdata}<extra></extra>",
        "showlegend": False,
    }
    spec = _spec([dots], x=_axis(f"AUROC with {100 * level:g}% interval"), y=_axis(""))
    spec["layout"]["yaxis"] |= {"autorange": "reversed", "type": "category"}
    spec["layout"]["height"] = 110 + 26 * len(drawn)
    if line is not None:
        spec["layout"]["shapes"] = [
            {
                "type": "line",
                "x0": round(line, 5),
                "x1": round(line, 5),
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": GREY, "dash": "dash", "width": 2},
            }
        ]
    return spec
