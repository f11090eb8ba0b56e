"""Whether labels can be told without looking: simple models on size, spacing, file, scanner, border and columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medauc.audit.features import Feature
from medauc.metrics import Estimate, clustered_interval, delong_interval
from medauc.metrics.clustered import carriers
from medauc.metrics.roc import roc_auc

MARGIN = 0.10  # a shortcut is told where the AUC's interval lies above 0.5 by this much
LEAST_CASES = 20  # of each class in development, below which nothing is fitted
LEAST_TEST_CASES = 30  # of each class on test, below which cross-validation decides
FOLDS = 5
LEVEL = 0.95
ECHO = 0.97  # AUC from which a column is taken for the label in other words
Score = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]  # rows fitted on, rows scored
KINDS = {
    "acquisition": "size, spacing, file and scanner",
    "border": "border, corner and padding pixels",
    "column": "further columns",
}


@dataclass(frozen=True)
class SingleFeature:
    """How well one feature alone ranks a label.

    Attributes:
        name: of the feature.
        kind: see :class:`medauc.audit.features.Feature`.
        cross_validated: AUC over train and validation, of folds that keep patients whole.
        auc: on the samples that decide, with its interval.
    """

    name: str
    kind: str
    cross_validated: float
    auc: Estimate


@dataclass(frozen=True)
class Shortcut:
    """How well features of one kind rank one label, without the picture.

    Attributes:
        label: which label.
        kind: of the features.
        n_features: how many.
        n: samples that decide.
        n_positive: positives among them.
        judged_on: "test", or "cross-validation" where test has few cases.
        auc: of a boosted tree model on all features of this kind, on the samples that decide, with its interval.
        strongest: the single features, best in cross-validation first, five at most.
        flagged: the interval of the model or of the strongest feature lies above 0.5 by more than the margin.
    """

    label: str
    kind: str
    n_features: int
    n: int
    n_positive: int
    judged_on: str
    auc: Estimate
    strongest: tuple[SingleFeature, ...]
    flagged: bool

    @property
    def flagged_features(self) -> list[SingleFeature]:
        """Those of the strongest features that are shortcuts by themselves."""
        return [one for one in self.strongest if one.auc.low > 0.5 + MARGIN]


@dataclass(frozen=True)
class Echo:
    """A column that tells a label almost surely: it says the same in other words, so no model is given it."""

    column: str
    label: str
    auc: float


@dataclass(frozen=True, eq=False)
class _Task:
    """One label: which rows are fitted on and which decide."""

    target: NDArray[np.int64]
    groups: NDArray[np.str_]
    develop: NDArray[np.int64]  # rows of train and validation
    folds: NDArray[np.int64]  # of each of them
    test: NDArray[np.int64]  # rows that decide; empty where cross-validation does

    def auc(self, held_out: NDArray[np.float64], tested: NDArray[np.float64]) -> Estimate:
        rows, scores = (self.test, tested) if len(self.test) else (self.develop, held_out)
        target, groups = self.target[rows], self.groups[rows]
        if len(np.unique(groups)) < len(groups):
            return clustered_interval(target, scores, groups, LEVEL)
        return delong_interval(target, scores, LEVEL)


def find_shortcuts(
    features: Sequence[Feature],
    targets: NDArray[np.int64],
    label_names: Sequence[str],
    splits: NDArray[np.str_],
    groups: NDArray[np.str_],
    seed: int = 0,
) -> tuple[list[Shortcut], list[Echo]]:
    """Fit simple models of the labels on each kind of features.

    Models are fitted on train and validation, in folds that keep patients whole; the whole is then scored on test
    where that has 30 cases of each class, and by its held-out folds otherwise. Which single feature is strongest
    is decided by the folds alone, so its AUC on test is not the best of many.

    Args:
        features: all features, of N samples.
        targets: in {0, 1}, -1 for unknown, shape (N, L).
        label_names: L names. With several, "any label" joins them.
        splits: shape (N,); samples of no split belong to development.
        groups: patients, shape (N,).
        seed: of the folds.

    Returns:
        One for each label and kind, labels with fewer than 20 cases of a class in development left out; and the
        columns that are a label in other words, which the models were not given.
    """
    columns = dict(zip(label_names, targets.T, strict=True))
    if len(label_names) > 1:
        columns = {
            "any label": np.where((targets == 1).any(1), 1, np.where((targets < 0).any(1), -1, 0))
        } | columns
    tasks = {label: _task(target, splits, groups, seed) for label, target in columns.items()}
    judged = {label: task for label, task in tasks.items() if task is not None}
    echoes = [echo for label, task in judged.items() for echo in _echoes(label, features, task)]
    said = {echo.column for echo in echoes}
    used = [feature for feature in features if feature.kind != "column" or feature.name not in said]
    found = [
        _judge(label, kind, chosen, task)
        for label, task in judged.items()
        for kind in KINDS
        if (chosen := [feature for feature in used if feature.kind == kind])
    ]
    return found, echoes


def _echoes(label: str, features: Sequence[Feature], task: _Task) -> list[Echo]:
    columns = [feature for feature in features if feature.kind == "column"]
    aucs = [(feature.name, _single(feature, task).cross_validated) for feature in columns]
    return [Echo(name, label, auc) for name, auc in aucs if auc >= ECHO]


def _task(
    target: NDArray[np.int64], splits: NDArray[np.str_], groups: NDArray[np.str_], seed: int
) -> _Task | None:
    known = target >= 0
    develop = np.flatnonzero(known & (splits != "test"))
    test = np.flatnonzero(known & (splits == "test"))
    if not _has_cases(target[develop], groups[develop], LEAST_CASES):
        return None
    if not _has_cases(target[test], groups[test], LEAST_TEST_CASES):
        test = test[:0]
    from sklearn.model_selection import StratifiedKFold

    from medauc.data.grouped_folds import GroupedFolds

    repeated = len(np.unique(groups[develop])) < len(develop)
    # The grouped one is greedy, one patient after another.
    maker = GroupedFolds if repeated else StratifiedKFold
    folds = np.zeros(len(develop), dtype=np.int64)
    whose = groups[develop] if repeated else None
    parts = maker(FOLDS, shuffle=True, random_state=seed).split(develop, target[develop], whose)
    for fold, (_, held_out) in enumerate(parts):
        folds[held_out] = fold
    return _Task(target, groups, develop, folds, test)


def _has_cases(target: NDArray[np.int64], groups: NDArray[np.str_], least: int) -> bool:
    return len(target) > 0 and min(carriers(target, groups)) >= least


def _judge(label: str, kind: str, features: Sequence[Feature], task: _Task) -> Shortcut:
    singles = sorted((_single(feature, task) for feature in features), key=lambda one: -one.cross_validated)
    table = np.column_stack([feature.values for feature in features])
    auc = task.auc(*_boosted(table, [feature.levels is not None for feature in features], task))
    rows = task.test if len(task.test) else task.develop
    lower = max(auc.low, singles[0].auc.low)
    return Shortcut(
        label=label,
        kind=kind,
        n_features=len(features),
        n=len(rows),
        n_positive=int(task.target[rows].sum()),
        judged_on="test" if len(task.test) else "cross-validation",
        auc=auc,
        strongest=tuple(singles[:5]),
        flagged=lower > 0.5 + MARGIN,
    )


def _single(feature: Feature, task: _Task) -> SingleFeature:
    """Rank by the share of positives in bins of the feature, bins and shares from the samples fitted on."""

    def score(fitted: NDArray[np.int64], scored: NDArray[np.int64]) -> NDArray[np.float64]:
        target = task.target[fitted]
        if feature.levels is None:
            return _by_bins(feature.values[fitted], target, feature.values[scored])
        return _by_levels(feature.values[fitted].astype(int), target, feature.values[scored].astype(int))

    held_out, tested = _cross_validate(score, task)
    return SingleFeature(
        feature.name,
        feature.kind,
        roc_auc(task.target[task.develop], held_out),
        task.auc(held_out, tested),
    )


def _boosted(
    table: NDArray[np.float64], categorical: list[bool], task: _Task
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    def score(fitted: NDArray[np.int64], scored: NDArray[np.int64]) -> NDArray[np.float64]:
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            categorical_features=categorical,
            early_stopping=False,
            random_state=0,
        )
        model.fit(table[fitted], task.target[fitted])
        return np.asarray(model.predict_proba(table[scored])[:, 1], dtype=np.float64)

    return _cross_validate(score, task)


def _cross_validate(score: Score, task: _Task) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of development by its held-out folds, and of test by a fit on all of development."""
    held_out = np.empty(len(task.develop))
    for fold in range(FOLDS):
        inside = task.folds == fold
        fitted = task.develop[~inside]
        # Less the share of positives fitted on, which is low where the fold's own is high.
        held_out[inside] = score(fitted, task.develop[inside]) - task.target[fitted].mean()
    return held_out, score(task.develop, task.test) if len(task.test) else np.empty(0)


def _by_bins(
    values: NDArray[np.float64], target: NDArray[np.int64], scored: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of positives in bins of equal size (unknown values are a bin of their own)."""
    known = values[np.isfinite(values)]
    if not known.size:
        return np.zeros(len(scored))
    bins = max(2, min(20, len(known) // 25))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    unknown = len(edges) + 1

    def place(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        inside = np.searchsorted(edges, np.nan_to_num(numbers), side="right")
        return np.where(np.isfinite(numbers), inside, unknown).astype(np.int64)

    return _by_levels(place(values), target, place(scored))


def _by_levels(
    levels: NDArray[np.int64], target: NDArray[np.int64], scored: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of positives at each level, drawn towards the overall share as if by two more samples of that share."""
    size = int(max(levels.max(), scored.max(initial=0))) + 1
    count, positive = np.bincount(levels, minlength=size), np.bincount(levels, target, minlength=size)
    share = (positive + 2.0 * target.mean()) / (count + 2.0)
    return np.asarray(share[scored], dtype=np.float64)
