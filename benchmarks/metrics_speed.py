"""Time DeLong's interval, paired tests and the bootstrap: medauc against confidenceinterval, MLstatkit and pauc.

One process, one thread, contenders in turn, best of a few rounds; processor seconds, which a busy machine disturbs
less than wall time, beside wall seconds. Run with the peers' environment (see README.md here):
benchmarks/.venv-peers/bin/python benchmarks/metrics_speed.py
"""

import json
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import confidenceinterval  # noqa: E402
import MLstatkit  # noqa: E402
import numpy as np  # noqa: E402
import pauc  # noqa: E402
import scipy  # noqa: E402

from medauc import metrics  # noqa: E402

RESULT = Path(__file__).parent / "results" / "metrics_speed.json"
MILLION, REPLICATES, PEER_REPLICATES = 10**6, 2000, 50


def seconds(call: Callable[[], object], rounds: int = 3) -> dict[str, float]:
    """Best processor and wall time of a few rounds."""
    best = {"processor_s": np.inf, "wall_s": np.inf}
    for _ in range(rounds):
        processor, wall = time.process_time(), time.perf_counter()
        call()
        taken = {"processor_s": time.process_time() - processor, "wall_s": time.perf_counter() - wall}
        best = {name: min(best[name], taken[name]) for name in best}
    return {name: round(value, 4) for name, value in best.items()}


def sample(n: int, models: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.1).astype(np.int64)
    return y, y + rng.normal(size=n) + 0.7 * rng.normal(size=(models, n))


def compare(calls: dict[str, Callable[[], object]], rounds: int = 3) -> dict[str, object]:
    taken = {name: seconds(call, rounds) for name, call in calls.items()}
    ours = taken["medauc"]["processor_s"]
    ratios = {name: round(t["processor_s"] / ours, 2) for name, t in taken.items() if name != "medauc"}
    return {"seconds": taken, "times_medauc": ratios}


def one_model() -> dict[str, object]:
    y, (s, *_) = sample(MILLION, 1)
    return compare(
        {
            "medauc": lambda: metrics.delong_interval(y, s),
            "confidenceinterval": lambda: confidenceinterval.roc_auc_score(y, s),
            "pauc": lambda: pauc.ci_auc(pauc.ROC(y, s, direction="<")),
        }
    )


def two_models() -> dict[str, object]:
    y, (a, b) = sample(MILLION, 2)
    return compare(
        {
            "medauc": lambda: metrics.delong_test(y, a, b),
            "MLstatkit": lambda: MLstatkit.Delong_test(y, a, b, return_ci=False, return_auc=False),
            "pauc": lambda: pauc.compare(pauc.ROC(y, a, direction="<"), pauc.ROC(y, b, direction="<")),
        }
    )


def five_models() -> dict[str, object]:
    y, s = sample(MILLION, 5)
    return {"seconds": {"medauc": seconds(lambda: metrics.delong_tests(y, s))}}


def resampling() -> dict[str, object]:
    """2000 replicates of 10^4 samples; of the peers' loops 50, since each replicate takes them equally long."""
    y, (s, *_) = sample(10**4, 1)
    p = 1.0 / (1.0 + np.exp(-s))

    def of(method: str) -> Callable[[], object]:
        return lambda: metrics.bootstrap_interval(y, s, method=method, replicates=REPLICATES)  # type: ignore[arg-type]

    ours = {f"medauc, {method}": seconds(of(method)) for method in ("percentile", "bca")}
    theirs = {
        "confidenceinterval": seconds(
            lambda: confidenceinterval.roc_auc_score(
                y, p, method="bootstrap_percentile", n_resamples=PEER_REPLICATES
            )
        ),
        "MLstatkit": seconds(lambda: MLstatkit.Bootstrapping(y, p, "roc_auc", n_bootstraps=PEER_REPLICATES)),
        "pauc": seconds(
            lambda: pauc.ci_auc(pauc.ROC(y, s, direction="<"), method="bootstrap", n_boot=PEER_REPLICATES)
        ),
    }
    each = ours["medauc, percentile"]["processor_s"] / REPLICATES
    ratios = {name: round(taken["processor_s"] / PEER_REPLICATES / each, 1) for name, taken in theirs.items()}
    return {
        "replicates": {"medauc": REPLICATES, "peers": PEER_REPLICATES},
        "seconds": ours | theirs,
        "times_medauc_per_replicate": ratios,
    }


def main() -> None:
    result = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "DeLong interval, 10^6 samples": one_model(),
        "paired DeLong test of two, 10^6 samples": two_models(),
        "paired tests of five models, 10^6 samples": five_models(),
        "bootstrap of the AUC, 10^4 samples": resampling(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
