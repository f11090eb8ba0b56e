"""The samples that a score gets most wrong."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from medauc.evaluation import Evaluation, Predictions


@dataclass(frozen=True)
class ConfidentError:
    """A test sample on the wrong side of many samples of the other class.

    Attributes:
        id: The sample.
        group: Its patient.
        label: Which label, ``None`` when there is one.
        kind: A negative scored high or a positive scored low.
        score: Raw score.
        wrong_share: Share of the other class that it is ranked wrongly against, in (0, 1]; ties count half.
        called_positive: Verdict of the first operating point, ``None`` without one.
    """

    id: str
    group: str
    label: str | None
    kind: Literal["false positive", "false negative"]
    score: float
    wrong_share: float
    called_positive: bool | None


def most_confident_errors(
    predictions: Predictions, evaluation: Evaluation, count: int = 12
) -> list[ConfidentError]:
    """Find the test samples that cost the AUC most: highest negatives and lowest positives.

    Args:
        predictions: The table.
        evaluation: Its evaluation, for the verdict at the first operating point.
        count: How many at most, half of each kind.

    Returns:
        False positives, then false negatives, worst first; a sample ranked perfectly is never listed.

    >>> from medauc.evaluation import evaluate
    >>> table = Predictions.from_arrays(
    ...     split="test", ids="abcdef", targets=[0, 0, 0, 1, 1, 1], scores=[1, 2, 9, 3, 4, 5])
    >>> for error in most_confident_errors(table, evaluate(table), count=2):
    ...     print(error.id, error.kind, round(error.wrong_share, 3))
    c false positive 1.0
    d false negative 0.333
    """
    test = predictions.select("test")
    found = [
        error
        for label in predictions.labels or (None,)
        for error in _errors(test, evaluation, label, count // 2)
    ]
    found.sort(key=lambda error: -error.wrong_share)
    return [
        error
        for kind in ("false positive", "false negative")
        for error in [error for error in found if error.kind == kind][: count // 2]
    ]


def _errors(test: Predictions, evaluation: Evaluation, label: str | None, each: int) -> list[ConfidentError]:
    if not test.has_both_classes(label):
        return []
    target, score, ids, groups = test.target(label), test.score(label), test.ids, test.groups
    threshold = next((point.threshold for point in evaluation.operating_points if point.label == label), None)
    positive, negative = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
    found = []
    sides: tuple[tuple[Literal["false positive", "false negative"], np.ndarray, np.ndarray, int], ...] = (
        ("false positive", negative, positive, 1),
        ("false negative", positive, negative, -1),
    )
    for kind, rows, others, sign in sides:
        share = _share_below(sign * score[rows], sign * score[others])
        for place in np.argsort(-sign * score[rows], kind="stable")[:each]:
            if share[place] == 0.0:
                break
            row = int(rows[place])
            called = None if threshold is None else bool(score[row] >= threshold)
            found.append(
                ConfidentError(
                    ids[row], groups[row], label, kind, float(score[row]), float(share[place]), called
                )
            )
    return found


def _share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of ``others`` below each of ``values``, ties counting half."""
    ranks = rankdata(np.concatenate((values, others)))[: values.size]
    return np.asarray((ranks - rankdata(values)) / others.size)
