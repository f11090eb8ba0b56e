"""An audit in a few lines of text."""

from medauc.audit.composition import SplitSummary
from medauc.audit.document import Audit, DuplicateEffect
from medauc.evaluation.comparison_text import p_text

_MARKS = {"invalid": "INVALID", "warning": "warning", "note": "note   "}
_MOST_LABELS = 4


def audit_lines(audit: Audit) -> list[str]:
    """Write an audit out for a terminal: splits, findings by severity, what duplicates and shortcuts are worth."""
    lines = [f"{audit.name}: {audit.n} images"]
    lines += [_split_line(split) for split in audit.splits]
    if audit.findings:
        lines.append("")
    for finding in audit.findings:
        lines.append(f"{_MARKS[finding.severity]}  {finding.text}")
        lines.append(f"         {finding.remedy}")
    if audit.duplicates.effects:
        lines += ["", "AUC on test with and without duplicates in training or validation"]
        lines += [_effect_line(effect) for effect in audit.duplicates.effects]
    lines += ["", verdict(audit)]
    return lines


def verdict(audit: Audit) -> str:
    """Say in a sentence what the audit means."""
    invalid = [finding.check for finding in audit.findings if finding.severity == "invalid"]
    warnings = sum(finding.severity == "warning" for finding in audit.findings)
    if invalid:
        return f"Results on these data would not be valid: {', '.join(dict.fromkeys(invalid))}."
    return "Nothing that invalidates results was found" + (
        f"; {warnings} warning{'' if warnings == 1 else 's'}." if warnings else "."
    )


def _split_line(split: SplitSummary) -> str:
    labels = list(split.positive)
    if len(labels) > _MOST_LABELS:
        content = f"{len(labels)} labels, {sum(split.positive.values())} positive"
    else:
        content = "; ".join(_label_text(split, label) for label in labels)
    shape = next(iter(split.shapes), "unreadable")
    more = f" and {split.n_shapes - 1} other sizes" if split.n_shapes > 1 else ""
    groups = "" if split.n_groups == split.n else f" of {split.n_groups} patients"
    line = f"  {split.name:<6} {split.n} images{groups}, {shape}{more}"
    return f"{line}; {content}" if content else line


def _label_text(split: SplitSummary, label: str) -> str:
    positive, negative = split.positive[label], split.negative[label]
    known = positive + negative
    return f"{label} {positive} of {known} ({positive / known:.1%})" if known else f"{label} unknown"


def _effect_line(effect: DuplicateEffect) -> str:
    name = effect.model if effect.label is None else f"{effect.model}, {effect.label}"
    return (
        f"  {name}: {effect.every.text()} with, {effect.clean.text()} without {effect.n_removed} images; "
        f"difference {effect.difference.text()}, p {p_text(effect.p)}\n    ({effect.statement})"
    )
