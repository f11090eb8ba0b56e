"""What duplicates across splits do to the AUC: of a finished run, or of two simple models."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from medauc.metrics import Estimate, clustered_interval, delong_interval, delong_tests
from medauc.metrics.clustered import carriers, group_numbers
from medauc.metrics.delong import aucs_and_influences

LEAST = 5  # samples (groups) of each class, below which no AUC is given
LEVEL = 0.95


@dataclass(frozen=True)
class Effect:
    """AUC of one score on test with and without what training has seen.

    Attributes:
        model: what scored.
        label: which label; None for the only one.
        n_removed: samples that were removed.
        n_removed_positive: positives among them.
        every: AUC with duplicates.
        clean: AUC without.
        difference: the first less the second, with its interval.
        p: two-sided, for no difference.
        statement: what stands before and what after the removal.
    """

    model: str
    label: str | None
    n_removed: int
    n_removed_positive: int
    every: Estimate
    clean: Estimate
    difference: Estimate
    p: float
    statement: str


def removal_effect(
    model: str,
    label: str | None,
    target: NDArray[np.int64],
    score: NDArray[np.float64],
    groups: NDArray[np.str_],
    twin: NDArray[np.bool_],
) -> Effect | None:
    """Compare the AUC on all test samples with the AUC on those without a duplicate in training or validation.

    The two AUCs share samples; their difference is judged by its influence function, that is by the difference of
    each sample's influences on both, added up within groups.

    Args:
        model: what scored.
        label: which label.
        target: 0 or 1, shape (N,).
        score: shape (N,).
        groups: patients, shape (N,).
        twin: samples to remove, shape (N,).

    Returns:
        None where fewer than five samples (or patients) of a class are left.

    >>> rng = np.random.default_rng(0)
    >>> target = np.repeat([0, 1], 40)
    >>> twin = np.arange(80) % 4 == 0
    >>> score = rng.normal(size=80) + np.where(twin, 5.0 * target, 1.0 * target)
    >>> found = removal_effect("a", None, target, score, np.arange(80).astype(str), twin)
    >>> found.n_removed, round(found.every.value, 2), round(found.clean.value, 2), found.difference.value > 0
    (20, 0.87, 0.8, True)
    """
    kept = ~twin
    if not _enough(target[kept], groups[kept]):
        return None
    all_auc, all_influence = _influence(target, score)
    clean_auc, clean_influence = _influence(target[kept], score[kept])
    embedded = np.zeros(len(target))
    embedded[kept] = clean_influence
    change = np.bincount(group_numbers(groups, len(groups)), all_influence - embedded)
    error = float(np.sqrt(np.square(change).sum()))
    difference, half = all_auc - clean_auc, float(ndtri(0.5 + LEVEL / 2)) * error
    return Effect(
        model=model,
        label=label,
        n_removed=int(twin.sum()),
        n_removed_positive=int(target[twin].sum()),
        every=_interval(target, score, groups),
        clean=_interval(target[kept], score[kept], groups[kept]),
        difference=Estimate(difference, difference - half, difference + half),
        p=2.0 * float(ndtr(-abs(difference) / error)) if error > 0 else 1.0,
        statement="the same scores on all test samples, and on those without a duplicate in training or validation",
    )


def refit_effect(
    model: str,
    label: str | None,
    target: NDArray[np.int64],
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    groups: NDArray[np.str_],
    removed: NDArray[np.int64],
) -> Effect | None:
    """Compare a model fitted on all of training with itself fitted without the test samples' duplicates.

    Args:
        model: what scored.
        label: which label.
        target: 0 or 1 of all test samples, shape (N,).
        scores: of the first fit and of the second, each of shape (N,).
        groups: patients, shape (N,).
        removed: targets of the training samples that the second fit lacks.

    Returns:
        None where test has fewer than five samples (or patients) of a class.
    """
    if not _enough(target, groups):
        return None
    repeated = len(np.unique(groups)) < len(groups)
    tests = delong_tests(target, np.stack(scores), groups if repeated else None, LEVEL)
    bounds = (tests.difference[0], tests.low[0], tests.high[0])
    return Effect(
        model=model,
        label=label,
        n_removed=len(removed),
        n_removed_positive=int((removed == 1).sum()),
        every=_interval(target, scores[0], groups),
        clean=_interval(target, scores[1], groups),
        difference=Estimate(*(float(bound) for bound in bounds)),
        p=float(tests.p[0]),
        statement="all test samples, scored after fitting with and without training samples that test has too",
    )


def _enough(target: NDArray[np.int64], groups: NDArray[np.str_]) -> bool:
    return {0, 1} <= set(target.tolist()) and min(carriers(target, groups)) >= LEAST


def _influence(target: NDArray[np.int64], score: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    aucs, influences = aucs_and_influences(target, score[None])
    return float(aucs[0]), influences[0]


def _interval(target: NDArray[np.int64], score: NDArray[np.float64], groups: NDArray[np.str_]) -> Estimate:
    if len(np.unique(groups)) < len(groups):
        return clustered_interval(target, score, groups, LEVEL)
    return delong_interval(target, score, LEVEL)
