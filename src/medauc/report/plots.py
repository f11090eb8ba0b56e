"""The figures of ranking, as plotly.js specifications, and what all figures share.

Plain dictionaries, drawn by the plotly.js inside the page. Classes and curves differ in dash, symbol or
hatching too, never in colour alone; text and lines take the page's colours, so both colour schemes work.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medauc.evaluation import OperatingPoint
from medauc.metrics import precision_recall_curve, roc_band, roc_curve

Spec = dict[str, Any]

BLUE, ORANGE, GREY = "#1f83c9", "#d9642a", "#8a8f98"  # at least 3:1 against white and against the dark page
_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star")
_DASHES = ("solid", "dot", "dash", "dashdot", "longdash")
MOVING = "slider"  # marks the trace that the page moves with its slider
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
    marks = [_point(*named, place) for place, named in enumerate(_distinct(points))]
    spec = _spec(
        [band, chance, curve, *marks, _moving_point()],
        x=_axis("1 - specificity", share=True),
        y=_axis("sensitivity", share=True),
    )
    spec["layout"]["height"] = 520  # as high as the slider's box beside it
    return spec


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
    moving = _line([None, None], [0, highest], "slider", BLUE) | {"meta": MOVING, "opacity": 0.45}
    moving["line"]["width"] = 7
    lines = [*_threshold_lines(points, highest), moving]
    spec = _spec([*bars, *lines], x=_axis("score"), y=_axis("share of the class"))
    spec["layout"] |= {"barmode": "overlay", "bargap": 0}
    return spec


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


def _moving_point() -> Spec:
    """Where the slider stands; the page fills it in."""
    return {
        "x": [None],
        "y": [None],
        "mode": "markers",
        "name": "slider",
        "meta": MOVING,
        "marker": {"symbol": "circle-open", "size": 17, "color": BLUE, "line": {"width": 3}},
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
