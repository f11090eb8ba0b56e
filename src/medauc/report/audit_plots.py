"""Figures of an audit, as plotly.js specifications."""

import numpy as np

from medauc.audit import Audit
from medauc.report.plots import _DASHES, BLUE, GREY, ORANGE, Spec, _axis, _line, _numbers, _spec


def nearest_plot(audit: Audit) -> Spec | None:
    """How alike each image's most similar other one is, by split, as shares of the split; None without images."""
    drawn: list[Spec] = []
    for place, (split, counts) in enumerate(audit.duplicates.nearest.items()):
        if sum(counts):
            edges = np.linspace(0, 1, len(counts) + 1)
            shares = np.array(counts) / sum(counts)
            line = _line(
                np.repeat(edges, 2)[1:-1],
                np.repeat(shares, 2),
                split,
                (BLUE, GREY, ORANGE)[place % 3],
                dash=_DASHES[place],
            )
            drawn.append(line)
    if not drawn:
        return None
    near, highest = audit.duplicates.near, max(max(line["y"]) for line in drawn)
    limit = _line([near, near], [0, highest], f"one picture from {near:g}", ORANGE, dash="dash")
    limit["x"] = _numbers([near, near])
    spec = _spec(
        [*drawn, limit], x=_axis("likeness of the most similar other image"), y=_axis("share of the split")
    )
    spec["layout"]["height"] = 300
    return spec
