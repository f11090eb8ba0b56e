"""What a reader must know to judge an evaluation, as sentences."""

from collections.abc import Iterator, Sequence
from typing import cast

from medauc.evaluation.figures import Calibration
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.ranking import can_average
from medauc.metrics.clustered import carriers

SMALL_CLASS = 50  # fewer test samples of a class than this leave intervals wide


def caveats(predictions: Predictions, maps: Sequence[Calibration]) -> list[str]:
    """Find missing or one-class splits, small test sets, dependent samples, leaks, reversed scores.

    Args:
        predictions: The table that is evaluated.
        maps: Calibrations fitted on its validation split.

    Returns:
        One sentence each, gravest last.
    """
    labels: tuple[str | None, ...] = predictions.labels or (None,)
    val, test = predictions.select("val"), predictions.select("test")
    return [
        *_validation(val, labels),
        *_scores(predictions, labels),
        *_test_size(test, labels),
        *_dependence(test),
        *_uncalibrated(maps),
        *_reversed(maps),
        *_leaks(predictions),
    ]


def _validation(val: Predictions, labels: Sequence[str | None]) -> list[str]:
    consequence = "no operating points and no calibration"
    if not val.n:
        return [f"No validation split: {consequence}, since neither is ever chosen on test."]
    absent = [label for label in labels if not val.has_both_classes(label)]
    if not absent:
        return []
    of = "" if absent == [None] else f" for {_names(absent)}"
    return [f"Validation lacks a class{of}: {consequence}{of and ' there'}."]


def _scores(predictions: Predictions, labels: Sequence[str | None]) -> Iterator[str]:
    """Scores that cannot be what they seem to be."""
    for label in labels:
        of = "" if label is None else f" of {label}"
        if predictions.select("val").has_both_classes(label):
            fitted = predictions.select("val").known(label)[1]
            if fitted.min() == fitted.max():
                yield f"All validation scores{of} are equal: thresholds and calibration{of} mean nothing."
        score = predictions.score(label)
        if score.min() >= 0.0 and 50.0 < score.max() <= 100.0:
            yield (
                f"Scores{of} lie between {score.min():g} and {score.max():g}: if they are percentages, divide them by "
                "100, so that they count as probabilities."
            )


def _test_size(test: Predictions, labels: Sequence[str | None]) -> list[str]:
    found = []
    skipped = [label for label in labels if label is not None and not can_average(test, label)]
    if skipped:
        names = _names(skipped)
        found.append(
            f"Left out of the mean AUROC, with under two test cases or patients of a class: {names}."
        )
    by_group = test.has_repeated_groups
    units = {
        label: carriers(test.known(label)[0], test.known_groups(label) if by_group else None)
        for label in labels
        if test.class_sizes(label) != (0, 0)
    }
    small = [label for label, of_classes in units.items() if 0 < min(of_classes) < SMALL_CLASS]
    if small == [None]:
        positives, negatives = units[None]
        found.append(
            f"Test has positives of only {positives} groups and negatives of {negatives}: heed the intervals."
            if by_group
            else f"Test holds only {positives} positives and {negatives} negatives: heed the intervals."
        )
    elif small:
        cases = "groups with" if by_group else "test cases of"
        found.append(f"Under {SMALL_CLASS} {cases} a class, so heed the intervals: {_names(small)}.")
    return found


def _dependence(test: Predictions) -> list[str]:
    groups = len(set(test.groups))
    if groups == test.n:
        return []
    return [
        f"The {test.n} test samples come from {groups} groups: intervals of AUROC and of rates at thresholds are "
        "by group; those of partial areas, calibration and net benefit take samples as independent and may be too "
        "narrow."
    ]


def _reversed(maps: Sequence[Calibration]) -> list[str]:
    return [
        f"The score{'' if fit.label is None else f' of {fit.label}'} ranks validation the wrong way round: turn its "
        "sign, or name the other class as positive."
        for fit in maps
        if fit.method == "platt" and float(cast(float, fit.map["slope"])) < 0
    ]


def _uncalibrated(maps: Sequence[Calibration]) -> list[str]:
    """Calibrated probabilities that are off beyond noise, in the large or in their spread."""
    found = []
    for fit in maps:
        off = [
            name
            for name, figure, ideal in (
                ("intercept", fit.after.intercept, 0.0),
                ("slope", fit.after.slope, 1.0),
            )
            if figure.low is not None and figure.high is not None and not figure.low <= ideal <= figure.high
        ]
        if off:
            of = "" if fit.label is None else f" of {fit.label}"
            found.append(f"Probabilities{of} are off on test even after calibration: {' and '.join(off)}.")
    return found


def _leaks(predictions: Predictions) -> list[str]:
    """Groups in two splits; told only where they say more than ids, which may start anew in each split."""
    if predictions.groups == predictions.ids:
        return []
    groups = {split: set(predictions.select(split).groups) for split in predictions.splits}
    found = []
    for split in ("train", "val"):
        shared = sorted(groups.get(split, set()) & groups.get("test", set()))
        if shared:
            some = ", ".join(shared[:3])
            found.append(
                f"{len(shared)} groups occur in both {split} and test, so test is not independent: {some}."
            )
    return found


def _names(labels: Sequence[str | None]) -> str:
    return ", ".join(str(label) for label in labels)
