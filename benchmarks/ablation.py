"""What each ingredient of a shipped recipe is worth, and each objective in its place: trainings, and tables of them.

    python benchmarks/ablation.py ingredients breastmnist --seeds 5 --data-dir DIR --out runs/ablation
    python benchmarks/ablation.py objectives breastmnist --seeds 5 --data-dir DIR --out runs/ablation
    python benchmarks/accuracy.py add runs/ablation/*/     its trainings go into the ledger
    python benchmarks/ablation.py tables                   write results/ablation.md from it

Every training is one of ``medauc benchmark``, so a stopped command goes on where it was. `ingredients` takes one thing
at a time out of the shipped recipe; without augmentation there is nothing for test-time copies to vary, so they go with
it, and without flips those that only flip. `objectives` trains another objective with the same network, augmentation,
batches and budget: seed 0 at three learning rates, the other seeds at the one whose validation AUC is the highest.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medauc.benchmark import LEDGER, Measured, current_title, fingerprint, gather, read_ledger
from medauc.benchmark.paired import paired_tests
from medauc.metrics import Estimate, holm
from medauc.training import resolve_recipe

RESULTS = Path(__file__).parent / "results"

INGREDIENTS = {
    "all augmentation": ["augment=none", "evaluation.test_time_augmentation=none"],
    "flips": ["augment.flip=0"],
    "quarter turns": ["augment.quarter_turns=false"],
    "rotation": ["augment.rotation=0"],
    "scaling": ["augment.scale=[1,1]"],
    "shift": ["augment.shift=0"],
    "crops": ["augment.crop=0"],
    "brightness and contrast": ["augment.brightness=0", "augment.contrast=0"],
    "averaged weights": ["training.weight_averaging=none"],
    "one cycle of the learning rate": ["optim.schedule.name=none"],
    "weight decay": ["optim.weight_decay=0"],
    "balanced batches": ["sampling.positive_share=null"],
    "test-time averaging": ["evaluation.test_time_augmentation=none"],
}

ADAMW, MIN_MAX = ("0.001", "0.003", "0.01"), ("0.03", "0.1", "0.3")
AUCM = ["loss.name=aucm", "loss.version=v2", "loss.margin=1"]
FIRST = ["first_stage.loss.name=cross_entropy", "first_stage.optim.schedule.name=one_cycle"]
OBJECTIVES = {
    "cross-entropy": (["loss.name=cross_entropy"], ADAMW),
    "AUCM, AdamW": ([*AUCM, "optim.loss_lr=0.03"], ADAMW),
    "AUCM, PESG": ([*AUCM, "optim.name=pesg"], MIN_MAX),
    "cross-entropy, then AUCM": ([*AUCM, "optim.loss_lr=0.03", *FIRST], ADAMW),
    "pairwise": (["loss.name=pairwise"], ADAMW),
    "compositional, PDSCA": (["loss.name=compositional", "loss.version=v2", "optim.name=pdsca"], MIN_MAX),
}
REFERENCE = "cross-entropy"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("ingredients", "objectives"):
        study = verbs.add_parser(verb)
        study.add_argument("dataset")
        study.add_argument("--seeds", type=int, default=5)
        study.add_argument("--only", help="one of the study's names")
        study.add_argument("--data-dir", type=Path)
        study.add_argument("--out", type=Path, required=True)
    verbs.add_parser("tables")
    options = parser.parse_args()
    if options.verb == "tables":
        (RESULTS / "ablation.md").write_text(tables())
        return
    names: Callable[[str], Mapping[str, Any]] = ingredients if options.verb == "ingredients" else objectives
    chosen = {name: to for name, to in names(options.dataset).items() if options.only in (None, name)}
    if not chosen:
        parser.error(f"--only {options.only!r}: choose one of {', '.join(names(options.dataset))}")
    for name, to in chosen.items():
        if isinstance(to, dict):
            train_at_best_rate(options, name, to)
        else:
            train(options, f"without {name}", to, options.seeds)


def ingredients(dataset: str) -> dict[str, list[str]]:
    """Overrides that take out what the shipped recipe of ``dataset`` has, by name."""
    shipped = fingerprint(resolve_recipe(dataset).recipe)
    return {name: found for name, found in INGREDIENTS.items() if identity(dataset, found) != shipped}


def objectives(dataset: str) -> dict[str, dict[str, list[str]]]:
    """Overrides by learning rate, by objective."""
    shipped = resolve_recipe(dataset).recipe
    epochs, share = shipped.training.max_epochs, shipped.sampling.positive_share
    halves = [f"first_stage.max_epochs={epochs // 2}", f"training.max_epochs={epochs - epochs // 2}"]
    halves.append(f"first_stage.sampling.positive_share={'null' if share is None else share}")
    found: dict[str, dict[str, list[str]]] = {}
    for name, (overrides, rates) in OBJECTIVES.items():
        stages = halves if FIRST[0] in overrides else []
        found[name] = {
            rate: [
                *overrides,
                *stages,
                f"optim.lr={rate}",
                *([f"first_stage.optim.lr={rate}"] if stages else []),
            ]
            for rate in rates
        }
    return found


def identity(dataset: str, overrides: Sequence[str]) -> str:
    return fingerprint(resolve_recipe(dataset, overrides=overrides).recipe)


def train_at_best_rate(options: argparse.Namespace, name: str, tries: dict[str, list[str]]) -> None:
    """Seed 0 at every learning rate, the other seeds at the best by validation."""
    first = {rate: train(options, f"{name} {rate}", to, seeds=1) for rate, to in tries.items()}
    best = max(first, key=lambda rate: first[rate])
    train(options, f"{name} {best}", tries[best], options.seeds)


def train(options: argparse.Namespace, name: str, overrides: Sequence[str], seeds: int) -> float:
    """Train (what is not finished yet) in a folder of its own; the validation AUC of seed 0."""
    out = options.out / f"{options.dataset}-{name}".replace(" ", "-").replace(",", "")
    command = [sys.executable, "-m", "medauc", "benchmark", options.dataset, "--seeds", str(seeds)]
    command += ["--jobs", "1", "--threads", "1", "--device", "cpu", "--out", str(out)]
    command += [] if options.data_dir is None else ["--data-dir", str(options.data_dir)]
    subprocess.run([*command, *(word for text in overrides for word in ("--set", text))], check=True)
    return next(row.val_auc for row in read_ledger(out / LEDGER) if row.seed == 0)


def tables() -> str:
    """Both studies of every data set that has trainings of them."""
    rows = read_ledger(RESULTS / LEDGER)
    measured = gather(rows, RESULTS, lambda row: current_title(row, RESULTS))
    parts = [
        "# Ingredients and objectives",
        " ".join((__doc__ or "").split("\n\n")[-1].split()).replace("``", "`"),
    ]
    for dataset in dict.fromkeys(row.dataset for row in rows if row.size == 28):
        found = {one.rows[0].fingerprint: one for one in measured if one.flag == dataset}
        shipped = found.get(identity(dataset, []))
        for table in (ingredient_table(dataset, shipped, found), objective_table(dataset, found)):
            if table:
                parts += [f"## {dataset}: {table[0]}", table[1]]
    return "\n\n".join(parts) + "\n"


Found = dict[str, Measured]


def ingredient_table(dataset: str, shipped: Measured | None, found: Found) -> tuple[str, str] | None:
    """Shipped recipe less the one without an ingredient: a gain of the ingredient is positive."""
    without = {
        name: found.get(identity(dataset, overrides)) for name, overrides in ingredients(dataset).items()
    }
    have = {name: one for name, one in without.items() if one is not None}
    if shipped is None or not have:
        return None
    lines = [
        "| without | seeds | validation AUC | test AUC | SD | what the ingredient adds [95%] | p, adjusted |",
        "|---|--:|--:|--:|--:|---|--:|",
        cells("(the recipe as shipped)", shipped, "", ""),
    ]
    lines += differences(have, [(shipped, one) for one in have.values()])
    return "each ingredient taken out", "\n".join(lines)


def objective_table(dataset: str, found: Found) -> tuple[str, str] | None:
    """Each objective at its own learning rate, less cross-entropy at its own."""
    best: dict[str, tuple[Measured, str]] = {}
    for name, tries in objectives(dataset).items():
        have = {
            rate: one for rate, to in tries.items() if (one := found.get(identity(dataset, to))) is not None
        }
        if have:
            first = {rate: one.rows[0].val_auc for rate, one in have.items()}
            tried = ", ".join(f"{rate}: {value:.3f}" for rate, value in first.items())
            best[f"{name} ({tried})"] = have[max(first, key=lambda rate: first[rate])], name
    reference = next((one for one, name in best.values() if name == REFERENCE), None)
    if reference is None or len(best) < 2:
        return None
    others = {title: one for title, (one, name) in best.items() if name != REFERENCE}
    title = next(title for title, (_, name) in best.items() if name == REFERENCE)
    lines = [
        "| objective (validation AUC of seed 0 by learning rate) | seeds | validation AUC | test AUC | SD "
        "| more than cross-entropy [95%] | p, adjusted |",
        "|---|--:|--:|--:|--:|---|--:|",
        cells(title, reference, "", ""),
    ]
    lines += differences(others, [(one, reference) for one in others.values()])
    return "objectives", "\n".join(lines)


def differences(named: Found, pairs: Sequence[tuple[Measured, Measured]]) -> list[str]:
    """Rows with the paired difference over common seeds, for new seeds and new cases; p by Holm over the table."""
    tests = [next((pair.seeds for pair in paired_tests(both)), None) for both in pairs]
    adjusted = iter(holm([test.p for test in tests if test is not None]).tolist())
    lines = []
    for (name, one), test in zip(named.items(), tests, strict=True):
        shown = "" if test is None else plus_minus(test.difference)
        lines.append(cells(name, one, shown, "" if test is None else f"{next(adjusted):.2g}"))
    return lines


def plus_minus(found: Estimate) -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def cells(name: str, one: Measured, difference: str, p: str) -> str:
    spread = "" if one.spread is None else f"{one.spread:.3f}"
    figures = (name, len(one.seeds), f"{one.val_mean:.3f}", f"{one.mean:.3f}", spread, difference, p)
    return f"| {' | '.join(map(str, figures))} |"


if __name__ == "__main__":
    main()
