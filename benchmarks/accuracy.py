"""Train for real, write every training into the ledger, and make the tables of results from it.

    python benchmarks/accuracy.py run breastmnist adrenalmnist3d --recipe default --seeds 3 --data-dir DIR
    python benchmarks/accuracy.py add RUN...     a run made by hand goes into the ledger too
    python benchmarks/accuracy.py tables         write results/accuracy.md and the table in README.md

A row of ``results/ledger.csv`` is one finished training, good or bad; ``changes`` names what its recipe has other
than the shipped one. Tables show runs of unchanged shipped recipes only, all seeds of the newest commit that has any.
"""

import argparse
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from medauc.data import CATALOG
from medauc.evaluation import Evaluation
from medauc.training import Recipe, RunFolder, parse_recipe
from medauc.training.plan import read_shipped
from medauc.training.recipe import differing_keys

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
LEDGER = RESULTS / "ledger.csv"
START, END = "<!-- results: made by benchmarks/accuracy.py tables -->", "<!-- end of results -->"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run")
    run.add_argument("datasets", nargs="+")
    run.add_argument("--recipe", default="default")
    run.add_argument("--seeds", type=int, default=1)
    run.add_argument("--data-dir", required=True)
    add = verbs.add_parser("add")
    add.add_argument("runs", nargs="+", type=Path)
    add.add_argument("--commit", help="the code they were run with; default: HEAD")
    verbs.add_parser("tables")
    options = parser.parse_args()
    if options.verb == "run":
        for seed in range(options.seeds):
            for dataset in options.datasets:
                train_and_add(dataset, options.recipe, seed, options.data_dir)
    elif options.verb == "add":
        for folder in options.runs:
            append(ledger_row(folder, options.commit or commit(), math.nan, math.nan))
    write_tables()


def train_and_add(dataset: str, recipe: str, seed: int, data_dir: str) -> None:
    """Run ``medauc train`` as a user would, in a process of its own whose peak memory is recorded."""
    revision = commit()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "medauc", "train", dataset, "--recipe", recipe, "--seed", str(seed)]
        start = time.perf_counter()
        process = subprocess.Popen([*command, "--data-dir", data_dir, "--out", str(out)])
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            raise SystemExit(f"{dataset}: the training failed")
        append(ledger_row(out, revision, usage.ru_maxrss / 1024, wall))


def ledger_row(folder: Path, revision: str, peak_mib: float, wall_seconds: float) -> dict[str, object]:
    """Read a finished run folder; peak memory and wall time (start and prediction included) are measured outside."""
    run = RunFolder(folder)
    recipe, provenance = run.read_recipe()
    evaluation, history = Evaluation.read(run.evaluation), pd.read_csv(run.metrics)
    family, changes = closest_shipped(provenance.dataset, recipe)
    row: dict[str, object] = {
        "dataset": provenance.dataset,
        "size": recipe.data.size,
        "recipe": family,
        "changes": "; ".join(changes),
        "seed": provenance.seed,
        "commit": revision,
    }
    for split in ("val", "test"):
        auroc = evaluation.splits[split].auroc
        assert auroc is not None
        row |= {f"{split}_auc": auroc.value, f"{split}_low": auroc.low, f"{split}_high": auroc.high}
    return row | {
        "epochs": len(history),
        "epoch_seconds": round(history.seconds.sum()),
        "wall_seconds": None if math.isnan(wall_seconds) else round(wall_seconds),
        "peak_mib": None if math.isnan(peak_mib) else round(peak_mib),
        "data_modified": provenance.data_modified,
        "threads": provenance.threads,
        "device": provenance.device,
        "machine": platform.machine(),
    }


def closest_shipped(dataset: str, recipe: Recipe) -> tuple[str, list[str]]:
    """The shipped recipe from which this one differs least, and in what."""
    candidates = {}
    for family in ("default", "seed"):
        shipped = parse_recipe(read_shipped(family, dataset), family)
        candidates[family] = [
            key for key in differing_keys(shipped, recipe) if not key.startswith("data.size ")
        ]
    family = min(candidates, key=lambda name: len(candidates[name]))
    return family, candidates[family]


def append(row: dict[str, object]) -> None:
    """Add one line; nothing is read back, so two benchmarks may run at once."""
    new = pd.DataFrame([row])
    new.to_csv(LEDGER, mode="a", header=not LEDGER.exists(), index=False, float_format="%.5f")


def commit() -> str:
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    return subprocess.run(describe, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def table() -> str:
    """One row a data set and recipe: each seed's figures, their mean, and what was published."""
    ledger = pd.read_csv(LEDGER, keep_default_na=False)
    comparable = (
        (ledger.changes == "") & (ledger["size"] == 28) & (ledger.device == "cpu") & ~ledger.data_modified
    )
    shipped = ledger[comparable]
    titles = [
        "data set",
        "recipe",
        "seeds",
        "test AUC [95% interval]",
        "val AUC",
        "epochs",
        "minutes",
        "threads",
    ]
    titles += ["peak MiB", "commit", "seed method, as reported", "best published from scratch"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for dataset, entry in CATALOG.items():
        found = shipped[shipped.dataset == dataset]
        if found.empty:
            continue
        seed_result, best = entry.seed_result, entry.best_from_scratch
        published = f"{seed_result.auc:.2f}" if seed_result else "-", f"{best.auc:.3f}" if best else "-"
        for recipe in ("default", "seed"):
            runs = found[found.recipe == recipe]
            if not runs.empty:
                newest = runs[runs.commit == runs.commit.iloc[-1]]
                lines.append(table_line(dataset, recipe, newest, published))
    missing = [name for name in CATALOG if name not in set(shipped.dataset)]
    if missing:
        lines += ["", f"Not measured: {', '.join(missing)} (their files were not at hand)."]
    return "\n".join(lines)


def table_line(dataset: str, recipe: str, runs: pd.DataFrame, published: tuple[str, str]) -> str:
    singles = "; ".join(
        f"{row.test_auc:.3f} [{row.test_low:.3f}, {row.test_high:.3f}]" for row in runs.itertuples()
    )
    mean = f"mean {runs.test_auc.mean():.3f}: " if len(runs) > 1 else ""
    peaks = [float(value) for value in runs.peak_mib if value != ""]
    cells = [
        dataset,
        recipe,
        ", ".join(str(seed) for seed in runs.seed),
        mean + singles,
        f"{runs.val_auc.mean():.3f}",
        ", ".join(str(epochs) for epochs in runs.epochs),
        f"{runs.epoch_seconds.mean() / 60:.1f}",
        ", ".join(sorted({str(threads) for threads in runs.threads})),
        f"{max(peaks):.0f}" if peaks else "-",
        str(runs.commit.iloc[-1]),
        *published,
    ]
    return f"| {' | '.join(cells)} |"


def write_tables() -> None:
    made = table()
    explanation = (
        "Made from `ledger.csv` by `python benchmarks/accuracy.py tables`. Intervals are DeLong's, of the test samples "
        "alone: they do not hold the variation between seeds. Minutes are those of the epochs, on the "
        "threads named, of a machine that did other work as well."
    )
    (RESULTS / "accuracy.md").write_text(f"# Test AUC of the shipped recipes\n\n{explanation}\n\n{made}\n")
    readme = REPOSITORY / "README.md"
    text = readme.read_text()
    if START in text:
        before, rest = text.split(START)
        readme.write_text(f"{before}{START}\n{made}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
