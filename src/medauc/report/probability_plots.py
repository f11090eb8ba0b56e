"""How good probabilities are and what deciding by them is worth, as plotly.js specifications."""

import numpy as np
from numpy.typing import NDArray

from medauc.evaluation import Calibration, Curve, NetBenefit, calibrated, uncalibrated
from medauc.metrics import reliability_curve
from medauc.report.plots import BLUE, GREY, ORANGE, Spec, _axis, _line, _numbers, _spec

_BAND = {BLUE: "rgba(31,131,201,0.18)", ORANGE: "rgba(217,100,42,0.18)"}


def calibration_plot(target: NDArray[np.int8], score: NDArray[np.float64], calibration: Calibration) -> Spec:
    """Observed share of positives against probability, before and after the map.

    The flexible curves with their pointwise bands, and dots for bins of equal size.
    """
    traces = [_line([0, 1], [0, 1], "ideal", GREY, dash="dash")]
    for name, probability, figures, colour, dash, symbol in (
        ("before", uncalibrated(score, calibration), calibration.before, ORANGE, "dot", "circle-open"),
        ("after", calibrated(score, calibration), calibration.after, BLUE, "solid", "square"),
    ):
        if figures.curve is not None:
            traces += [
                band(figures.curve, f"band {name}", colour),
                _line(figures.curve.x, figures.curve.y, name, colour, dash=dash),
            ]
        predicted, observed, count = reliability_curve(target, probability)
        traces.append(
            {
                "x": _numbers(predicted),
                "y": _numbers(observed),
                "mode": "markers",
                "name": f"bins {name}",
                "marker": {"symbol": symbol, "size": 9, "color": colour},
                "customdata": _numbers(count),
                "hovertemplate": "%{x:.2f} predicted, %{y:.2f} observed, n %{customdata}<extra></extra>",
            }
        )
    return _spec(traces, x=_axis("predicted probability", share=True), y=_axis("observed share", share=True))


def decision_plot(curve: NetBenefit) -> Spec:
    """Net benefit by threshold probability, with its band, against treating all and treating none."""
    found = Curve(x=curve.threshold, y=curve.net_benefit, low=curve.low, high=curve.high)
    traces = [
        band(found, f"{100 * curve.level:g}% band", BLUE),
        _line([0, 1], [0, 0], "treat none", GREY, dash="dot"),
        _line(curve.threshold, curve.treat_all, "treat all", ORANGE, dash="dash"),
        _line(curve.threshold, curve.net_benefit, "by the model", BLUE),
    ]
    spec = _spec(traces, x=_axis("threshold probability", share=True), y=_axis("net benefit"))
    spec["layout"]["yaxis"]["range"] = [-0.35 * curve.prevalence, 1.1 * curve.prevalence]
    return spec


def band(curve: Curve, name: str, colour: str) -> Spec:
    """The area between the bounds of a curve."""
    return {
        "x": _numbers([*curve.x, *reversed(curve.x)]),
        "y": _numbers([*curve.high, *reversed(curve.low)]),
        "fill": "toself",
        "fillcolor": _BAND[colour],
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "name": name,
    }
