"""From a finished run folder to its row of the ledger."""

from pathlib import Path
from typing import Any

import pandas as pd

from medauc.benchmark.identity import closest_shipped, fingerprint
from medauc.benchmark.ledger import Row
from medauc.errors import InputError
from medauc.evaluation import Evaluation
from medauc.training.run_folder import RunFolder


def row_of(
    folder: Path,
    *,
    name: str = "",
    commit: str,
    predictions: str,
    wall_seconds: float | None = None,
    peak_mib: float | None = None,
) -> Row:
    """Read a finished run folder.

    Args:
        folder: the run folder, of one network or of an ensemble.
        name: what the grid calls the recipe; " (half the batch)" is added where its batches did not fit into memory,
            so that it is not averaged with trainings of whole ones.
        commit: the code that it was trained with.
        predictions: where the ledger finds the scores.
        wall_seconds: the whole time, data and prediction included, where it was measured.
        peak_mib: most memory held, where it was measured.

    Raises:
        InputError: not a finished run.
    """
    run = RunFolder(folder)
    recipe, provenance = run.read_recipe()
    if not run.evaluation.exists():
        raise InputError(
            f"{folder}: this run is not finished; continue it with medauc train --resume --out {folder}"
        )
    evaluation = Evaluation.read(run.evaluation)
    family, changes = closest_shipped(provenance.dataset, recipe)
    histories = [pd.read_csv(path) for path in sorted(folder.rglob("metrics.csv"))]
    figures: dict[str, Any] = {}
    for split in ("val", "test"):
        auroc = evaluation.splits[split].auroc
        assert auroc is not None  # an evaluation without an AUC is refused
        figures |= {f"{split}_auc": auroc.value, f"{split}_low": auroc.low, f"{split}_high": auroc.high}
    return Row(
        dataset=provenance.dataset,
        size=recipe.data.size,
        recipe=family,
        changes="; ".join(changes),
        seed=provenance.seed,
        commit=commit,
        **figures,
        epochs=sum(map(len, histories)),
        epoch_seconds=round(sum(float(history["seconds"].sum()) for history in histories)),
        wall_seconds=None if wall_seconds is None else round(wall_seconds),
        peak_mib=None if peak_mib is None else round(peak_mib),
        data_modified=provenance.data_modified,
        threads=provenance.threads,
        device=provenance.device,
        machine=provenance.platform.split()[-1],
        name=f"{name} (half the batch)" if name and _was_halved(folder) else name,
        fingerprint=fingerprint(recipe),
        predictions=predictions,
    )


def _was_halved(folder: Path) -> bool:
    """Whether the training, or one of an ensemble's, was begun anew with half the batch."""
    runs = (RunFolder(path.parent) for path in folder.rglob("recipe.yaml"))
    return any(run.read_recipe()[1].asked is not None for run in runs)
