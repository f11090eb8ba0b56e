"""From predictions to an evaluation: figures with intervals, thresholds from validation, warnings."""

from medauc.evaluation.alignment import Aligned, align
from medauc.evaluation.checks import require_evaluable
from medauc.evaluation.columns import parse_columns
from medauc.evaluation.compare import compare
from medauc.evaluation.comparison import Comparison
from medauc.evaluation.disagreement import disagreements, write_table
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
    "Aligned",
    "Calibration",
    "Comparison",
    "Discrimination",
    "Evaluation",
    "Figure",
    "OperatingPoint",
    "Predictions",
    "ReadOptions",
    "SplitEvaluation",
    "align",
    "calibrated",
    "compare",
    "disagreements",
    "evaluate",
    "parse_columns",
    "require_evaluable",
    "summary_lines",
    "uncalibrated",
    "write_table",
]
