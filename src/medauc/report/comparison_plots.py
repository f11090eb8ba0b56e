"""The figures of a comparison, as plotly.js specifications; models differ in colour, dash and symbol."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from medauc.evaluation import Figure
from medauc.evaluation.comparison import ModelPoint
from medauc.metrics import roc_band, roc_curve
from medauc.report.plots import BLUE, GREY, ORANGE, Spec, _axis, _corners, _line, _numbers, _plain, _spec

_COLOURS = (BLUE, ORANGE, "#2a9d6f", "#9a62d6", "#b07d12", "#d2568f")  # at least 3:1 on both pages
_BANDS = ("31,131,201", "217,100,42", "42,157,111", "154,98,214", "176,125,18", "210,86,143")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star")
_MOST_BANDS = 3  # more hide one another
_MOST_POINTS = 2000  # of a scatter plot; more cannot be told apart


def roc_overlay(
    target: NDArray[np.int8],
    scores: NDArray[np.float64],
    names: Sequence[str],
    points: Sequence[ModelPoint],
    level: float,
) -> Spec:
    """ROC curves of all models, with bands for up to three, and each model's operating point.

    Args:
        target: 0 or 1, shape ``(N,)``.
        scores: Shape ``(M, N)``.
        names: M names.
        points: One operating point a model, or none.
        level: Confidence of the bands.
    """
    bands, curves, marks = [], [], []
    chosen = {point.model: point for point in points}
    for place, (name, score) in enumerate(zip(names, scores, strict=True)):
        style = place % len(_COLOURS)
        fpr, tpr, _ = roc_curve(target, score)
        kept = _corners(fpr, tpr)
        curves.append(_line(fpr[kept], tpr[kept], name, _COLOURS[style], dash=_DASHES[style]))
        if len(names) <= _MOST_BANDS:
            bands.append(_band(*roc_band(target, score, level), name, _BANDS[style], level))
        if name in chosen:
            marks.append(_mark(chosen[name], style))
    chance = _line([0, 1], [0, 1], "chance", GREY, dash="dash")
    axes = {"x": _axis("1 - specificity", share=True), "y": _axis("sensitivity", share=True)}
    return _spec([*bands, chance, *curves, *marks], **axes)


def forest(rows: Sequence[tuple[str, Figure]], title: str, margin: float | None = None) -> Spec:
    """Differences with their intervals, a row each, the line of no difference and the margin if there is one."""
    drawn = [(name, figure) for name, figure in rows if figure.value is not None]
    values = np.array([figure.value for _, figure in drawn], dtype=np.float64)
    dots = {
        "x": _numbers(values),
        "y": [_plain(name) for name, _ in drawn],
        "mode": "markers",
        "marker": {"color": BLUE, "size": 9, "symbol": "square"},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": _numbers(np.array([figure.high for _, figure in drawn]) - values),
            "arrayminus": _numbers(values - np.array([figure.low for _, figure in drawn])),
            "color": BLUE,
        },
        "text": [figure.text() for _, figure in drawn],
        "hovertemplate": "%{y}: %{text}<extra></extra>",
        "showlegend": False,
    }
    spec = _spec([dots], x=_axis(title), y=_axis(""))
    spec["layout"]["yaxis"] |= {"autorange": "reversed", "automargin": True, "type": "category"}
    spec["layout"]["height"] = 110 + 30 * len(drawn)
    spec["layout"]["shapes"] = [_vertical(0.0, "solid")]
    if margin is not None:
        spec["layout"]["shapes"].append(_vertical(margin, "dot"))
    return spec


def rank_plot(
    target: NDArray[np.int8], scores: NDArray[np.float64], names: Sequence[str], positive: str
) -> Spec:
    """Rank of each sample by one model against its rank by another; far from the diagonal they disagree."""
    ranks = (rankdata(scores, axis=1) - 0.5) / target.size
    spread = np.argsort(-np.abs(ranks[0] - ranks[1]), kind="stable")
    kept = np.zeros(target.size, dtype=np.bool_)
    kept[spread[: _MOST_POINTS // 2]] = True  # the widest apart, and an even sample of the others
    kept[spread[np.unique(np.linspace(0, target.size - 1, _MOST_POINTS // 2).astype(np.intp))]] = True
    traces = [_line([0, 1], [0, 1], "same rank", GREY, dash="dash")]
    for value, name, colour, symbol in ((0, "negative", BLUE, "circle-open"), (1, positive, ORANGE, "cross")):
        of = kept & (target == value)
        traces.append(
            {
                "x": _numbers(ranks[0, of]),
                "y": _numbers(ranks[1, of]),
                "mode": "markers",
                "name": _plain(name),
                "marker": {"color": colour, "symbol": symbol, "size": 6},
            }
        )
    axes = [_axis(f"rank by {_plain(name)}", share=True) for name in names]
    return _spec(traces, x=axes[0], y=axes[1])


def _band(
    fpr: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    name: str,
    colour: str,
    level: float,
) -> Spec:
    return {
        "x": _numbers(np.concatenate((fpr, fpr[::-1]))),
        "y": _numbers(np.concatenate((high, low[::-1]))),
        "fill": "toself",
        "fillcolor": f"rgba({colour},0.13)",
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "name": f"{_plain(name)}, {100 * level:g}% band",
    }


def _mark(point: ModelPoint, style: int) -> Spec:
    return {
        "x": [round(1.0 - (point.specificity.value or 0.0), 5)],
        "y": [round(point.sensitivity.value or 0.0, 5)],
        "mode": "markers",
        "name": f"{_plain(point.model)}, {point.point} threshold",
        "marker": {"symbol": _SYMBOLS[style], "size": 11, "color": _COLOURS[style], "line": {"width": 1}},
    }


def _vertical(x: float, dash: str) -> Spec:
    line = {"color": GREY, "width": 1.5, "dash": dash}
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": line,
        "layer": "below",
    }
