"""Which objective helps, and where? The same network, augmentation and budget under every objective.

    python benchmarks/objectives.py run --data-dir DIR [--minutes 60]   goes on where it stopped
    python benchmarks/objectives.py tables                              write results/objectives.md and .svg

A setting is a data set and a change of its training split (fewer samples, another prevalence, wrong labels).
Learning rates are tuned first, three tries for each objective in each anchor setting, by validation AUC at a seed that
the study does not use. Then every objective is trained with the same seeds; a seed decides the subset, the initial
weights and the order, so differences are paired. Every training, tuning included, is a row of
``results/objectives.csv``; the ranks of the test scores lie in ``results/objectives_ranks.npz``. All trainings run in
this process, one after another.
"""

import argparse
import math
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from medauc.data import Dataset, PhantomSpec, load_dataset, take_subset
from medauc.evaluation import Predictions
from medauc.files import atomic_path
from medauc.metrics import average_precision
from medauc.training import Recipe, RunFolder, parse_recipe
from medauc.training.fit import train
from medauc.training.module import TrainingDiverged
from medauc.training.plan import read_shipped
from medauc.training.recipe import differing_keys

RESULTS = Path(__file__).parent / "results"
LEDGER, RANKS = RESULTS / "objectives.csv", RESULTS / "objectives_ranks.npz"
SEEDS, TUNING_SEED = range(5), 100

# What every training has in common; about 160 steps of 64 whatever the number of samples.
NETWORK = {"name": "resnet10", "width": 8, "stem": "half"}
AUGMENT = {"rotation": 15, "scale": [0.85, 1.18], "shift": 0.08, "brightness": 0.2, "contrast": 0.2}
TRAINING = {"patience": None, "weight_averaging": "ema", "ema_decay": 0.95}
ONE_CYCLE = {"name": "one_cycle"}

_ADAM, _SGD = (1e-3, 3e-3, 1e-2), (0.1, 0.3, 1.0)
TRIES = {
    "cross_entropy": _ADAM,
    "aucm_pesg": _SGD,
    "aucm_adamw": _ADAM,
    "ce_then_aucm": (0.03, 0.1, 0.3),  # of its second stage; the first has what cross-entropy was given
    "pairwise": _ADAM,
    "compositional": _SGD,
}


@dataclass(frozen=True)
class Setting:
    """A data set and what is done to its training split; ``anchor`` names the setting whose learning rates it takes."""

    dataset: str
    axis: str
    level: float
    anchor: str
    subset: dict[str, Any] = field(default_factory=dict)
    epochs: int = 10

    @property
    def key(self) -> str:
        """Name in the ledger."""
        return f"{self.dataset}:{self.axis}:{self.level:g}"


def settings() -> list[Setting]:
    """All settings, the most important data set first; each axis leaves everything else as in the reference."""
    found = []
    for dataset, thousand, epochs in (("pneumoniamnist", {"samples": 1000}, 10), ("breastmnist", {}, 18)):
        reference, rare, noisy = (
            f"{dataset}:{name}" for name in ("reference:0", "prevalence:0.03", "label_noise:0.2")
        )
        found.append(Setting(dataset, "reference", 0, reference, thousand, epochs))
        for share in (0.10, 0.03, 0.01):
            subset = {**thousand, "prevalence": share}
            found.append(Setting(dataset, "prevalence", share, rare, subset, epochs))
        for share in (0.10, 0.20, 0.30):
            subset = {**thousand, "label_noise": share}
            found.append(Setting(dataset, "label_noise", share, noisy, subset, epochs))
        for count, longer in ((300, 32), (100, 80)):
            found.append(
                Setting(dataset, "samples", count, reference, {"samples": count, "validation": True}, longer)
            )
    for share in (0.50, 0.10, 0.03, 0.01):
        anchor = "phantom2d:prevalence:" + ("0.5" if share == 0.5 else "0.03")
        found.append(
            Setting("phantom2d", "prevalence", share, anchor, {"samples": 1000, "prevalence": share}, 10)
        )
    order = {"pneumoniamnist": 0, "phantom2d": 1, "breastmnist": 2}
    return sorted(found, key=lambda setting: order[setting.dataset])


