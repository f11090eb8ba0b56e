"""From predictions to an evaluation: figures with intervals, thresholds from validation, warnings."""

from medauc.evaluation.alignment import Aligned, align
from medauc.evaluation.checks import require_evaluable
from medauc.evaluation.columns import parse_columns
from medauc.evaluation.compare import compare
from medauc.evaluation.comparison import Comparison
from medauc.evaluation.comparison_text import comparison_lines
from medauc.evaluation.disagreement import disagreements, write_table
from medauc.evaluation.evaluate import evaluate, evaluate_validation
from medauc.evaluation.figures import (
    Calibration,
    Curve,
    Discrimination,
    Evaluation,
    Figure,
    NetBenefit,
    OperatingPoint,
    PartialArea,
    ProbabilityFigures,
    RateAt,
    Runs,
    SplitEvaluation,
    Subgroup,
)
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.probabilities import calibrated, uncalibrated
from medauc.evaluation.reading import ReadOptions
from medauc.evaluation.runs import evaluate_runs
from medauc.evaluation.settings import Settings
from medauc.evaluation.summary import summary_lines

__all__ = [
    "Aligned",
    "Calibration",
    "Comparison",
    "Curve",
    "Discrimination",
    "Evaluation",
    "Figure",
    "NetBenefit",
    "OperatingPoint",
    "PartialArea",
    "Predictions",
    "ProbabilityFigures",
    "RateAt",
    "ReadOptions",
    "Runs",
    "Settings",
    "SplitEvaluation",
    "Subgroup",
    "align",
    "calibrated",
    "compare",
    "comparison_lines",
    "disagreements",
    "evaluate",
    "evaluate_runs",
    "evaluate_validation",
    "parse_columns",
    "require_evaluable",
    "summary_lines",
    "uncalibrated",
    "write_table",
]
