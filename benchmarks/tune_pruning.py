"""How many epochs pruning saves, and whether the best trial survives it.

    python benchmarks/tune_pruning.py --data-dir DIR [--seeds 2] [--work FOLDER]   write results/tune_pruning.{json,md}

The same random settings of a small ResNet on AdrenalMNIST3D are tried by ``medauc tune`` with ``--pruner none`` and
with others: the sampler draws by a trial's number alone, so trial 7 is the same training in all, and what differs is
what was given up. Saved is the share of the epochs; lost is what the best validation AUC is lower. What was stopped
goes on from ``--work``; results are written after each seed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results"
SETTINGS = (
    "model.name=resnet10", "model.width=8", "model.stem=half", "training.patience=null",
    "evaluation.test_time_augmentation=none",
)  # fmt: skip
SPACE = """
optim.lr: {low: 1e-4, high: 1e-1, log: true}
optim.weight_decay: {low: 1e-4, high: 0.3, log: true}
optim.loss_lr: {low: 1e-3, high: 0.3, log: true}
loss.margin: {low: 0.1, high: 1.0}
"""
PRUNERS = ("none", "halving", "median")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="adrenalmnist3d")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--trials", type=int, default=18)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--seeds", type=int, default=2, help="searches, with other settings each")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY.PATH=VALUE")
    parser.add_argument(
        "--pruners", nargs="+", default=PRUNERS, choices=PRUNERS, help="the first is the whole"
    )
    parser.add_argument("--work", type=Path, help="keeps the searches; else a temporary folder does")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            rows += measure(options, options.work or Path(folder), seed)
            write(options, rows)


def write(options: argparse.Namespace, rows: list[dict[str, object]]) -> None:
    about = {
        "dataset": options.dataset,
        "trials": options.trials,
        "epochs": options.epochs,
        "settings": [*SETTINGS, *options.overrides],  # of both arms
        "cores": len(os.sched_getaffinity(0)),
    }
    text = table(pd.DataFrame(rows), about)
    (options.results / "tune_pruning.json").write_text(
        json.dumps(about | {"searches": rows}, indent=2) + "\n"
    )
    (options.results / "tune_pruning.md").write_text(text)
    print(text)


def measure(options: argparse.Namespace, folder: Path, seed: int) -> list[dict[str, object]]:
    """One search with each pruner."""
    rows: list[dict[str, object]] = []
    folder.mkdir(parents=True, exist_ok=True)
    space = folder / "space.yaml"
    space.write_text(SPACE)
    for pruner in options.pruners:
        out = folder / f"{pruner}-{seed}"
        command = [
            sys.executable,
            "-m",
            "medauc",
            "tune",
            options.dataset,
            "--space",
            str(space),
            "--out",
            str(out),
        ]
        command += [
            "--pruner",
            pruner,
            "--sampler",
            "random",
            "--seed",
            str(seed),
            "--trials",
            str(options.trials),
        ]
        command += ["--all-trials", "--seeds", "1", "--repeats", "0", "--device", "cpu"]
        if options.data_dir is not None:
            command += ["--data-dir", str(options.data_dir)]
        settings = (*SETTINGS, f"training.max_epochs={options.epochs}", *options.overrides)
        command += [part for setting in settings for part in ("--set", setting)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        trials = pd.read_csv(out / "trials.csv")
        rows.append(
            {
                "seed": seed,
                "pruner": pruner,
                "epochs": int(trials["epochs"].sum()),
                "given_up": int((trials["state"] == "pruned").sum()),
                "best_auc": float(trials["auc"].max()),
                "best_trial": int(trials["auc"].idxmax()),
                "minutes": round(float(trials["seconds"].sum()) / 60, 2),
            }
        )
    return [row | saved(row, rows[0]) for row in rows]


def saved(row: dict[str, object], whole: dict[str, object]) -> dict[str, float]:
    return {
        "epochs_saved": round(1 - float(str(row["epochs"])) / float(str(whole["epochs"])), 3),
        "auc_lost": round(float(str(whole["best_auc"])) - float(str(row["best_auc"])), 5),
    }


def command(frame: pd.DataFrame, about: dict[str, object]) -> str:
    """What makes this table, from what it records."""
    further = about["settings"][len(SETTINGS) :]  # type: ignore[index]
    options = [
        f"--dataset {about['dataset']} --trials {about['trials']} --epochs {about['epochs']}",
        f"--seeds {frame['seed'].nunique()} --pruners {' '.join(frame['pruner'].unique())}",
        *(f"--set {setting}" for setting in further),
    ]
    return " ".join(["python benchmarks/tune_pruning.py --data-dir DIR", *options])


def table(frame: pd.DataFrame, about: dict[str, object]) -> str:
    lines = [
        f"# What pruning saves: {about['dataset']}, {about['trials']} settings, {about['epochs']} epochs at most",
        "",
        f"Made by `{command(frame, about)}`; settings: {', '.join(map(str, about['settings']))}.",
        "",
        "| search | pruner | epochs | saved | given up | best validation AUC | lost | minutes |",
        "|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in frame.itertuples():
        lines.append(
            f"| {row.seed} | {row.pruner} | {row.epochs} | {row.epochs_saved:.0%} | {row.given_up} "
            f"| {row.best_auc:.3f} (trial {row.best_trial}) | {row.auc_lost:.3f} | {row.minutes:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