@dataclass(frozen=True)
class Cell:
    """One training of the study."""

    setting: Setting
    objective: str
    lr: float
    seed: int
    first_lr: float | None = None

    @property
    def key(self) -> str:
        """What tells this training from all others, in the ledger and among the ranks."""
        return f"{self.setting.key}|{self.objective}|{self.lr:g}|{self.seed}"


def recipe_of(cell: Cell) -> Recipe:
    """The recipe of a cell: only loss, optimizer and batches follow the objective, by the loss's own defaults."""
    setting, epochs = cell.setting, cell.setting.epochs
    flip = [0.5, 0.5] if setting.dataset == "phantom2d" else [0.0, 0.5]
    values: dict[str, Any] = {
        "data": {"subset": {**setting.subset, "seed": cell.seed}},
        "augment": {**AUGMENT, "flip": flip},
        "model": NETWORK,
        "sampling": {"batch_size": 64},
        "training": {**TRAINING, "max_epochs": epochs},
    }
    loss, optimizer = {
        "cross_entropy": ("cross_entropy", "adamw"),
        "aucm_pesg": ("aucm", "pesg"),
        "aucm_adamw": ("aucm", "adamw"),
        "ce_then_aucm": ("aucm", "pesg"),
        "pairwise": ("pairwise", "adamw"),
        "compositional": ("compositional", "pdsca"),
    }[cell.objective]
    values |= {
        "loss": {"name": loss},
        "optim": {"name": optimizer, "lr": cell.lr, "schedule": ONE_CYCLE},
    }
    if cell.objective == "ce_then_aucm":
        values["training"]["max_epochs"] = epochs - epochs // 2
        values["first_stage"] = {
            "loss": {"name": "cross_entropy"},
            "optim": {"name": "adamw", "lr": cell.first_lr, "schedule": ONE_CYCLE},
            "sampling": {"batch_size": 64},
            "max_epochs": epochs // 2,
        }
    return parse_recipe(values, cell.key)


def cells(ledger: pd.DataFrame) -> Iterator[Cell]:
    """What is still to be trained and can be: tuning of a data set before its study, seed by seed."""
    done = set(ledger.key)
    everything = settings()
    for dataset in dict.fromkeys(setting.dataset for setting in everything):
        own = [setting for setting in everything if setting.dataset == dataset]
        for anchor in (setting for setting in own if setting.key == setting.anchor):
            for objective in TRIES:
                for lr in TRIES[objective]:
                    yield from _if_open(cell_at(ledger, anchor, objective, lr, TUNING_SEED), done)
        for seed in SEEDS:
            for setting in own:
                for objective in TRIES:
                    lr = tuned(ledger, setting.anchor, objective)
                    yield from _if_open(cell_at(ledger, setting, objective, lr, seed), done)


def _if_open(cell: Cell, done: set[str]) -> list[Cell]:
    return [] if cell.key in done else [cell]


def cell_at(ledger: pd.DataFrame, setting: Setting, objective: str, lr: float, seed: int) -> Cell:
    """A cell; two stages take the first one's rate from the tuned cross-entropy."""
    first = tuned(ledger, setting.anchor, "cross_entropy") if objective == "ce_then_aucm" else None
    return Cell(setting, objective, lr, seed, first)


