"""From predictions to an evaluation: figures with intervals, thresholds from validation, warnings."""

from medauc.evaluation.evaluate import calibrated, evaluate, uncalibrated
from medauc.evaluation.figures import (
    Calibration,
    Discrimination,
    Evaluation,
    Figure,
    OperatingPoint,
    SplitEvaluation,
)
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.summary import summary_lines

__all__ = [
    "Calibration",
    "Discrimination",
    "Evaluation",
    "Figure",
    "OperatingPoint",
    "Predictions",
    "SplitEvaluation",
    "calibrated",
    "evaluate",
    "summary_lines",
    "uncalibrated",
]
