"""Measure how often intervals of the AUC and its relatives hold the truth, on binormal scores.

The grid of the AUC is computed for all draws of a cell at once; the other figures call medauc once a draw.
Writes results/coverage.json. `--draws` and `--cells` make it shorter.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import expit, logit, ndtr, ndtri

from medauc import metrics

RESULT = Path(__file__).parent / "results" / "coverage.json"
Array = NDArray[np.float64]
BLOCK = 2_000_000

POSITIVES, PREVALENCES, AUCS = (
    (20, 30, 50, 100, 200, 500),
    (0.1, 0.2, 0.3, 0.5),
    (0.6, 0.7, 0.8, 0.9, 0.95, 0.98),
)


def binormal(
    rng: np.random.Generator, draws: int, m: int, n: int, auc: float, spread: float = 1.0
) -> tuple[Array, Array]:
    """Scores of positives (draws, m), whose standard deviation is ``spread``, and of negatives (draws, n)."""
    distance = float(ndtri(auc)) * np.hypot(1.0, spread)
    return distance + spread * rng.normal(size=(draws, m)), rng.normal(size=(draws, n))


def delong_parts(positive: Array, negative: Array) -> tuple[Array, Array, Array]:
    """AUC and the two parts of DeLong's variance, a value a draw; scores without ties."""
    m, n = positive.shape[1], negative.shape[1]
    is_positive = np.argsort(np.hstack((positive, negative)), axis=1) < m
    below = np.cumsum(~is_positive, axis=1)[is_positive].reshape(-1, m) / n
    above = 1.0 - np.cumsum(is_positive, axis=1)[~is_positive].reshape(-1, n) / m
    return below.mean(axis=1), below.var(axis=1, ddof=1) / m, above.var(axis=1, ddof=1) / n


