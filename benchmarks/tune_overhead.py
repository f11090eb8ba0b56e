"""What ``medauc tune`` costs a trial beside its training: start, imports, data, storage, choice, tables, page.

    python benchmarks/tune_overhead.py                     write results/tune_overhead.json

As in benchmark_overhead.py: the processor time of the whole command, start of both processes, correction and page
included, less what the same trainings take in a process that has everything imported, over the number of trials.
Processor time, since the machine may be busy; one thread. And of a second call, which finds all finished.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import torch
import yaml

from benchmark_overhead import SETTINGS, seconds_of
from medauc.data import load_dataset
from medauc.data.folds import without_test
from medauc.training import Unit, parse_recipe, run_unit

RESULT = Path(__file__).parent / "results" / "tune_overhead.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=12)
    options = parser.parse_args()
    found = {
        name: measure(options.trials, arguments)
        for name, arguments in (
            ("random, nothing given up", ["--sampler", "random", "--pruner", "none"]),
            ("tpe, halving", []),
        )
    }
    RESULT.write_text(json.dumps(found | {"cores": len(os.sched_getaffinity(0))}, indent=2) + "\n")
    print(RESULT.read_text())


def measure(trials: int, arguments: list[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "search"
        command = [
            sys.executable,
            "-m",
            "medauc",
            "tune",
            "phantom2d",
            "--trials",
            str(trials),
            "--seeds",
            "1",
            "--repeats",
            "0",
        ]
        command += ["--out", str(out), "--device", "cpu", "--threads", "1", *arguments]
        command += [part for setting in SETTINGS for part in ("--set", setting)]
        (wall, processor), (_, again) = seconds_of(command), seconds_of(command)
        alone, epochs = seconds_of_trainings(out, Path(folder) / "alone")
    return {
        "trials": trials,
        "epochs": epochs,
        "wall_seconds": round(wall, 2),
        "processor_seconds": round(processor, 2),
        "processor_seconds_of_trainings": round(alone, 2),
        "overhead_a_trial": round((processor - alone) / trials, 2),
        "processor_seconds_when_all_is_finished": round(again, 2),
    }


def seconds_of_trainings(search: Path, out: Path) -> tuple[float, int]:
    """Processor seconds of the same trainings here, as far as they went, after a first one that warms everything up."""
    runs = sorted((search / "trials").glob("*/seed0"))
    load = lru_cache(maxsize=1)(load_dataset)
    torch.set_num_threads(1)
    total, all_epochs = 0.0, 0
    for number, run in enumerate([runs[0], *runs]):
        values = yaml.safe_load((run / "recipe.yaml").read_text())
        values.pop("run")
        epochs = len((run / "metrics.csv").read_text().splitlines()) - 1
        is_whole = (run / "evaluation.json").exists()
        start = time.process_time()
        unit = Unit(
            out / str(number), "phantom2d", parse_recipe(values, str(run)), device="cpu", part=without_test,
            watch=None if is_whole else (lambda done, auc, last=epochs: done < last),
        )  # fmt: skip
        assert run_unit(unit, load).error is None
        if number:
            total, all_epochs = total + time.process_time() - start, all_epochs + epochs
    return total, all_epochs


if __name__ == "__main__":
    main()
