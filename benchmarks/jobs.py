"""How much faster ``medauc benchmark --jobs 2`` is than one job, where trainings outlast the start of a worker.

    python benchmarks/jobs.py                   write results/jobs.json; 3 minutes on two quiet cores
    python benchmarks/jobs.py --epochs 1        whether it works; nothing written

The same grid is trained by one job and by two, each training with one thread. Counted is the time from the command to
its end, start of all processes, ledger and tables included.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmark_overhead import seconds_of

RESULT = Path(__file__).parent / "results" / "jobs.json"
EPOCHS, SEEDS = 30, 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of the grid")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    seconds = {jobs: wall_seconds(jobs, options.seeds, options.epochs) for jobs in (1, 2)}
    found = {
        "cores": cores,
        "trainings": options.seeds,
        "epochs": options.epochs,
        "seconds, one job": round(seconds[1], 1),
        "seconds, two jobs": round(seconds[2], 1),
        "times as fast": round(seconds[1] / seconds[2], 2),
    }
    print(json.dumps(found, indent=2))
    if (options.epochs, options.seeds) == (EPOCHS, SEEDS) and cores > 1:
        RESULT.write_text(json.dumps(found, indent=2) + "\n")


def wall_seconds(jobs: int, seeds: int, epochs: int) -> float:
    settings = ["data.phantom.n_train=400", "model.width=8", "training.patience=null"]
    settings.append(f"training.max_epochs={epochs}")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "medauc", "benchmark", "phantom2d", "--seeds", str(seeds)]
        command += ["--jobs", str(jobs), "--threads", "1", "--device", "cpu", "--out", folder]
        command += [part for setting in settings for part in ("--set", setting)]
        return seconds_of(command)[0]


if __name__ == "__main__":
    main()
