"""From an evaluation to one self-contained HTML page."""

from medauc.report.build import build_report, write_report
from medauc.report.gallery import ConfidentError, most_confident_errors
from medauc.report.material import RunMaterial

__all__ = ["ConfidentError", "RunMaterial", "build_report", "most_confident_errors", "write_report"]
