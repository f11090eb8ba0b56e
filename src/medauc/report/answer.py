"""The first screen: what was found, in a sentence, and what a reader must know before believing it."""

from collections.abc import Sequence

from medauc.evaluation import Evaluation, OperatingPoint, Predictions
from medauc.evaluation.comparison_text import p_text


def answer(evaluation: Evaluation, data_name: str | None) -> str:
    """Say in one paragraph what the test split shows, with the first operating point where there is one."""
    test, percent = evaluation.test, f"{100 * evaluation.level:g}%"
    of = f" of {data_name}" if data_name else ""
    if evaluation.label_names:
        area = test.auroc.text() if test.auroc else "undefined"
        kind = f"AUROC averaged over {len(test.macro_labels)} labels, {percent} interval"
        sentence = (
            f"On {test.n} test samples{of} with {len(evaluation.label_names)} labels, a random positive scores above "
            f"a random negative with a mean probability of {area} ({kind})."
        )
        return " ".join([sentence, *_over_labels(evaluation.operating_points)])
    positive = evaluation.positive_name or "positive"
    area = test.auroc.text() if test.auroc else "undefined"
    sentence = (
        f"On {test.n} test samples{of} ({test.n_positive} {positive}, {100 * test.prevalence:.1f}%), a random "
        f"{positive} sample scores above a random negative one with probability {area} (AUROC, {percent} interval)."
    )
    return " ".join([sentence, *map(_at_point, evaluation.operating_points[:1])])


def warnings(evaluation: Evaluation, predictions: Predictions) -> list[str]:
    """What a reader must know to judge the figures, gravest first; how the table was read is left out."""
    found = [sentence for sentence in reversed(evaluation.warnings) if sentence not in predictions.notes]
    return [*found, *_flagged(evaluation), *_unexamined(evaluation)]


def _at_point(point: OperatingPoint) -> str:
    return (
        f"At the threshold that validation chose ({point.name}), sensitivity is {point.sensitivity.text(2)} and "
        f"specificity {point.specificity.text(2)}."
    )


def _over_labels(points: Sequence[OperatingPoint]) -> list[str]:
    """From where to where sensitivity and specificity go over the labels, at each one's first point."""
    first = [point for point in points if point.name == points[0].name]
    ranges = []
    for rate in ("sensitivity", "specificity"):
        known = sorted(
            (figure.value, point.label)
            for point in first
            for figure in [getattr(point, rate)]
            if figure.value is not None
        )
        if known:
            (low, worst), (high, best) = known[0], known[-1]
            ranges.append(f"{rate} runs from {low:.2f} ({worst}) to {high:.2f} ({best})")
    if not ranges:
        return []
    return [f"At the thresholds that validation chose ({points[0].name}), {' and '.join(ranges)}."]


def _flagged(evaluation: Evaluation) -> list[str]:
    return [
        f"Subgroup {part.column} {part.value}{'' if part.label is None else f' ({part.label})'} differs from the rest: "
        f"{item.name} by {item.difference.text()}, adjusted p {p_text(item.p_adjusted)}."
        for part in evaluation.subgroups
        for item in part.differences
        if item.flagged
    ]


def _unexamined(evaluation: Evaluation) -> list[str]:
    if not evaluation.subgroups:
        return ["No subgroups were evaluated: the table of predictions has no column that makes any."]
    small = list(dict.fromkeys(f"{part.column} {part.value}" for part in evaluation.subgroups if part.note))
    return [f"Too few samples to judge {_listed(small)}."] if small else []


def _listed(names: Sequence[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more subgroups" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
