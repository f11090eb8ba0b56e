"""Try a change of a recipe inside train and validation; the test split is not touched.

    python benchmarks/holdout.py vesselmnist3d --set optim.lr=0.01 --data-dir DIR    add a row to results/holdout.csv
    python benchmarks/holdout.py tables                                              write results/holdout.md

One of four folds of train and validation together (those of ``medauc train --folds 4``, by patient) is held out and the
other three are trained on: 136 to 1,308 samples to judge by instead of the official 55 to 524. What counts is the AUC
after the last epoch, as it is and with the recipe's test-time copies; no epoch is chosen.
"""

import argparse
import platform
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medauc.data import Dataset, load_dataset
from medauc.data.folds import assign_folds, fold_of
from medauc.metrics import delong_interval
from medauc.training import Recipe, resolve_recipe
from medauc.training.fit import train
from medauc.training.recipe import differing_keys

RESULTS = Path(__file__).parent / "results"
LEDGER, FOLDS = RESULTS / "holdout.csv", 4
HEADINGS = ["change of the recipe as it shipped", "in commit", "fold", "seed", "AUC", "with copies"]
HEADINGS += ["half width", "train AUC", "epochs", "minutes"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="a name of the catalog, or 'tables'")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY.PATH=VALUE")
    parser.add_argument("--fold", type=int, default=0, choices=range(FOLDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    if options.dataset != "tables":
        append(measure(options.dataset, options.overrides, options.fold, options.seed, options.data_dir))
    (RESULTS / "holdout.md").write_text(tables(pd.read_csv(LEDGER)))


def measure(
    name: str, overrides: list[str], fold: int, seed: int, data_dir: Path | None
) -> dict[str, object]:
    """Train on three folds and score the fourth; the row says by how much the recipe differs from the shipped one."""
    shipped = resolve_recipe(name)
    named = resolve_recipe(name, overrides=["training.selection=last", *overrides])
    dataset = held_out(load_dataset(name, named.recipe.data.size, data_dir), fold)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = train(dataset, named.recipe, Path(folder) / "run", seed=seed, device="cpu")
        history = pd.read_csv(run.folder.metrics)
        scores = pd.read_csv(run.folder.predictions).query("split == 'val'")
        copies_auc, low, high = delong_interval(scores.target.to_numpy(), scores.score.to_numpy())
    return {
        "dataset": dataset.name,
        "size": dataset.size,
        "changes": "; ".join(_changes(shipped.recipe, named.recipe)),
        "fold": fold,
        "seed": seed,
        "commit": commit(),
        "train_auc": history.train_auc.iloc[-1],
        "auc": history.val_auc.iloc[-1],
        "copies_auc": copies_auc,
        "half_width": (high - low) / 2,
        "epochs": len(history),
        "epoch_seconds": round(history.seconds.sum()),
        "wall_seconds": round(time.perf_counter() - start),
        "machine": platform.machine(),
    }


def _changes(shipped: Recipe, tried: Recipe) -> list[str]:
    """What differs, but for the epoch that is kept: that is the last one in every row."""
    keys = differing_keys(shipped, tried)
    return [key for key in keys if not key.startswith("training.selection")]


def held_out(dataset: Dataset, fold: int) -> Dataset:
    """Three folds as training, the fourth as validation, and that again as test, so that test is never scored."""
    chosen = fold_of(dataset, assign_folds(dataset, FOLDS, seed=0), fold)
    return replace(chosen, test=replace(chosen.val, ids=np.char.add("again-", chosen.val.ids)))


def append(row: dict[str, object]) -> None:
    frame = pd.DataFrame([row])
    if LEDGER.exists():
        frame = frame.reindex(columns=pd.read_csv(LEDGER, nrows=0).columns)
    frame.to_csv(LEDGER, mode="a", header=not LEDGER.exists(), index=False, float_format="%.5f")


def tables(ledger: pd.DataFrame) -> str:
    """One table a data set, best first."""
    parts = [
        "# Choosing recipes inside train and validation",
        "Made from `holdout.csv` by `python benchmarks/holdout.py tables`. "
        + _said(__doc__.split("\n\n")[2]),
        "`with copies` is the AUC of the mean score over the recipe's test-time copies, `-` where it was not kept. "
        "`half width` is that of DeLong's 95% interval: single trainings, so smaller differences mean nothing.",
    ]
    for dataset, rows in ledger.groupby("dataset", sort=False):
        lines = [
            f"## {dataset}",
            f"| {' | '.join(HEADINGS)} |",
            "|---|" + "--:|" * (len(HEADINGS) - 1),
        ]
        for row in rows.sort_values("auc", ascending=False).itertuples():
            what = "none" if pd.isna(row.changes) else row.changes
            width, copies = (
                "-" if pd.isna(value) else f"{value:.3f}" for value in (row.half_width, row.copies_auc)
            )
            minutes = f"{row.epoch_seconds / 60:.1f}"
            cells = [
                what,
                row.commit,
                row.fold,
                row.seed,
                f"{row.auc:.3f}",
                copies,
                width,
                f"{row.train_auc:.3f}",
            ]
            lines.append(f"| {' | '.join(map(str, [*cells, row.epochs, minutes]))} |")
        parts += [lines[0], "\n".join(lines[1:])]
    return "\n\n".join(parts) + "\n"


def _said(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def commit() -> str:
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    folder = Path(__file__).parent
    return subprocess.run(describe, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
