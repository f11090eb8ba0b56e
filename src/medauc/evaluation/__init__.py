"""From predictions to an evaluation: figures with intervals, thresholds from validation, warnings."""

from medauc.evaluation.checks import require_evaluable
from medauc.evaluation.columns import parse_columns
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
from medauc.evaluation.reading import ReadOptions
from medauc.evaluation.summary import summary_lines

__all__ = [
    "Calibration",
    "Discrimination",
    "Evaluation",
    "Figure",
    "OperatingPoint",
    "Predictions",
    "ReadOptions",
    "SplitEvaluation",
    "calibrated",
    "evaluate",
    "parse_columns",
    "require_evaluable",
    "summary_lines",
    "uncalibrated",
]
