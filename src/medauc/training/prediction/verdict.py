"""What a run's evaluation makes of a score: a probability, and a flag at each operating point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medauc.evaluation import Evaluation
from medauc.metrics import CalibrationMap


@dataclass(frozen=True)
class Verdict:
    """Turns scores into the columns of a table.

    Attributes:
        labels: a name a score; empty where there is one score without a name.
        maps: from scores to probabilities, by label (None: the one without a name), as validation fitted them.
        points: label, name and threshold of every operating point.
    """

    labels: tuple[str, ...]
    maps: Mapping[str | None, CalibrationMap]
    points: tuple[tuple[str | None, str, float], ...]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """Take maps and thresholds as ``evaluation.json`` holds them, the ones that the report judges on test."""
        maps = {found.label: CalibrationMap.from_dict(found.map) for found in evaluation.calibration}
        points = tuple((point.label, point.name, point.threshold) for point in evaluation.operating_points)
        return cls(tuple(evaluation.label_names), maps, points)

    def columns(self, scores: NDArray[np.float64]) -> pd.DataFrame:
        """Score, probability and flags of samples.

        Args:
            scores: (N, L); what is not a number has no figures.

        Returns:
            ``score``, ``probability`` (missing where the run has no calibration), ``flag_<rule>`` (1: the score is at
            or above the threshold), each with ``_<label>`` behind it where labels have names.
        """
        labels: Sequence[str | None] = self.labels or (None,)
        found: dict[str, object] = {}
        for label, column in zip(labels, scores.T, strict=True):
            known = self.maps.get(label)
            found[_named("score", label)] = column
            found[_named("probability", label)] = (
                np.full(len(column), np.nan) if known is None else known.apply(column)
            )
        for label, name, threshold in self.points:
            column = scores[:, labels.index(label)]
            flags = np.where(np.isnan(column), np.nan, column >= threshold)
            found[_named(f"flag_{name.replace(' ', '_')}", label)] = pd.array(flags, dtype="Int64")
        return pd.DataFrame(found)

    def notes(self) -> list[str]:
        """Say what is missing, and why."""
        labels: Sequence[str | None] = self.labels or (None,)
        lacking = [label for label in labels if label not in self.maps]
        if not lacking:
            return []
        of = "" if not self.labels else f" for {', '.join(map(str, lacking))}"
        return [
            f"No probabilities{of}: the run has no calibration (evaluation.calibration is none, or its validation or "
            "test split lacks a class)."
        ]


def _named(what: str, label: str | None) -> str:
    return what if label is None else f"{what}_{label}"