def tuned(ledger: pd.DataFrame, anchor: str, objective: str) -> float:
    """The learning rate of the best validation AUC among the tries; the smaller one if two are equal."""
    tries = ledger[
        (ledger.setting == anchor) & (ledger.objective == objective) & (ledger.purpose == "tuning")
    ]
    best = tries.sort_values(["val_auc", "lr"], ascending=[False, True]).iloc[0]
    return float(best.lr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run")
    run.add_argument("--data-dir", required=True)
    run.add_argument("--minutes", type=float, default=math.inf, help="processor time to spend at most")
    run.add_argument("--commit", help="the code that is run; default: HEAD")
    verbs.add_parser("tables")
    options = parser.parse_args()
    if options.verb == "run":
        run_study(options.data_dir, options.minutes, options.commit or commit())
    from objectives_tables import write_tables

    write_tables()


def run_study(data_dir: str, minutes: float, revision: str) -> None:
    """Train cell after cell until all are done or the time is spent; what is yet to come depends on the ledger."""
    import torch

    torch.set_num_threads(1)
    while time.process_time() < 60 * minutes:
        cell = next(cells(read_ledger()), None)
        if cell is None:
            return
        append(run_cell(cell, data_dir, revision))


def run_cell(cell: Cell, data_dir: str, revision: str) -> dict[str, object]:
    """Train one cell in a folder that is thrown away; its ledger row and the ranks of its test scores stay."""
    recipe = recipe_of(cell)
    dataset = take_subset(load(cell.setting.dataset, data_dir), recipe.data.subset)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = train(dataset, recipe, Path(folder) / "run", seed=cell.seed, device="cpu")
        except TrainingDiverged:
            return row_of(cell, recipe, dataset, revision) | {"val_auc": 0.0, "diverged": True}
        row = row_of(cell, recipe, dataset, revision) | figures_of(run.folder)
    return row | {"wall_seconds": round(time.perf_counter() - start, 1), "diverged": False}


@cache
def load(name: str, data_dir: str) -> Dataset:
    """A data set, read once; the phantom is half positive and large in test, so that its own noise is small."""
    spec = PhantomSpec(n_train=2000, n_val=500, n_test=4000, prevalence=0.5)
    return load_dataset(name, data_dir=data_dir, phantom=spec)


def row_of(cell: Cell, recipe: Recipe, dataset: Dataset, revision: str) -> dict[str, object]:
    """What is known of a cell before its figures, in the columns of the main ledger and of this study."""
    shipped = parse_recipe(read_shipped("default", cell.setting.dataset), "default")
    return {
        "key": cell.key,
        "purpose": "tuning" if cell.seed == TUNING_SEED else "study",
        "setting": cell.setting.key,
        "axis": cell.setting.axis,
        "level": cell.setting.level,
        "objective": cell.objective,
        "lr": cell.lr,
        "part": dataset.part,
        "n_positive": int(dataset.train.targets.sum()),
        "ideal_auc": dataset.ideal_auc,
        "dataset": cell.setting.dataset,
        "size": recipe.data.size,
        "recipe": "default",
        "changes": "; ".join(differing_keys(shipped, recipe)),
        "seed": cell.seed,
        "commit": revision,
        "device": "cpu",
        "threads": 1,
        "machine": platform.machine(),
    }


def figures_of(run: RunFolder) -> dict[str, object]:
    """Figures of a finished run; the ranks of its test scores go to their own file."""
    from medauc.evaluation import Evaluation

    evaluation, history = Evaluation.read(run.evaluation), pd.read_csv(run.metrics)
    row: dict[str, object] = {"epochs": len(history), "epoch_seconds": round(history.seconds.sum(), 1)}
    for split in ("val", "test"):
        auroc = evaluation.splits[split].auroc
        assert auroc is not None
        row |= {f"{split}_auc": auroc.value, f"{split}_low": auroc.low, f"{split}_high": auroc.high}
    test = Predictions.read(run.predictions).select("test")
    target, score = test.target(), test.score()
    return row | {"test_ap": average_precision(target, score), "_ranks": rankdata(score), "_target": target}


def read_ledger() -> pd.DataFrame:
    """All rows so far."""
    columns = ["key", "purpose", "setting", "objective", "lr", "val_auc"]
    return pd.read_csv(LEDGER) if LEDGER.exists() else pd.DataFrame(columns=columns)


def append(row: dict[str, object]) -> None:
    """Add a row; the ranks first, so that every row of the study has them."""
    ranks, target = row.pop("_ranks", None), row.pop("_target", None)
    is_kept = (
        row["purpose"] == "study" and row["ideal_auc"] is None
    )  # a phantom's cases are no sample to test with
    if is_kept and ranks is not None:
        stored = dict(np.load(RANKS)) if RANKS.exists() else {}
        # Twice the rank is a whole number even where scores tie; ranks of a method's seeds can be averaged.
        stored[str(row["key"])] = (2 * np.asarray(ranks)).astype(np.uint16)
        stored[f"target|{row['dataset']}"] = np.asarray(target, dtype=np.uint8)
        with atomic_path(RANKS) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **stored)
    frame = pd.DataFrame([row])
    if LEDGER.exists():  # a training that diverged has fewer columns
        frame = frame.reindex(columns=pd.read_csv(LEDGER, nrows=0).columns)
    frame.to_csv(LEDGER, mode="a", header=not LEDGER.exists(), index=False, float_format="%.5f")


def commit() -> str:
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    folder = Path(__file__).parent
    return subprocess.run(describe, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
