"""What folds, seeds and refits gain on phantoms: test AUC, and how well thresholds and probabilities hold on test.

Each phantom has 300 samples for training and validation and 1,000 for test, so that the figures of one phantom are
those of its models, not of its test set. All variants share network, recipe and epochs. Minutes on one core:
.venv/bin/python benchmarks/ensembles.py --phantoms 12
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from medauc.data import Dataset, load_dataset
from medauc.data.folds import assign_folds
from medauc.evaluation import Evaluation, Predictions, evaluate
from medauc.training import Recipe, parse_recipe, train
from medauc.training.combination import Combination
from medauc.training.members import (
    Member,
    data_of,
    epochs_of_refit,
    members_of,
    recipe_of,
)
from medauc.training.plan import read_shipped
from medauc.training.run_folder import RunFolder
from medauc.training.sections.ensemble import EnsembleSection

RESULT = Path(__file__).parent / "results" / "ensembles.json"
TABLE = RESULT.with_suffix(".md")
FOLDS = 5
PHANTOM = {"n_train": 240, "n_val": 60, "n_test": 1000, "prevalence": 0.25, "detectability": 2.33}


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantoms", type=int, default=12)
    count = parser.parse_args().phantoms
    rows: list[dict[str, object]] = []
    for seed in range(count):
        rows += measure(seed)
        RESULT.write_text(json.dumps({"phantom": PHANTOM, "folds": FOLDS, "rows": rows}, indent=1) + "\n")
        if seed > 0:
            TABLE.write_text(table(rows))


def measure(seed: int) -> Iterator[dict[str, object]]:
    """Figures of every variant on one phantom."""
    values = read_shipped("default", "phantom2d")
    values["data"] = {"size": 16, "phantom": {**PHANTOM, "seed": seed}}
    values["model"]["width"], values["sampling"]["batch_size"] = 8, 32
    values["training"]["max_epochs"] = 8
    recipe = parse_recipe(values, "the benchmark")
    dataset = load_dataset("phantom2d", 16, phantom=recipe.data.phantom)
    for name, predictions in variants(dataset, recipe, seed):
        yield {"phantom": seed, "variant": name} | figures(evaluate(predictions))


def variants(dataset: Dataset, recipe: Recipe, seed: int) -> Iterator[tuple[str, Predictions]]:
    """Predictions of each way to spend up to ten trainings."""
    assignment = assign_folds(dataset, FOLDS, seed)
    with tempfile.TemporaryDirectory() as temporary:

        def trained(
            members: list[Member], epochs: tuple[int, ...] | None = None
        ) -> dict[Member, Predictions]:
            for member in members:
                part, own = data_of(member, dataset, assignment), recipe_of(member, recipe, epochs)
                train(part, own, Path(temporary) / member.name, seed=member.seed, device="cpu")
            return {m: Predictions.read(Path(temporary) / m.name / "predictions.csv") for m in members}

        official = trained(members_of(EnsembleSection(members=FOLDS), seed))
        folds = trained(members_of(EnsembleSection(folds=FOLDS), seed))
        epochs = epochs_of_refit([RunFolder(Path(temporary) / member.name) for member in folds])
        refits = trained([Member("refit", 10_000 * seed + 900 + number) for number in range(FOLDS)], epochs)
    first = dict(list(official.items())[:1])
    one = dict(list(refits.items())[:1])
    yield "one network", joined(first)
    yield "5 seeds", joined(official)
    yield "5 folds", joined(folds)
    yield "refit, 1 network", joined(folds, one)
    yield "refit, 5 networks", joined(folds, refits)
    yield "5 folds and refit, 10 networks", both(folds, refits)


def joined(tables: dict[Member, Predictions], refits: dict[Member, Predictions] | None = None) -> Predictions:
    """As ``medauc train`` combines them."""
    again = refits or {}
    named = {member.name: table for member, table in (tables | again).items()}
    return Combination.of(tables, list(again), (1,) if again else None).predictions(named)


def both(folds: dict[Member, Predictions], refits: dict[Member, Predictions]) -> Predictions:
    """Folds and refits together score test."""
    alone, again = joined(folds), joined(folds, refits)
    is_test = (alone.frame["split"] == "test").to_numpy()
    order = again.frame.set_index(["split", "id"]).loc[
        list(zip(alone.frame["split"], alone.ids, strict=True))
    ]
    mean = (alone.score() + order["score"].to_numpy()) / 2
    return replace(alone, frame=alone.frame.assign(score=np.where(is_test, mean, alone.score())))


def figures(found: Evaluation) -> dict[str, float]:
    """What is compared."""
    point = next(point for point in found.operating_points if point.name == "specificity 0.90")
    after = found.calibration[0].after
    return {
        "auc": found.test.auroc.value,
        "specificity": point.specificity.value,
        "slope": after.slope.value,
        "observed_expected": after.observed_expected.value,
        "ece": after.ece.value,
    }


def table(rows: list[dict[str, object]]) -> str:
    """Mean (SD over phantoms) of every figure by variant."""
    names = list(dict.fromkeys(row["variant"] for row in rows))
    count = len(rows) // len(names)
    lines = [
        f"Mean (standard deviation) over {count} phantoms; wanted are specificity 0.90, slope 1, O:E 1, ECE 0.",
        "",
        "| variant | test AUC | gain on one network | specificity | slope | O:E | ECE |",
        "|---|---|---|---|---|---|---|",
    ]
    alone = column(rows, names[0], "auc")
    for name in names:
        gain = column(rows, name, "auc") - alone
        cells = [
            text(column(rows, name, "auc")),
            "" if name == names[0] else text(gain),
            *(text(column(rows, name, key)) for key in ("specificity", "slope", "observed_expected", "ece")),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def column(rows: list[dict[str, object]], name: object, key: str) -> np.ndarray:
    return np.array([row[key] for row in rows if row["variant"] == name], dtype=np.float64)


def text(values: np.ndarray) -> str:
    return f"{values.mean():.3f} ({values.std(ddof=1):.3f})"


if __name__ == "__main__":
    main()
