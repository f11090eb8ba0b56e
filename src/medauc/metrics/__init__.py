"""Metrics of ranking and calibration: pure functions of NumPy arrays, ``(target, score)`` like scikit-learn.

Targets are 0 or 1, scores are real numbers, higher = more positive; everything is computed in float64.
"""

from medauc.metrics.auc_interval import FEW_CASES, binormal_variance, hoeffding_interval, score_interval
from medauc.metrics.bootstrap import bca_interval, bootstrap_interval, percentile_interval
from medauc.metrics.brier import (
    BrierDecomposition,
    brier_decomposition,
    brier_interval,
    brier_score,
    brier_skill,
    log_loss_interval,
)
from medauc.metrics.calibration import (
    calibration_error_interval,
    calibration_intercept,
    calibration_slope,
    debiased_calibration_error,
    expected_calibration_error,
    observed_expected_ratio,
    reliability_curve,
    spiegelhalter_test,
)
from medauc.metrics.calibration_curve import CalibrationCurve, calibration_curve
from medauc.metrics.clustered import clustered_covariance, clustered_interval
from medauc.metrics.comparison import AucTests, delong_test, delong_tests
from medauc.metrics.confusion import (
    AtPrevalence,
    Confusion,
    ConfusionCounts,
    confusion,
    confusion_counts,
    confusion_from_counts,
)
from medauc.metrics.delong import delong_covariance, delong_influence, delong_interval, delong_variance
from medauc.metrics.estimate import Estimate
from medauc.metrics.macro_comparison import macro_auc_tests
from medauc.metrics.multiclass import multiclass_auc
from medauc.metrics.multilabel import macro_auc_interval, micro_auc_interval
from medauc.metrics.multiplicity import holm
from medauc.metrics.net_benefit import DecisionCurve, net_benefit
from medauc.metrics.paired_precision import average_precision_difference
from medauc.metrics.paired_proportions import PairedProportions, paired_proportions
from medauc.metrics.partial import partial_auc, partial_auc_interval
from medauc.metrics.precision_recall import (
    average_precision,
    average_precision_baseline,
    average_precision_influence,
    average_precision_interval,
    least_average_precision,
    precision_recall_curve,
)
from medauc.metrics.proportion import (
    clopper_pearson_interval,
    clustered_proportion,
    mover,
    proportion_estimate,
    wilson_interval,
)
from medauc.metrics.ranks import Ranks, friedman_ranks
from medauc.metrics.rate_at import sensitivity_at_specificity, specificity_at_sensitivity
from medauc.metrics.recalibration import (
    BetaMap,
    CalibrationMap,
    IsotonicMap,
    PlattMap,
    TemperatureMap,
    fit_calibration,
    platt_apply,
    platt_fit,
)
from medauc.metrics.resampled import resampled_mean
from medauc.metrics.risk_control import ControlledThreshold, controlled_threshold
from medauc.metrics.roc import roc_auc, roc_band, roc_curve
from medauc.metrics.seed_difference import SeedDifference, seed_difference
from medauc.metrics.seeds import SeedSummary, seed_interval
from medauc.metrics.selection import BestOfMany, best_of_many
from medauc.metrics.thresholds import (
    threshold_at_least_cost,
    threshold_at_sensitivity,
    threshold_at_specificity,
    youden_threshold,
)

__all__ = [
    "FEW_CASES",
    "AtPrevalence",
    "AucTests",
    "BestOfMany",
    "BetaMap",
    "BrierDecomposition",
    "CalibrationCurve",
    "CalibrationMap",
    "Confusion",
    "ConfusionCounts",
    "ControlledThreshold",
    "DecisionCurve",
    "Estimate",
    "IsotonicMap",
    "PairedProportions",
    "PlattMap",
    "Ranks",
    "SeedDifference",
    "SeedSummary",
    "TemperatureMap",
    "average_precision",
    "average_precision_baseline",
    "average_precision_difference",
    "average_precision_influence",
    "average_precision_interval",
    "bca_interval",
    "best_of_many",
    "binormal_variance",
    "bootstrap_interval",
    "brier_decomposition",
    "brier_interval",
    "brier_score",
    "brier_skill",
    "calibration_curve",
    "calibration_error_interval",
    "calibration_intercept",
    "calibration_slope",
    "clopper_pearson_interval",
    "clustered_covariance",
    "clustered_interval",
    "clustered_proportion",
    "confusion",
    "confusion_counts",
    "confusion_from_counts",
    "controlled_threshold",
    "debiased_calibration_error",
    "delong_covariance",
    "delong_influence",
    "delong_interval",
    "delong_test",
    "delong_tests",
    "delong_variance",
    "expected_calibration_error",
    "fit_calibration",
    "friedman_ranks",
    "hoeffding_interval",
    "holm",
    "least_average_precision",
    "log_loss_interval",
    "macro_auc_interval",
    "macro_auc_tests",
    "micro_auc_interval",
    "mover",
    "multiclass_auc",
    "net_benefit",
    "observed_expected_ratio",
    "paired_proportions",
    "partial_auc",
    "partial_auc_interval",
    "percentile_interval",
    "platt_apply",
    "platt_fit",
    "precision_recall_curve",
    "proportion_estimate",
    "reliability_curve",
    "resampled_mean",
    "roc_auc",
    "roc_band",
    "roc_curve",
    "score_interval",
    "seed_difference",
    "seed_interval",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "spiegelhalter_test",
    "threshold_at_least_cost",
    "threshold_at_sensitivity",
    "threshold_at_specificity",
    "wilson_interval",
    "youden_threshold",
]