def auc_cell(
    rng: np.random.Generator, draws: int, m: int, n: int, auc: float, spread: float = 1.0
) -> dict[str, float]:
    """Share of draws whose interval holds ``auc``, by method."""
    hits: dict[str, list[Array]] = {}
    for start in range(0, draws, max(1, BLOCK // (m + n))):
        size = min(max(1, BLOCK // (m + n)), draws - start)
        value, first, second = delong_parts(*binormal(rng, size, m, n, auc, spread))
        for method, (low, high) in intervals(value, first, second, m, n).items():
            hits.setdefault(method, []).append((low <= auc) & (auc <= high))
    return {method: round(float(np.concatenate(held).mean()), 4) for method, held in hits.items()}


def intervals(value: Array, first: Array, second: Array, m: int, n: int) -> dict[str, tuple[Array, Array]]:
    """The three scales of ``delong_interval``; Hoeffding's bound where the variance is 0, as there."""
    variance = first + second
    found = variance > 0.0
    bounds = {value_: metrics.hoeffding_interval(value_, min(m, n)) for value_ in np.unique(value[~found])}
    results = {}
    for method in ("score", "logit", "linear"):
        low, high = np.empty(value.shape), np.empty(value.shape)
        for k in np.flatnonzero(~found):
            low[k], high[k] = bounds[value[k]]
        v, a = variance[found], value[found]
        if method == "score":
            degrees = v**2 / (first[found] ** 2 / (m - 1) + second[found] ** 2 / (n - 1))
            low[found], high[found] = metrics.score_interval(a, v, m, n, degrees)
        elif method == "logit":
            half = 1.959963984540054 * np.sqrt(v) / (a * (1.0 - a))
            low[found], high[found] = expit(logit(a) - half), expit(logit(a) + half)
        else:
            half = 1.959963984540054 * np.sqrt(v)
            low[found], high[found] = a - half, a + half
        results[method] = low, high
    return results


def one_at_a_time(
    rng: np.random.Generator,
    draws: int,
    truth: float,
    interval: Callable[[np.random.Generator], metrics.Estimate],
) -> dict[str, float]:
    found = [interval(rng) for _ in range(draws)]
    return {
        "truth": round(truth, 4),
        "coverage": round(sum(e.low <= truth <= e.high for e in found) / draws, 4),
    }


def average_precision(
    m: int, n: int, auc: float
) -> tuple[float, Callable[[np.random.Generator], metrics.Estimate]]:
    distance, share, y = float(ndtri(auc)) * 2**0.5, m / (m + n), np.arange(m + n) < m

    def precision(t: float) -> float:
        true, false = share * ndtr(-t), (1 - share) * ndtr(-(t + distance))
        return float(np.exp(-t * t / 2) / np.sqrt(2 * np.pi) * true / (true + false))

    return quad(precision, -9, 9, epsabs=1e-10)[0], lambda rng: metrics.average_precision_interval(
        y, rng.normal(size=m + n) + distance * y
    )


def partial(
    m: int, n: int, auc: float, max_fpr: float | None, min_tpr: float | None
) -> tuple[float, Callable[[np.random.Generator], metrics.Estimate]]:
    distance, y = float(ndtri(auc)) * 2**0.5, np.arange(m + n) < m
    right, floor = max_fpr or 1.0, min_tpr or 0.0
    left = float(ndtr(ndtri(floor) - distance)) if floor else 0.0
    area = quad(lambda u: ndtr(distance + ndtri(u)) - floor, min(left, right), right, epsabs=1e-9)[0]
    return area, lambda rng: metrics.partial_auc_interval(
        y, rng.normal(size=m + n) + distance * y, max_fpr, min_tpr, standardized=False
    )


def sensitivity(
    m: int, n: int, distance: float, specificity: float
) -> tuple[float, Callable[[np.random.Generator], metrics.Estimate]]:
    y = np.arange(m + n) < m
    return float(ndtr(distance - ndtri(specificity))), lambda rng: metrics.sensitivity_at_specificity(
        y, rng.normal(size=m + n) + distance * y, specificity
    )


def clustered(
    patients: int, each: int, correlation: float, auc: float, plain: bool, mixed: bool
) -> tuple[float, Callable[[np.random.Generator], metrics.Estimate]]:
    """Patients with ``each`` samples; ``mixed``: of either class, else all of one."""
    distance, group = float(ndtri(auc)) * 2**0.5, np.repeat(np.arange(patients), each)

    def interval(rng: np.random.Generator) -> metrics.Estimate:
        y = rng.random(group.size) < 0.3 if mixed else (np.arange(patients) < 0.3 * patients)[group]
        own, shared = rng.normal(size=group.size), rng.normal(size=patients)[group]
        s = np.sqrt(1 - correlation) * own + np.sqrt(correlation) * shared + distance * y
        return metrics.delong_interval(y, s) if plain else metrics.clustered_interval(y, s, group)

    if not mixed:
        return auc, interval
    # A share of pairs, in the limit 0, lies within one patient and is ranked better: the truth counts them.
    within = (each - 1) / (patients * each - 1)
    return (1 - within) * auc + within * float(ndtr(distance / np.sqrt(2 * (1 - correlation)))), interval


def seeds(
    m: int, n: int, runs: int, sd: float, auc: float, plain: bool
) -> tuple[float, Callable[[np.random.Generator], metrics.Estimate]]:
    """Runs whose AUC varies by ``sd``; their scores correlate by 0.8 within a class."""
    y, centre = np.arange(m + n) < m, float(ndtri(auc)) * 2**0.5
    density = np.exp(-(float(ndtri(auc)) ** 2) / 2) / np.sqrt(2 * np.pi)
    wobble = sd / density * 2**0.5
    truth = float(ndtr(centre / np.sqrt(2 + wobble**2)))  # mean of Phi(d / sqrt 2) over normal d

    def interval(rng: np.random.Generator) -> metrics.Estimate:
        distance = centre + wobble * rng.normal(size=(runs, 1))
        s = (
            np.sqrt(0.8) * rng.normal(size=m + n)
            + np.sqrt(0.2) * rng.normal(size=(runs, m + n))
            + distance * y
        )
        return metrics.delong_interval(y, s[0]) if plain else metrics.seed_interval(y, s).auc

    return truth, interval


def other_figures() -> Iterator[tuple[str, tuple[float, Callable[[np.random.Generator], metrics.Estimate]]]]:
    for m, n in ((20, 180), (50, 450), (200, 200)):
        for auc in (0.7, 0.9, 0.97):
            yield f"average precision, {m}+{n}, AUC {auc}", average_precision(m, n, auc)
            for bounds in ((0.1, None), (0.2, None), (None, 0.8), (0.4, 0.5)):
                yield f"partial AUC {bounds}, {m}+{n}, AUC {auc}", partial(m, n, auc, *bounds)
        for distance, specificity in ((1.0, 0.9), (2.0, 0.9), (2.0, 0.95), (3.0, 0.8)):
            rate = sensitivity(m, n, distance, specificity)
            yield f"sensitivity at specificity {specificity}, {m}+{n}, distance {distance}", rate
    for mixed in (False, True):
        for patients, auc in ((100, 0.8), (100, 0.95), (400, 0.8)):
            where = f"{patients} patients of 5, {'mixed' if mixed else 'one class each'}, correlation 0.6, AUC {auc}"
            yield f"clustered, {where}", clustered(patients, 5, 0.6, auc, False, mixed)
            yield f"plain in place of clustered, {where}", clustered(patients, 5, 0.6, auc, True, mixed)
    for m, n, runs, sd, auc in ((50, 200, 3, 0.02, 0.75), (50, 200, 5, 0.03, 0.93), (100, 900, 3, 0.02, 0.9)):
        where = f"{runs} runs, SD {sd}, {m}+{n}, AUC {auc}"
        yield f"seeds, {where}", seeds(m, n, runs, sd, auc, False)
        yield f"first run in place of seeds, {where}", seeds(m, n, runs, sd, auc, True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=5000, help="draws of a cell of the grid of the AUC")
    parser.add_argument("--other-draws", type=int, default=1000, help="draws of every other figure")
    arguments = parser.parse_args()
    rng = np.random.default_rng(2024)
    cells = [
        {"positives": m, "negatives": round(m / share) - m, "prevalence": share, "auc": auc}
        for m in POSITIVES
        for share in PREVALENCES
        for auc in AUCS
    ]
    grid = [
        cell | auc_cell(rng, arguments.draws, int(cell["positives"]), int(cell["negatives"]), cell["auc"])
        for cell in cells
    ]
    few = [
        {"positives": m, "negatives": 200, "auc": auc} | auc_cell(rng, arguments.draws, m, 200, auc)
        for m in (2, 5, 10, 20, 50)
        for auc in (0.7, 0.9)
    ]
    unequal = [
        {"positives": m, "negatives": n, "auc": auc, "spread_of_positives": spread}
        | auc_cell(rng, arguments.draws, m, n, auc, spread)
        for spread in (0.5, 2.0)
        for m, n in ((20, 20), (20, 180), (200, 200), (200, 1800))
        for auc in (0.8, 0.95)
    ]
    others = {name: one_at_a_time(rng, arguments.other_draws, *case) for name, case in other_figures()}
    methods = ("score", "logit", "linear")
    span = {name: [min(row[name] for row in grid), max(row[name] for row in grid)] for name in methods}
    RESULT.write_text(
        json.dumps(
            {
                "nominal": 0.95,
                "draws": arguments.draws,
                "other_draws": arguments.other_draws,
                "grid_range": span,
                "grid": grid,
                "few_positives": few,
                "unequal_spread": unequal,
                "others": others,
            },
            indent=1,
        ).replace('{\n   "positives"', '{"positives"')
        + "\n"
    )
    print(json.dumps(span, indent=1))


if __name__ == "__main__":
    main()
