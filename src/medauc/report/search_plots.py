"""Figures of a search, as plotly.js specifications."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from medauc.report.plots import BLUE, GREY, ORANGE, Spec, _axis, _line, _numbers, _plain, _spec
from medauc.search import Found, Row
from medauc.search.space import text_of

_MOST_CURVES = 100


def history_plot(found: Found) -> Spec:
    """AUC of each trial in its order, and the best so far; trials that were given up are crosses."""
    complete = [row for row in found.rows if row.auc is not None]
    given_up = [row for row in found.rows if row.auc is None and row.last is not None]
    aucs = np.array([row.auc for row in complete], dtype=np.float64)
    best = np.maximum.accumulate(aucs)
    steps = _line([row.index for row in complete], best, "best so far", GREY)
    steps["line"]["shape"] = "hv"
    traces = [
        steps,
        _dots([row.index for row in complete], complete, "complete", BLUE, "circle"),
        _dots([row.index for row in given_up], given_up, "given up", ORANGE, "x"),
    ]
    return _spec([trace for trace in traces if trace["x"]], x=_axis("trial"), y=_axis("validation AUC"))


def importance_plot(found: Found) -> Spec:
    """How much each field matters."""
    names = list(reversed(found.importance))
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": _numbers([found.importance[name] for name in names]),
        "y": [_plain(name) for name in names],
        "marker": {"color": BLUE},
        "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
        "showlegend": False,
    }
    spec = _spec([bars], x=_axis("importance"), y=_axis(""))
    spec["layout"]["height"] = 110 + 30 * len(names)
    return spec


def slice_plots(found: Found) -> list[tuple[str, Spec]]:
    """AUC against each field, those that matter most first."""
    order = [*found.importance, *(key for key in found.space if key not in found.importance)]
    return [(key, _slice(found, key)) for key in order]


def _slice(found: Found, key: str) -> Spec:
    rows = [row for row in found.rows if key in row.values]
    values = [row.values[key] for row in rows]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    given = found.space[key]
    is_log = isinstance(given, dict) and given.get("log", False)
    if isinstance(given, list) and numeric:
        spread = [value for value in values if value > 0]
        is_log = len(spread) == len(values) and max(spread, default=1) >= 100 * min(spread, default=1)
    places: list[Any] = values if numeric else [str(value) for value in values]
    traces = []
    for name, colour, symbol, is_complete in (
        ("given up", ORANGE, "x", False),
        ("complete", BLUE, "circle", True),
    ):
        chosen = [
            (place, row)
            for place, row in zip(places, rows, strict=True)
            if (row.auc is not None) == is_complete and row.last is not None
        ]
        if chosen:
            shown, kept = zip(*chosen, strict=True)
            traces.append(_dots(shown, kept, name, colour, symbol))
    spec = _spec(traces, x=_axis(key), y=_axis("validation AUC"))
    kind = "log" if is_log else "linear" if numeric else "category"
    spec["layout"]["xaxis"] |= {"type": kind, "exponentformat": "power"}
    spec["layout"]["height"] = 280
    return spec


def curves_plot(found: Found) -> Spec | None:
    """The best validation AUC so far of each trial by epoch, a line for each of its seeds; the winner stands out."""
    rows = [row for row in found.rows if any(len(curve) > 1 for curve in row.curves)]
    winner = None if found.winner is None else found.winner.index
    shown = sorted(
        rows[-_MOST_CURVES:] + [row for row in rows[:-_MOST_CURVES] if row.index == winner],
        key=lambda row: row.last or 0.0,
    )
    if not shown:
        return None
    traces = []
    for row in shown:
        wins = row.index == winner
        dash = "solid" if row.auc is not None else "dot"
        for seed, curve in enumerate(row.curves):
            name = f"trial {row.index}, seed {seed}" if len(row.curves) > 1 else f"trial {row.index}"
            line = _line(list(curve), list(curve.values()), name, ORANGE if wins else BLUE, dash)
            line["line"]["width"] = 3 if wins else 1
            line["hovertemplate"] = f"{name}: %{{y:.3f}} after %{{x}} epochs<extra></extra>"
            traces.append(line | {"opacity": 1.0 if wins else 0.5})
    spec = _spec(traces, x=_axis("epochs"), y=_axis("validation AUC"))
    spec["layout"] |= {"showlegend": False, "height": 300}
    return spec


def _dots(x: Sequence[Any], rows: Sequence[Row], name: str, colour: str, symbol: str) -> Spec:
    return {
        "x": list(x),
        "y": _numbers([row.last for row in rows]),
        "mode": "markers",
        "name": name,
        "marker": {"color": colour, "symbol": symbol, "size": 8},
        "customdata": [f"trial {row.index}: {_plain(text_of(row.values))}" for row in rows],
        "hovertemplate": "AUC %{y:.3f}<br>%{customdata}<extra></extra>",
    }
