"""The figures of a report, as plotly.js specifications.

Plain dictionaries, drawn by the plotly.js inside the page. Classes and curves differ in dash, symbol or
hatching too, never in colour alone; text and lines take the page's colours, so both colour schemes work.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.evaluation import (
    Calibration,
    Evaluation,
    OperatingPoint,
    SplitEvaluation,
    calibrated,
    uncalibrated,
)
from medauc.metrics import precision_recall_curve, reliability_curve, roc_band, roc_curve

Spec = dict[str, Any]

BLUE, ORANGE, GREY = "#1f83c9", "#d9642a", "#8a8f98"  # at least 3:1 against white and against the dark page
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star")
_DASHES = ("solid", "dot", "dash")
_MOST_POINTS = 1000  # of a curve; more cannot be seen


def roc_plot(
    target: NDArray[np.int8], score: NDArray[np.float64], points: list[OperatingPoint], level: float
) -> Spec:
    """ROC curve with its pointwise band and the operating points on test."""
    fpr, tpr, _ = roc_curve(target, score)
    kept = _corners(fpr, tpr)
    grid, low, high = roc_band(target, score, level)
    band = {
        "x": _numbers(np.concatenate((grid, grid[::-1]))),
        "y": _numbers(np.concatenate((high, low[::-1]))),
        "fill": "toself",
        "fillcolor": "rgba(31,131,201,0.18)",
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "name": f"{100 * level:g}% band, pointwise",
    }
    curve = _line(fpr[kept], tpr[kept], "ROC", BLUE)
    chance = _line([0, 1], [0, 1], "chance", GREY, dash="dash")
    return _spec(
        [band, chance, curve, *(_point(*named, place) for place, named in enumerate(_distinct(points)))],
        x=_axis("1 - specificity", share=True),
        y=_axis("sensitivity", share=True),
    )


def precision_recall_plot(target: NDArray[np.int8], score: NDArray[np.float64]) -> Spec:
    """Precision against recall with the prevalence as baseline."""
    precision, recall, _ = precision_recall_curve(target, score)
    x, y = np.append(0.0, recall), np.append(precision[0], precision)
    kept = _corners(x, y)
    prevalence = float(np.mean(target))
    curve = _line(x[kept], y[kept], "precision", BLUE)
    curve["line"]["shape"] = "vh"
    baseline = _line([0, 1], [prevalence, prevalence], f"useless score: {prevalence:.3f}", GREY, dash="dash")
    return _spec([baseline, curve], x=_axis("recall", share=True), y=_axis("precision", share=True))


def score_plot(
    target: NDArray[np.int8], score: NDArray[np.float64], points: list[OperatingPoint], positive: str
) -> Spec:
    """Histogram of scores per class, as shares of the class, with the thresholds from validation."""
    edges = np.histogram_bin_edges(score, bins=30)
    centres, width = (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])
    bars: list[Spec] = []
    for value, name, colour, hatch in ((0, "negative", GREY, ""), (1, positive, ORANGE, "/")):
        counts = np.histogram(score[target == value], edges)[0]
        bars.append(
            {
                "type": "bar",
                "x": _numbers(centres),
                "y": _numbers(counts / max(1, int(counts.sum()))),
                "width": width,
                "name": name,
                "opacity": 0.7,
                "marker": {"color": colour, "pattern": {"shape": hatch, "size": 6}},
                "hovertemplate": f"{_plain(name)}: %{{y:.1%}} around %{{x:.3g}}<extra></extra>",
            }
        )
    highest = max(max(bar["y"]) for bar in bars)
    spec = _spec([*bars, *_threshold_lines(points, highest)], x=_axis("score"), y=_axis("share of the class"))
    spec["layout"] |= {"barmode": "overlay", "bargap": 0}
    return spec


def calibration_plot(target: NDArray[np.int8], score: NDArray[np.float64], calibration: Calibration) -> Spec:
    """Observed share of positives against mean probability per equal-mass bin, before and after Platt."""
    ideal = _line([0, 1], [0, 1], "ideal", GREY, dash="dash")
    traces = [ideal]
    for name, probability, colour, dash, symbol in (
        ("before", uncalibrated(score, calibration), ORANGE, "dot", "circle-open"),
        ("after", calibrated(score, calibration), BLUE, "solid", "square"),
    ):
        predicted, observed, count = reliability_curve(target, probability)
        trace = _line(predicted, observed, name, colour, dash=dash)
        trace |= {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 9, "color": colour}}
        trace |= {
            "customdata": _numbers(count),
            "hovertemplate": "%{x:.2f} predicted, %{y:.2f} observed, n %{customdata}",
        }
        traces.append(trace)
    return _spec(traces, x=_axis("predicted probability", share=True), y=_axis("observed share", share=True))


def label_plot(evaluation: Evaluation, split: SplitEvaluation) -> Spec:
    """AUROC of each label with its interval, and their mean."""
    names, figures = [], []
    for name, found in split.labels.items():
        if found.auroc is not None:
            names.append(name)
            figures.append(found.auroc)
    if split.auroc is not None:
        names.append("mean")
        figures.append(split.auroc)
    value = np.array([figure.value for figure in figures])
    dots = {
        "x": _numbers(value),
        "y": [_plain(name) for name in names],
        "mode": "markers",
        "marker": {"color": BLUE, "size": 9, "symbol": ["circle"] * (len(names) - 1) + ["diamond"]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": _numbers(np.array([figure.high for figure in figures]) - value),
            "arrayminus": _numbers(value - np.array([figure.low for figure in figures])),
            "color": BLUE,
        },
        "showlegend": False,
    }
    spec = _spec([dots], x=_axis(f"AUROC with {100 * evaluation.level:g}% interval"), y=_axis(""))
    spec["layout"]["yaxis"] |= {"autorange": "reversed", "automargin": True}
    spec["layout"]["height"] = 120 + 26 * len(names)
    return spec


def history_plots(history: pd.DataFrame) -> list[tuple[str, str, Spec]]:
    """Training curves that the columns allow: ``(title, description, figure)``."""
    wanted = (
        ("Loss", "training loss by epoch", ("loss",)),
        ("AUC", "training and validation AUC by epoch", ("train_auc", "val_auc")),
        ("Variables of the loss", "a, b and alpha by epoch", ("a", "b", "alpha")),
        ("Learning rate", "learning rate by epoch", ("lr",)),
    )
    names = {"loss": "loss", "train_auc": "training", "val_auc": "validation", "lr": "learning rate"}
    found = []
    for title, description, columns in wanted:
        traces = [
            _line(
                history["epoch"].to_numpy(),
                history[column].to_numpy(dtype=np.float64),
                names.get(column, column),
                (BLUE, ORANGE, GREY)[place],
                dash=_DASHES[place],
            )
            for place, column in enumerate(columns)
            if column in history and history[column].notna().any()
        ]
        if "val_auc" in columns and len(traces) and history["val_auc"].notna().any():
            traces.append(_best_epoch(history))
        if traces:
            spec = _spec(
                traces, x=_axis("epoch"), y=_axis(names.get(columns[0], "") if len(columns) == 1 else "")
            )
            spec["layout"]["height"] = 280
            found.append((title, description, spec))
    return found


def _best_epoch(history: pd.DataFrame) -> Spec:
    auc = history["val_auc"].to_numpy(dtype=np.float64)
    row = int(np.nanargmax(auc))
    epoch = int(history["epoch"].to_numpy()[row])
    return {
        "x": [epoch],
        "y": [round(float(auc[row]), 5)],
        "mode": "markers",
        "name": f"best validation, epoch {epoch}",
        "marker": {"symbol": "star", "size": 13, "color": ORANGE},
    }


def _distinct(points: list[OperatingPoint]) -> list[tuple[str, OperatingPoint]]:
    """Operating points with their names; those that share a threshold share an entry."""
    names: dict[float, list[str]] = {}
    for point in points:
        names.setdefault(point.threshold, []).append(point.name)
    first = {point.threshold: point for point in reversed(points)}
    return [(" = ".join(names[threshold]), first[threshold]) for threshold in names]


def _point(name: str, point: OperatingPoint, place: int) -> Spec:
    x, y = 1.0 - (point.specificity.value or 0.0), point.sensitivity.value or 0.0
    return {
        "x": [round(x, 5)],
        "y": [round(y, 5)],
        "mode": "markers",
        "name": name,
        "marker": {
            "symbol": _SYMBOLS[place % len(_SYMBOLS)],
            "size": 11,
            "color": ORANGE,
            "line": {"width": 1},
        },
    }


def _threshold_lines(points: list[OperatingPoint], height: float) -> list[Spec]:
    lines = []
    for place, (name, point) in enumerate(_distinct(points)):
        line = _line([point.threshold] * 2, [0, height], name, BLUE, dash=_DASHES[place % len(_DASHES)])
        lines.append(line | {"hovertemplate": f"{name}: %{{x:.4g}}<extra></extra>"})
    return lines


def _corners(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rows where a curve bends, thinned to what can be seen."""
    dx, dy = np.diff(x), np.diff(y)
    bends = np.flatnonzero(dx[:-1] * dy[1:] != dx[1:] * dy[:-1]) + 1
    kept = np.concatenate(([0], bends, [x.size - 1]))
    return kept[np.unique(np.linspace(0, kept.size - 1, min(kept.size, _MOST_POINTS)).astype(np.intp))]


