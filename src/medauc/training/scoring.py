"""Evaluating predictions: those of a training as its recipe says, or a table from anywhere."""

from pathlib import Path

from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions, evaluate
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder


def evaluate_as(recipe: Recipe, predictions: Predictions, positive_name: str | None) -> Evaluation:
    """Evaluate as the recipe's ``evaluation`` section says; ``positive_name`` is what target 1 means."""
    section = recipe.evaluation
    return evaluate(
        predictions,
        target_specificity=section.target_specificity,
        target_sensitivity=section.target_sensitivity,
        calibration=section.calibration,
        positive_name=positive_name,
    )


def evaluate_path(source: Path) -> tuple[Predictions, Evaluation]:
    """Evaluate a run folder, by its own recipe, or a table of scores from anywhere.

    Args:
        source: a run folder or a CSV file (:meth:`medauc.evaluation.Predictions.read`).

    Raises:
        InputError: no such path, not a run folder, or a table that cannot be evaluated.
    """
    if not source.exists():
        raise InputError(f"{source}: no such run folder or predictions file")
    if not source.is_dir():
        predictions = Predictions.read(source)
        try:
            return predictions, evaluate(predictions)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
    run = RunFolder(source)
    recipe, provenance = run.read_recipe()
    if not run.predictions.exists():
        raise InputError(
            f"{source}: this run has no predictions.csv yet; finish it with "
            f"medauc train {provenance.dataset} --resume --out {source}"
        )
    predictions = Predictions.read(run.predictions)
    return predictions, evaluate_as(recipe, predictions, provenance.positive_class)
