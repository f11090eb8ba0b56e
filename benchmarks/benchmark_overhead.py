"""What ``medauc benchmark`` costs beside the trainings: start, imports, data, ledger, tables; and what two jobs gain.

    python benchmarks/benchmark_overhead.py                     write results/benchmark_overhead.json
    python benchmarks/benchmark_overhead.py --jobs 2            and the ratio of two jobs to one; on a quiet machine

A cell's overhead is the processor time of the whole command, start of both processes and tables included, less what
the same trainings take in a process that has everything imported, over the number of trainings. Processor time, since
the machine may be busy; the ratio of several jobs to one is of wall-clock time and needs a quiet one. Every training
has one thread.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import torch

from medauc.data import load_dataset
from medauc.training import Unit, resolve_recipe, run_unit

RESULT = Path(__file__).parent / "results" / "benchmark_overhead.json"
SETTINGS = ("data.phantom.n_train=400", "training.max_epochs=4", "model.width=8")


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
    command += ["--out", str(out), "--device", "cpu", "--threads", "1"]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    (wall, processor), (_, again) = seconds_of(command), seconds_of(command)
    alone = seconds_of_trainings(out.with_name(f"{out.name}-alone"), seeds)
    return {
        "trainings": seeds,
        "wall_seconds": round(wall, 2),
        "processor_seconds": round(processor, 2),
        "processor_seconds_of_trainings": round(alone, 2),
        "overhead_a_training": round((processor - alone) / seeds, 2),
        "processor_seconds_when_all_is_finished": round(again, 2),
    }


def seconds_of(command: list[str]) -> tuple[float, float]:
    """Wall-clock and processor seconds of a command and all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds_of_trainings(out: Path, seeds: int) -> float:
    """Processor seconds of the same trainings in this process, after a first one that warms everything up."""
    recipe = resolve_recipe("phantom2d", overrides=SETTINGS).recipe
    load = lru_cache(maxsize=1)(load_dataset)
    torch.set_num_threads(1)
    for seed in range(-1, seeds):
        if seed == 0:
            start = time.process_time()
        unit = Unit(out / str(seed), "phantom2d", recipe, max(seed, 0), device="cpu")
        assert run_unit(unit, load).error is None
    return time.process_time() - start


if __name__ == "__main__":
    main()