def _line(x: Any, y: Any, name: str, colour: str, dash: str = "solid") -> Spec:
    return {
        "x": _numbers(x),
        "y": _numbers(y),
        "mode": "lines",
        "name": _plain(name),
        "line": {"color": colour, "width": 2, "dash": dash},
    }


def _axis(title: str, share: bool = False) -> Spec:
    axis: Spec = {
        "title": {"text": title, "standoff": 8},
        "gridcolor": "rgba(128,128,128,0.25)",
        "linecolor": "rgba(128,128,128,0.6)",
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,  # scrolling the page must not zoom a figure
    }
    return axis | {"range": [-0.02, 1.02]} if share else axis


def _spec(data: list[Spec], x: Spec, y: Spec) -> Spec:
    layout = {
        "xaxis": x,
        "yaxis": y,
        "height": 380,
        "margin": {"l": 50, "r": 12, "t": 12, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0},
        "hovermode": "closest",
    }
    return {"data": data, "layout": layout}


def _numbers(values: Any) -> list[float | None]:
    """Five digits are more than a screen shows; what is not finite leaves a gap."""
    return [float(f"{x:.5g}") if np.isfinite(x) else None for x in np.asarray(values, dtype=np.float64)]


def _plain(text: str) -> str:
    """Text that plotly.js does not take for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
