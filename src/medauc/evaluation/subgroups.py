"""The same figures for the samples that share a value: a scanner, a sex, an age range."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import norm

from medauc.errors import InputError
from medauc.evaluation import methods
from medauc.evaluation.decisions import Rule, decision_curve, operating_point
from medauc.evaluation.figures import Calibration, Difference, Figure, OperatingPoint, Subgroup
from medauc.evaluation.methods import figure
from medauc.evaluation.predictions import Predictions
from medauc.evaluation.probabilities import judge_part
from medauc.evaluation.ranking import discrimination
from medauc.evaluation.settings import Settings
from medauc.metrics import holm, mover

MOST_VALUES = 12  # a column with more is no subgroup, or numbers that are cut into quarters


class Grouping(NamedTuple):
    """The value that each test sample has in one column, as text."""

    column: str
    value: pd.Series


def find_groupings(test: Predictions, settings: Settings) -> tuple[list[Grouping], list[str]]:
    """Decide which further columns make subgroups; say in sentences which do not.

    Raises:
        InputError: A column that is asked for and not there.
    """
    available = test.further_columns
    if settings.subgroups is not None:
        absent = [name for name in settings.subgroups if name not in available]
        if absent:
            has = f"it has {', '.join(available)}" if available else "the table has no further columns"
            raise InputError(f"subgroups: no column {', '.join(map(repr, absent))}; {has}")
    found, notes = [], []
    for name in available if settings.subgroups is None else settings.subgroups:
        values = _as_values(test.frame[name])
        if 2 <= values.nunique() <= MOST_VALUES:
            found.append(Grouping(name, values))
        elif settings.subgroups is not None or MOST_VALUES < values.nunique() < len(values):
            notes.append(
                f"Column {name} makes no subgroups: it has {values.nunique()} values, wanted are 2 to {MOST_VALUES}."
            )
    return found, notes


def evaluate_subgroups(
    test: Predictions,
    label: str | None,
    rules: list[Rule],
    fit: Calibration | None,
    groupings: list[Grouping],
    settings: Settings,
) -> list[Subgroup]:
    """Evaluate every value of every column; differences to the rest are not yet adjusted for their number."""
    return [
        _subgroup(test, grouping, value, label, rules, fit, settings)
        for grouping in groupings
        for value in sorted(grouping.value.unique(), key=_in_order)
    ]


def adjust(subgroups: list[Subgroup], level: float) -> list[Subgroup]:
    """Adjust the p values of all differences together (Holm) and flag those that remain.

    The two values of a column give the same comparison twice, which counts once.
    """
    keys = [[_comparison(subgroups, found, item) for item in found.differences] for found in subgroups]
    distinct = {
        key: item.p
        for found, row in zip(subgroups, keys, strict=True)
        for item, key in zip(found.differences, row, strict=True)
    }
    adjusted = dict(zip(distinct, holm(list(distinct.values())), strict=True)) if distinct else {}
    return [
        found.model_copy(
            update={
                "differences": [
                    item.model_copy(
                        update={
                            "p_adjusted": float(adjusted[key]),
                            "flagged": bool(adjusted[key] < 1 - level),
                        }
                    )
                    for item, key in zip(found.differences, row, strict=True)
                ]
            }
        )
        for found, row in zip(subgroups, keys, strict=True)
    ]


def _comparison(subgroups: list[Subgroup], found: Subgroup, item: Difference) -> tuple[str | None, ...]:
    values = {other.value for other in subgroups if other.column == found.column}
    return found.column, found.label, item.name, found.value if len(values) > 2 else None


def _as_values(column: pd.Series) -> pd.Series:
    """Values as text; numbers of many values in quarters, each named by its smallest and largest."""
    text = column.astype(str).where(column.astype(str) != "", "(empty)")
    numbers = pd.to_numeric(column, errors="coerce")
    if text.nunique() <= MOST_VALUES or not np.isfinite(numbers[text != "(empty)"]).all():
        return text
    quarter = pd.qcut(numbers, 4, labels=False, duplicates="drop")
    ranges = numbers.groupby(quarter).agg(["min", "max"])
    names = {place: f"{row['min']:g} to {row['max']:g}" for place, row in ranges.iterrows()}
    return quarter.map(names).fillna("(empty)")


def _in_order(value: str) -> tuple[float, str]:
    """Numbers and ranges by size, before text by letter."""
    try:
        return float(value.split(" to ")[0]), ""
    except ValueError:
        return float("inf"), value


def _subgroup(
    test: Predictions,
    grouping: Grouping,
    value: str,
    label: str | None,
    rules: list[Rule],
    fit: Calibration | None,
    settings: Settings,
) -> Subgroup:
    inside = (grouping.value == value).to_numpy()
    part, rest = test.where(inside), test.where(~inside)
    found = discrimination(part, label, settings.level)
    smallest = min(found.n_positive, found.n_negative)
    if smallest < settings.smallest_subgroup:
        counts = f"{found.n_positive} positive, {found.n_negative} negative"
        note = f"too small: {counts}, wanted are {settings.smallest_subgroup} of each"
        bare = found.model_copy(update={"auroc": None, "auprc": None, "partial": [], "rates": []})
        return Subgroup(column=grouping.column, value=value, label=label, discrimination=bare, note=note)
    points = [operating_point(rule, part, label, settings) for rule in rules]
    others = discrimination(rest, label, settings.level, whole=False)
    pairs: list[tuple[str, Figure | None, Figure | None]] = [("AUROC", found.auroc, others.auroc)]
    if rules and rest.has_both_classes(label):
        pairs += _rates(points[0], operating_point(rules[0], rest, label, settings))
    return Subgroup(
        column=grouping.column,
        value=value,
        label=label,
        discrimination=found,
        operating_points=points,
        calibration=None if fit is None else judge_part(part, fit, settings.level),
        net_benefit=None if fit is None else decision_curve(part, fit, settings),
        differences=list(_differences(pairs, settings.level)),
    )


def _rates(point: OperatingPoint, other: OperatingPoint) -> list[tuple[str, Figure | None, Figure | None]]:
    return [
        (f"sensitivity, {point.name}", point.sensitivity, other.sensitivity),
        (f"specificity, {point.name}", point.specificity, other.specificity),
    ]


def _differences(pairs: list[tuple[str, Figure | None, Figure | None]], level: float) -> Iterator[Difference]:
    """Differences of independent figures by MOVER; p from the half of the interval that points to 0."""
    for name, here, there in pairs:
        if here is None or there is None:
            continue
        one, other = ((part.value, part.low, part.high) for part in (here, there))
        if None in (*one, *other):
            continue
        value, low, high = (float(x) for x in mover(_array(one), _array(other), (1.0, -1.0)))
        reach = value - low if value > 0 else high - value
        z = abs(value) / reach * float(ndtri(0.5 + level / 2)) if reach > 0 else 0.0
        made = figure((value, low, high), level, here.n + there.n, methods.DIFFERENCE)
        p = float(2 * norm.sf(z))
        yield Difference(name=name, difference=made, p=p, p_adjusted=p, flagged=False)


def _array(triple: tuple[float | None, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    value, low, high = (np.asarray(part, dtype=np.float64) for part in triple)
    return value, low, high
