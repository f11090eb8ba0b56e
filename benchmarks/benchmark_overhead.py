"""What ``medauc benchmark`` costs beside the trainings: start, imports, data, ledger, tables; and what two jobs gain.

    python benchmarks/benchmark_overhead.py                     write results/benchmark_overhead.json
    python benchmarks/benchmark_overhead.py --jobs 2            and the ratio of two jobs to one; on a quiet machine

A cell's overhead is the wall-clock time of the whole command less the epochs' own seconds, over its trainings.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from medauc.benchmark import LEDGER, read_ledger

RESULT = Path(__file__).parent / "results" / "benchmark_overhead.json"
SETTINGS = {"data.phantom.n_train": 400, "training.max_epochs": 6, "model.width": 8}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone = measure(Path(folder) / "one", 1, options.seeds)
        print(alone)
        found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
        found["one job"] = alone
        if options.jobs > 1:
            together = measure(Path(folder) / "several", options.jobs, options.seeds)
            ratio = round(alone["wall_seconds"] / together["wall_seconds"], 2)
            found[f"{options.jobs} jobs"] = together | {"times as fast as one job": ratio}
            print(together, ratio)
    found["cores"] = len(os.sched_getaffinity(0))
    RESULT.write_text(json.dumps(found, indent=2) + "\n")


def measure(out: Path, jobs: int, seeds: int) -> dict[str, float]:
    """Run a grid of small phantom trainings, then the same command on the finished grid."""
    command = [
        sys.executable,
        "-m",
        "medauc",
        "benchmark",
        "phantom2d",
        "--seeds",
        str(seeds),
        "--jobs",
        str(jobs),
    ]
    command += ["--out", str(out), "--device", "cpu"]
    command += [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    first, again = seconds_of(command), seconds_of(command)
    rows = read_ledger(out / LEDGER)
    training = sum(history_seconds(out / row.predictions) for row in rows)
    return {
        "trainings": len(rows),
        "wall_seconds": round(first, 2),
        "epoch_seconds": round(training, 2),
        "overhead_seconds_a_training": round((first * jobs - training) / len(rows), 2),
        "seconds_when_all_is_finished": round(again, 2),
    }


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def history_seconds(predictions: Path) -> float:
    """Seconds of the epochs of one run, not rounded as the ledger has them."""
    lines = (predictions.parent / "metrics.csv").read_text().splitlines()
    place = lines[0].split(",").index("seconds")
    return sum(float(line.split(",")[place]) for line in lines[1:])


if __name__ == "__main__":
    main()
