"""The cases on which models disagree, for people to look at."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from medauc.evaluation.alignment import Aligned
from medauc.evaluation.comparison import Comparison
from medauc.files import save_text

MOST_BY_RANK = 100  # cases listed where there are no calls to disagree on


def disagreements(aligned: Aligned, comparison: Comparison) -> pd.DataFrame:
    """List the cases that models call differently, or, without operating points, rank most differently.

    Calls are those of the first operating point (Youden's), by the models that have one. A rank is the share of
    the compared samples at or below a score, ties counting half, so ranks of different models compare.

    Args:
        aligned: The models' scores.
        comparison: What :func:`medauc.evaluation.compare` made of them.

    Returns:
        One row a case: ``id``, ``group``, ``label`` (with several labels), ``target``, ``spread`` (widest distance of
        two ranks; rows with most come first), then ``score <model>``, ``rank <model>`` in (0, 1) and, with operating
        points, ``call <model>`` (0 or 1, empty for a model without).

    >>> from medauc.evaluation import Predictions, align, compare
    >>> table = lambda scores: Predictions.from_arrays(split="test", ids="abcd", targets=[0, 0, 1, 1], scores=scores)
    >>> aligned = align({"A": table([1, 2, 3, 4]), "B": table([1, 2, 4, 3])})
    >>> disagreements(aligned, compare(aligned))[["id", "rank A", "rank B"]].values.tolist()
    [['c', 0.625, 0.875], ['d', 0.875, 0.625], ['a', 0.125, 0.125], ['b', 0.375, 0.375]]
    """
    found = pd.concat([_of_label(aligned, comparison, panel.label) for panel in comparison.labels])
    return found.sort_values("spread", ascending=False, kind="stable", ignore_index=True)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    save_text(path, table.to_csv(index=False, lineterminator="\n"))


def _of_label(aligned: Aligned, comparison: Comparison, label: str | None) -> pd.DataFrame:
    known, frame = aligned.known(label), aligned.parts[0].frame
    scores = aligned.scores(label)[:, known]
    ranks = (rankdata(scores, axis=1) - 0.5) / scores.shape[1]
    calls = _calls(aligned, comparison, label, scores)
    spread = np.ptp(ranks, axis=0)
    order = np.argsort(-spread, kind="stable")
    order = order[_differ(calls)[order]] if len(calls) > 1 else order[:MOST_BY_RANK]
    rows = np.flatnonzero(known)[order]
    columns: dict[str, object] = {
        "id": frame["id"].to_numpy()[rows],
        "group": frame["group"].to_numpy()[rows],
        **({} if label is None else {"label": label}),
        "target": aligned.target(label)[rows],
        "spread": spread[order],
    }
    for name, score, rank in zip(aligned.names, scores, ranks, strict=True):
        columns |= {f"score {name}": score[order], f"rank {name}": rank[order]}
        if len(calls) > 1:
            columns[f"call {name}"] = calls[name][order] if name in calls else ""
    return pd.DataFrame(columns)


def _differ(calls: Mapping[str, NDArray[np.int8]]) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(np.stack(list(calls.values())), axis=0) > 0)


def _calls(
    aligned: Aligned, comparison: Comparison, label: str | None, scores: NDArray[np.float64]
) -> dict[str, NDArray[np.int8]]:
    """Calls of each model that has an operating point, at the first one."""
    points = next(panel.points for panel in comparison.labels if panel.label == label)
    thresholds = {point.model: point.threshold for point in reversed(points)}
    return {
        name: (score >= thresholds[name]).astype(np.int8)
        for name, score in zip(aligned.names, scores, strict=True)
        if name in thresholds
    }
