"""From an evaluation to one self-contained HTML page."""

from medauc.report.build import build_report, write_report
from medauc.report.comparison import build_comparison_report, write_comparison_report
from medauc.report.gallery import ConfidentError, most_confident_errors
from medauc.report.material import RunMaterial
from medauc.report.run import report_path, write_run_report

__all__ = [
    "ConfidentError",
    "RunMaterial",
    "build_comparison_report",
    "build_report",
    "most_confident_errors",
    "report_path",
    "write_comparison_report",
    "write_report",
    "write_run_report",
]
