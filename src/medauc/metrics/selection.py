"""What the best of many models is worth: the AUC of a winner, freed of the luck by which it won."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medauc.metrics._inputs import BoolArray, FloatArray, IntArray, check_share
from medauc.metrics.bootstrap import _weighted_statistic, blocks, percentile_interval
from medauc.metrics.estimate import Estimate
from medauc.metrics.proportion import group_index
from medauc.metrics.roc import roc_auc

Areas = Callable[[FloatArray], FloatArray]  # weights (B, N) -> AUC (B,), NaN where a class is absent


class BestOfMany(NamedTuple):
    """The winner among several models.

    ``winner`` is its number, ``found`` its AUC, which is too high since it is the highest of many;
    ``corrected`` is what to expect of it on other samples. Both have bootstrap intervals.
    """

    winner: int
    found: Estimate
    corrected: Estimate

    @property
    def optimism(self) -> float:
        """By how much the winner's AUC is too high, as far as its being the best of many goes."""
        return self.found.value - self.corrected.value


def best_of_many(
    target: ArrayLike,
    scores: Sequence[ArrayLike],
    *,
    folds: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> BestOfMany:
    """Correct the highest of several AUCs, all of the same samples, for having been chosen as the highest.

    Bootstrap bias correction: in each replicate the best model is chosen by the samples that were drawn, and judged by
    those that were not (a share of 1/e); the mean of these AUCs is the corrected one, their quantiles its interval.
    The AUC as found has the quantiles of the winner's own in the replicates. No model is trained anew, so only the
    choice among the models is corrected for, not what each of them owes to these samples itself (an epoch
    selected by them, say). The corrected one's interval is on the wide side: its AUCs rest on a third of the samples.

    A model's AUC is the mean over its trainings, over folds and over labels, of those that have both classes.

    Args:
        target: In {0, 1}, -1 unknown; shape ``(N,)``, or ``(N, L)`` for several labels.
        scores: For each model the scores of its trainings, shape ``(N,)``, or ``(S, N)`` for S of them; with
            labels ``(S, N, L)``.
        folds: Number of the fold by whose model each sample was scored, shape ``(N,)``: scores of different folds are
            not compared. ``None``: one model scored all.
        groups: Whose sample it is, shape ``(N,)``; groups are drawn whole. ``None``: samples are drawn.
        replicates: Number of replicates.
        level: Confidence of the interval.
        seed: Equal seeds give equal results.

    Raises:
        ValueError: No scores, shapes that do not fit, a class in fewer than two samples (groups), or no label with
            both classes.

    Source:
        Tsamardinos, Greasidou & Borboudakis, Bootstrapping the out-of-sample predictions for efficient and accurate
        cross-validation, Mach. Learn. 107 (2018) 1895-1922, algorithm 5 (BBC-CV).

    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 100)
    >>> useless = [rng.normal(size=100) for _ in range(50)]
    >>> found = best_of_many(y, useless)
    >>> round(found.found.value, 2), round(found.corrected.value, 2)
    (0.64, 0.5)
    """
    check_share(level, "level")
    targets = np.asarray(target)
    if not len(scores) or targets.ndim not in (1, 2):
        raise ValueError(f"needs a model and targets of shape (N,) or (N, L), got {len(scores)} models")
    labels = targets.reshape(len(targets), -1)
    fold = np.zeros(len(labels), dtype=np.intp) if folds is None else np.asarray(folds)
    if fold.shape != (len(labels),):
        raise ValueError(f"folds needs the shape ({len(labels)},) of the samples, got {fold.shape}")
    models = [_areas(labels, fold, _trainings(one, labels.shape)) for one in scores]
    once = np.ones((1, len(labels)))
    values = np.array([float(model(once)[0]) for model in models])
    if not np.isfinite(values).all():
        raise ValueError("no label has positives and negatives in a fold; no AUC can be computed")
    winner = int(np.argmax(values.round(12)))  # of equal ones the first, whatever the last bit says
    parts = [_replicates(models, winner, drawn) for drawn in _draws(labels, groups, replicates, seed)]
    own, judged = (np.concatenate(found) for found in zip(*parts, strict=True))
    kept = judged[np.isfinite(judged)]
    return BestOfMany(
        winner, _estimate(float(values[winner]), own, level), _estimate(float(kept.mean()), kept, level)
    )


def _estimate(value: float, replicates: FloatArray, level: float) -> Estimate:
    return Estimate(value, *percentile_interval(replicates[np.isfinite(replicates)], level))


def _replicates(models: Sequence[Areas], winner: int, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """AUC of the winner on the samples drawn, and of each replicate's best model on those left out, ``(B,)`` each."""
    left_out = (drawn == 0).astype(np.float64)
    inside = np.array([model(drawn) for model in models])
    outside = np.array([model(left_out) for model in models])
    best = np.argmax(np.where(np.isfinite(inside), inside, -np.inf), axis=0)
    return inside[winner], np.asarray(outside[best, np.arange(drawn.shape[0])])


def _trainings(scores: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Scores of shape ``(S, N, L)``."""
    found = np.asarray(scores, dtype=np.float64)
    if found.size == 0 or found.size % math.prod(shape) or not np.isfinite(found).all():
        raise ValueError(
            f"scores need the shape (S, N, L) with N, L = {shape} and finite values, got {found.shape}"
        )
    return found.reshape(-1, *shape)


def _areas(labels: NDArray[np.int64], fold: IntArray, trainings: FloatArray) -> Areas:
    """The AUC of one model as a function of the samples' weights."""
    parts: list[tuple[IntArray, Areas]] = []
    for number in np.unique(fold):
        for label in range(labels.shape[1]):
            rows = np.flatnonzero((fold == number) & (labels[:, label] >= 0))
            positive: BoolArray = labels[rows, label] == 1
            if positive.any() and not positive.all():
                parts += [
                    (rows, _weighted_statistic(positive, one[rows, label], roc_auc)) for one in trainings
                ]

    def areas(weights: FloatArray) -> FloatArray:
        found = np.array([area(weights[:, rows]) for rows, area in parts])
        known = np.isfinite(found)
        total = np.where(known, found, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / known.sum(axis=0))

    return areas if parts else lambda weights: np.full(len(weights), np.nan)


def _draws(
    labels: NDArray[np.int64], groups: ArrayLike | None, replicates: int, seed: int
) -> Iterator[FloatArray]:
    """How often each sample was drawn, blocks of shape ``(B, N)``; units with a positive are a stratum."""
    rng = np.random.default_rng(seed)
    index = None if groups is None else group_index(groups, len(labels))
    unit = np.arange(len(labels)) if index is None else index
    carriers = np.bincount(unit, (labels == 1).any(axis=1)) > 0
    strata = [np.flatnonzero(members) for members in (carriers, ~carriers) if members.any()]
    if min(members.size for members in strata) < 2:
        raise ValueError("resampling needs each class in two samples or groups")
    for block in blocks(replicates, 3 * len(labels)):
        count = np.zeros((block.stop - block.start, carriers.size))
        for members in strata:
            share = np.full(members.size, 1 / members.size)
            count[:, members] = rng.multinomial(members.size, share, size=len(count))
        yield count[:, unit]
