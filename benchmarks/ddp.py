"""Throughput of one training in several processes of one thread each, against one process with as many threads.

    python benchmarks/ddp.py                        write results/ddp.json; 10 minutes on two quiet cores
    python benchmarks/ddp.py --only 3D              one case, the others' results stay; 2 minutes
    python benchmarks/ddp.py --epochs 2 --tries 1 --small    whether it works

Both train the same batches by ``medauc train``, on the CPU, in turn. Counted are the seconds of the epochs after the
first one (validation included) as ``metrics.csv`` tells them; start, loading and the final evaluation are left out.
A ratio is the median over the tries of one process's seconds over those of several: 1 means that nothing is lost.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

RESULT = Path(__file__).parent / "results" / "ddp.json"
DATA = [
    "data.phantom.n_val=64",
    "data.phantom.n_test=64",
    "training.patience=null",
]
CASES = {
    "2D, ResNet-18 of width 32, 28 pixels": (
        ["phantom2d"],
        ["data.phantom.n_train=1024", "model.width=32", "data.size=28"],
    ),
    "2D, ResNet-18 of width 64, 64 pixels": (
        ["phantom2d"],
        ["data.phantom.n_train=512", "model.width=64", "data.size=64", "model.stem=imagenet"],
    ),
    "3D, ResNet-18 of width 16, 28 voxels, batches of 32": (
        ["phantom3d", "--recipe", "default/adrenalmnist3d"],
        ["data.phantom.n_train=384", "data.size=28"],
    ),
}
SMALL = ["data.phantom.n_train=64", "model.width=4", "data.size=12", "model.stem=half"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--small", action="store_true", help="tiny data, nothing written")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if cores < options.processes and not options.small:
        parser.error(f"{options.processes} processes need as many cores, here are {cores}")
    if options.processes < 2:
        parser.error("--processes takes 2 or more: one is what they are compared with")
    if options.epochs < 2 or options.tries < 1:
        parser.error("--epochs takes 2 or more, the first is not counted; --tries 1 or more")
    chosen = {name: case for name, case in CASES.items() if options.only in name}
    if not chosen:
        parser.error(f"--only {options.only}: no case; known: {'; '.join(CASES)}")
    common = [*DATA, f"training.max_epochs={options.epochs}", *(SMALL if options.small else [])]
    found = json.loads(RESULT.read_text()) if options.only and RESULT.exists() else {}
    for name, (dataset, settings) in chosen.items():
        seconds: dict[int, list[float]] = {1: [], options.processes: []}
        for _ in range(options.tries):
            for processes, taken in seconds.items():
                taken.append(
                    measure(dataset, [*settings, *common], processes, options.processes // processes)
                )
        one, several = seconds.values()
        ratios = [alone / together for alone, together in zip(one, several, strict=True)]
        found[name] = {
            "cores": cores,
            "processes": options.processes,
            "epochs": options.epochs,
            "seconds an epoch, one process": [round(taken, 3) for taken in one],
            "seconds an epoch, several processes": [round(taken, 3) for taken in several],
            "ratio of throughput": round(statistics.median(ratios), 3),
        }
        print(name, found[name], flush=True)
        if not options.small:
            RESULT.write_text(json.dumps(found, indent=2) + "\n")


def measure(dataset: list[str], settings: list[str], processes: int, threads: int) -> float:
    """Median seconds of the epochs after the first."""
    options = [part for setting in settings for part in ("--set", setting)]
    several = ["--devices", str(processes)] if processes > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "medauc", "train", *dataset, *options, *several, "--device", "cpu"]
        subprocess.run(
            [*command, "--out", str(out)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        return float(pd.read_csv(out / "metrics.csv")["seconds"][1:].median())


if __name__ == "__main__":
    main()
