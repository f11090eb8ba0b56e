"""How the training went, as plotly.js specifications."""

import numpy as np
import pandas as pd

from medauc.report.plots import _DASHES, BLUE, GREY, ORANGE, Spec, _axis, _line, _spec


def history_plots(history: pd.DataFrame) -> list[tuple[str, str, Spec]]:
    """Training curves that the columns allow: ``(title, description, figure)``; of an ensemble, a line a network."""
    if "member" in history:
        return _ensemble_plots(history)
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
            spec["layout"] |= {"height": 280, "shapes": _ends_of_stages(history)}
            found.append((title, description, spec))
    return found


def _ensemble_plots(history: pd.DataFrame) -> list[tuple[str, str, Spec]]:
    wanted = (("Loss", "training loss", "loss"), ("Validation AUC", "validation AUC", "val_auc"))
    found = []
    for title, what, column in wanted:
        traces = [
            _line(rows["epoch"].to_numpy(), rows[column].to_numpy(dtype=np.float64), str(name), BLUE)
            | {"opacity": 0.5, "hovertemplate": f"{name}: %{{y:.4g}} after epoch %{{x}}<extra></extra>"}
            for name, rows in history.groupby("member", sort=False)
            if rows[column].notna().any()
        ]
        if traces:
            spec = _spec(traces, x=_axis("epoch"), y=_axis(what))
            spec["layout"] |= {"height": 280, "showlegend": False}
            found.append((title, f"{what} of each of {len(traces)} networks by epoch", spec))
    return found


def _ends_of_stages(history: pd.DataFrame) -> list[Spec]:
    """A dotted upright where a stage ends."""
    if "stage" not in history:
        return []
    ends = history.groupby("stage")["epoch"].max().to_numpy(dtype=np.float64)[:-1] + 0.5
    line = {"color": GREY, "width": 1, "dash": "dot"}
    return [
        {"type": "line", "xref": "x", "yref": "paper", "x0": end, "x1": end, "y0": 0, "y1": 1, "line": line}
        for end in ends.tolist()
    ]


def _best_epoch(history: pd.DataFrame) -> Spec:
    """The epoch that was kept: of equal ones the last, but a second stage has to exceed the first."""
    auc = history["val_auc"].to_numpy(dtype=np.float64)
    ties = np.flatnonzero(auc == np.nanmax(auc))
    if "stage" in history:
        stage = history["stage"].to_numpy()
        ties = ties[stage[ties] == stage[ties[0]]]
    row = int(ties[-1])
    epoch = int(history["epoch"].to_numpy()[row])
    return {
        "x": [epoch],
        "y": [round(float(auc[row]), 5)],
        "mode": "markers",
        "name": f"best validation, epoch {epoch}",
        "marker": {"symbol": "star", "size": 13, "color": ORANGE},
    }
