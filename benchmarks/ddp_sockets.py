"""What sockets between two processes of one host gain a whole training over gloo alone (losses/neighbours.py).

    python benchmarks/ddp_sockets.py                        write results/ddp_sockets.json; 5 minutes on two quiet cores
    python benchmarks/ddp_sockets.py --pairs 2 --small      whether it works

One training in two processes of one thread each, whose epochs exchange small tensors by sockets and by gloo in turn
(S G G S ...), so that neither way meets a slower machine. Counted are the seconds of epochs as ``metrics.csv`` tells
them, validation and checkpoint included, without the first pair. The gain is the median over pairs of the share of a
gloo epoch's seconds that its neighbour by sockets spares; its interval is the 95% bootstrap over pairs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RESULT = Path(__file__).parent / "results" / "ddp_sockets.json"
PROCESSES = 2
COMMON = ["data.phantom.n_val=64", "data.phantom.n_test=64", "training.patience=null"]
CASES = {
    "2D, ResNet-18 of width 32, 28 pixels, batch 64": (
        ["phantom2d"],
        ["data.phantom.n_train=512", "model.width=32", "data.size=28"],
    ),
    "3D, ResNet-18 of width 16, 28 voxels, batch 32": (
        ["phantom3d", "--recipe", "default/adrenalmnist3d"],
        ["data.phantom.n_train=256", "data.size=28"],
    ),
}
SMALL = ["data.phantom.n_train=64", "model.width=4", "data.size=12"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=16, help="of epochs that are counted")
    parser.add_argument("--small", action="store_true", help="tiny data, nothing written")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    if cores < PROCESSES and not options.small:
        parser.error(f"{PROCESSES} processes need as many cores, here are {cores}")
    found: dict[str, Any] = {"cores": cores}
    for name, (dataset, settings) in CASES.items():
        epochs = 2 * (options.pairs + 1)
        common = [*COMMON, f"training.max_epochs={epochs}", *(SMALL if options.small else [])]
        found[name] = summary_of(measure(dataset, [*settings, *common]))
        print(name, found[name], flush=True)
        if not options.small:
            RESULT.write_text(json.dumps(found, indent=2) + "\n")


def by_sockets(epoch: int) -> bool:
    return epoch % 4 in (0, 3)


def measure(dataset: Sequence[str], settings: Sequence[str]) -> list[float]:
    """Seconds of each epoch."""
    options = [part for setting in settings for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES)]
        training = ["train", *dataset, *options, "--device", "cpu", "--out", str(out)]
        subprocess.run(
            [sys.executable, *together, __file__, *training],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        return [float(taken) for taken in pd.read_csv(out / "metrics.csv")["seconds"]]


def summary_of(seconds: Sequence[float]) -> dict[str, Any]:
    later = range(2, len(seconds))
    ways = {
        way: np.array([seconds[epoch] for epoch in later if by_sockets(epoch) == (way == "sockets")])
        for way in ("sockets", "gloo")
    }
    gains = 1 - ways["sockets"] / ways["gloo"]  # of each pair of neighbours, as both lists are in order
    drawn = np.random.default_rng(0).choice(gains, (10_000, len(gains)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return {f"seconds an epoch, {way}": np.round(taken, 3).tolist() for way, taken in ways.items()} | {
        "gain": round(float(np.median(gains)), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
    }


def train() -> None:
    """One of the processes: medauc's command line, with the way of exchange changing by epoch."""
    import pytorch_lightning as pl

    from medauc.cli import main as command
    from medauc.losses import neighbours
    from medauc.training.callbacks import History

    begin, largest = History.on_train_epoch_start, neighbours._LARGEST

    def in_turn(self: History, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        neighbours._LARGEST = largest if by_sockets(trainer.current_epoch) else 0
        begin(self, trainer, module)

    History.on_train_epoch_start = in_turn  # type: ignore[method-assign]
    command()


if __name__ == "__main__":
    train() if "RANK" in os.environ else main()
