"""When to stop: as soon as what another trial may gain is less than what seeds make of the leader."""

import statistics
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from medauc.search.book import Trial
from medauc.search.parameters import Range
from medauc.search.space import Space, Values

_CANDIDATES = 2000
FEWEST = 20  # trials before the rule is asked


def expected_gain(space: Space, trials: Sequence[tuple[Values, float]], seed: int = 0) -> float:
    """Largest expected improvement, over 2,000 random settings, on the best of the trials.

    A Gaussian process (Matern kernel with a length a field, and noise) is fitted to the trials' AUCs; "the best" is
    the highest mean it gives to one of them, so that a lucky trial is no bar. The improvement is that of the settings'
    true AUC, without noise.

    Args:
        space: what the trials are drawn from.
        trials: values and AUC of each (:func:`known_values`).
        seed: decides the settings.

    Source:
        Jones, Schonlau & Welch, J. Glob. Optim. 13 (1998) 455-492; as a rule for stopping: Makarova et al.,
        Automatic termination for hyperparameter optimization, AutoML 2022.
    """
    # Not at the top: it takes a second.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    known = np.array([_coordinates(space, values) for values, _ in trials])
    aucs = np.array([auc for _, auc in trials])
    if np.ptp(aucs) == 0.0:
        return 0.0
    rng = np.random.default_rng(seed)
    kernel = Matern(np.full(known.shape[1], 0.5), (0.05, 20.0), nu=2.5) + WhiteKernel(0.1, (1e-4, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(known, aucs)
    noise = float(process.kernel_.k2.noise_level) * float(aucs.std()) ** 2
    best = float(process.predict(known).max())
    mean, total = process.predict(_random(space, rng), return_std=True)
    spread = np.sqrt(np.maximum(total**2 - noise, 1e-18))
    ahead = (mean - best) / spread
    return float((spread * (ahead * norm.cdf(ahead) + norm.pdf(ahead))).max())


def known_values(trials: Sequence[Trial]) -> list[tuple[Values, float]]:
    """Values and AUC of each trial; one that was given up is taken to gain what complete ones gained from its epoch on.

    Args:
        trials: of any state; those that tell nothing are left out.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    means = {trial.index: statistics.fmean(trial.aucs) for trial in complete}
    known = [(trial.values, means[trial.index]) for trial in complete]
    for trial in trials:
        if trial.state == "pruned" and trial.curve:
            epoch = max(trial.curve)
            later = [means[other.index] - other.curve[epoch] for other in complete if epoch in other.curve]
            known.append((trial.values, trial.curve[epoch] + (statistics.fmean(later) if later else 0.0)))
    return known


def _coordinates(space: Space, values: Mapping[str, Any]) -> list[float]:
    """A trial as a point in the unit cube: a range is an axis, a choice an axis each; what it has not is 0.5."""
    found: list[float] = []
    for key, parameter in space.parameters.items():
        if isinstance(parameter, Range):
            found.append(parameter.place(values[key]) if key in values else 0.5)
        else:
            found += [float(values[key] == choice) if key in values else 0.5 for choice in parameter.values]
    return found


def _random(space: Space, rng: np.random.Generator) -> NDArray[np.float64]:
    parts = []
    for parameter in space.parameters.values():
        if isinstance(parameter, Range):
            parts.append(rng.random((_CANDIDATES, 1)))
        else:
            parts.append(np.eye(len(parameter.values))[rng.integers(len(parameter.values), size=_CANDIDATES)])
    return np.hstack(parts)
