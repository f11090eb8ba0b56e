"""From what was measured to what a reader must know: one check a function, each with its severity and a remedy."""

from medauc.audit import checks_files, checks_labels, checks_splits
from medauc.audit.document import Finding
from medauc.audit.material import Material

ORDER = ("invalid", "warning", "note")


def find_all(material: Material) -> list[Finding]:
    """Run all checks, what invalidates results first."""
    checks = (
        checks_files.unreadable,
        checks_files.passed_over,
        checks_splits.one_class,
        checks_splits.patients,
        checks_splits.patients_in_headers,
        checks_files.several_patients,
        checks_splits.duplicates_across,
        checks_splits.conflicts,
        checks_files.kinds_of_image,
        checks_files.shapes,
        checks_files.worthless,
        checks_splits.duplicates_within,
        checks_labels.no_label,
        checks_labels.shortcuts,
        checks_labels.associations,
        checks_splits.differences,
        checks_files.phi,
        checks_files.remarks,
    )
    found = [finding for check in checks for finding in check(material)]
    return sorted(found, key=lambda finding: ORDER.index(finding.severity))
