"""Keeping what tables need of trainings whose run folders are thrown away: scores, recipe, and the row."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import yaml

from medauc.benchmark.identity import closest_shipped, fingerprint
from medauc.benchmark.ledger import LEDGER, Row, add_rows
from medauc.errors import InputError
from medauc.evaluation import Predictions
from medauc.evaluation.columns import pairs
from medauc.files import atomic_path, write_text_atomically
from medauc.training.recipe import Recipe, parse_recipe, read_recipe
from medauc.training.run_folder import RunFolder


def archive(rows: Iterable[Row], source: Path, folder: Path) -> list[Row]:
    """Copy scores and recipes of trainings into ``folder`` and add their rows to the ledger there.

    Scores become a ``.csv.gz`` of a few kilobytes, exact to the bit, which every verb reads; names tell data set,
    seed and content, so the same training is kept once.

    Args:
        rows: of the ledger in ``source``.
        source: folder from which the paths of their scores count.
        folder: where to keep them, below ``scores/`` and ``recipes/``.

    Returns:
        The rows that the ledger did not hold yet.

    Raises:
        InputError: a run folder or a table of scores cannot be read, or ``folder`` not written.
    """
    kept = []
    for row in rows:
        predictions = source / row.predictions
        recipe, _ = RunFolder(predictions.parent).read_recipe()
        try:
            keep_recipe(recipe, folder)
            scores = _keep_scores(Predictions.read(predictions, allow_leakage=True), row, folder / "scores")
        except OSError as error:
            raise InputError(f"{folder}: cannot keep the scores ({error.strerror or error})") from None
        kept.append(row.model_copy(update={"predictions": scores.relative_to(folder).as_posix(), "name": ""}))
    return add_rows(folder / LEDGER, kept)


def keep_recipe(recipe: Recipe, folder: Path) -> Path:
    """Write a recipe under its fingerprint, from which ``medauc train --recipe`` can train it again.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / "recipes" / f"{fingerprint(recipe)}.yaml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        values = recipe.model_dump(mode="json", exclude={"description"})
        write_text_atomically(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))
    return path


def kept_recipe(row: Row, folder: Path) -> Recipe | None:
    """The recipe of a row, where it was kept."""
    path = folder / "recipes" / f"{row.fingerprint}.yaml"
    return parse_recipe(read_recipe(path), str(path)) if row.fingerprint and path.is_file() else None


def current_title(row: Row, folder: Path) -> str:
    """What tables call the recipe: by its difference from what ships now, which may not be what shipped back then."""
    recipe = kept_recipe(row, folder)
    if recipe is None:
        return row.title
    family, changes = closest_shipped(row.dataset, recipe)
    return row.model_copy(update={"name": "", "recipe": family, "changes": "; ".join(changes)}).title


def _keep_scores(predictions: Predictions, row: Row, folder: Path) -> Path:
    """Write the table, scores in single precision where that loses nothing."""
    table = predictions.frame.copy()
    for _, score in pairs(predictions.labels):
        single = table[score].astype(np.float32)
        if (single == table[score]).all():
            table[score] = single
    text = table.to_csv(index=False, lineterminator="\n")
    content = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = folder / f"{row.flag}-{row.fingerprint}-seed{row.seed}-{content}.csv.gz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:  # no time stamp: the same scores are the same bytes
            table.to_csv(
                temporary, index=False, lineterminator="\n", compression={"method": "gzip", "mtime": 0}
            )
    return path
