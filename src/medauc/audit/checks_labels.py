"""Checks of what tells labels without the picture."""

from collections.abc import Iterator

from medauc.audit.associations import Association
from medauc.audit.document import Finding
from medauc.audit.material import Material, count, few, interval_text, make
from medauc.audit.shortcuts import KINDS, MARGIN


def no_label(material: Material) -> Iterator[Finding]:
    """Nothing to judge labels by."""
    if not material.collection.label_names:
        yield make(
            "note",
            "no label",
            "no label named: shortcuts and label conflicts not looked for",
            "name a manifest's column with --columns target=NAME, several with --set data.columns.targets=[A,B]; "
            "in a folder give each class a sub-folder",
            1,
        )


def shortcuts(material: Material) -> Iterator[Finding]:
    """Labels that models tell without the picture."""
    for kind, name in KINDS.items():
        flagged = [found for found in material.shortcuts if found.kind == kind and found.flagged]
        if not flagged:
            continue
        first = max(flagged, key=lambda found: max(found.auc.low, found.strongest[0].auc.low))
        best = first.strongest[0]
        alone = list(dict.fromkeys(one.name for found in flagged for one in found.flagged_features))
        rest = [found.label for found in flagged if found is not first]
        yield make(
            "warning",
            f"shortcut, {kind}",
            f"{name} alone rank {first.label} with AUC {interval_text(first.auc)} ({first.judged_on}); "
            f"strongest alone: {best.name} {interval_text(best.auc)}"
            + (f"; enough alone: {few(alone, 6)}" if len(alone) > 1 else "")
            + (f"; also of {few(rest, 6)}" if rest else ""),
            "make sure that the network cannot use it, and report this AUC beside the network's",
            len(flagged),
            alone,
        )
    if material.echoes:
        names = list(dict.fromkeys(echo.column for echo in material.echoes))
        yield make(
            "note",
            "columns that say the label",
            f"{count(len(names), 'column')} likely to be a label in other words: {few(names, 6)}",
            "no shortcut model was given them; keep them from the network's inputs too",
            len(names),
            names,
        )


def associations(material: Material) -> Iterator[Finding]:
    """Each feature once, with the label that it goes with most."""
    first: dict[str, Association] = {}
    for found in material.associations:
        first.setdefault(found.feature, found)
    if first:
        strong = any(found.strength > MARGIN for found in first.values())
        named = [
            f"{one.feature}{'' if one.level is None else ' = ' + one.level} with {one.label} {interval_text(one.auc)}"
            for one in first.values()
        ]
        yield make(
            "warning" if strong else "note",
            "features that go with a label",
            f"{count(len(first), 'feature')} other than the picture going with a label: {few(named, 4)}",
            "a network may read them off the picture; evaluate within their levels (medauc evaluate --subgroups)",
            len(first),
            list(first),
        )
