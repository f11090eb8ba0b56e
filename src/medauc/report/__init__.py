"""From an evaluation, a comparison, an audit or a search to one self-contained HTML page, and to a model card."""

from medauc.report.audit_page import build_audit_page, write_audit_page
from medauc.report.build import build_report, write_report
from medauc.report.comparison import build_comparison_report, write_comparison_report
from medauc.report.gallery import ConfidentError, most_confident_errors
from medauc.report.material import RunMaterial
from medauc.report.model_card import model_card, write_model_card
from medauc.report.run import card_of, report_path, report_runs, write_run_report
from medauc.report.search_page import build_search_page, write_search_page

__all__ = [
    "ConfidentError",
    "RunMaterial",
    "build_audit_page",
    "build_comparison_report",
    "build_report",
    "build_search_page",
    "card_of",
    "model_card",
    "most_confident_errors",
    "report_path",
    "report_runs",
    "write_audit_page",
    "write_comparison_report",
    "write_model_card",
    "write_report",
    "write_run_report",
    "write_search_page",
]
