"""Sentences of the methods paragraph on folds, seeds and refits."""

from collections.abc import Iterator

from medauc.training import Recipe
from medauc.training.sections.ensemble import EnsembleSection


def ensemble_sentences(recipe: Recipe) -> Iterator[str]:
    """Say how several networks made one score; nothing for a single one.

    >>> from medauc.training import parse_recipe
    >>> print(next(ensemble_sentences(parse_recipe({"ensemble": {"members": 3}}, ""))))
    This was done 3 times with other random numbers.
    """
    section = recipe.ensemble
    if section.is_single:
        return
    times = "" if section.members == 1 else f" {section.members} times with other random numbers"
    if section.folds is None:
        yield f"This was done{times}."
    else:
        yield (
            f"Training and validation samples were pooled and split into {section.folds} folds, {_made(section)}, "
            f"with all samples of a patient in one fold. For each fold this was done{times}, the fold serving as "
            "validation set and all others for training."
        )
    if section.refit:
        yield (
            "Then training was repeated on the whole pool for the median number of epochs that the folds had chosen, "
            "and only these networks scored the test set."
        )
    yield (
        "Scores of each network were standardised by their mean and standard deviation on samples it was not trained "
        "on, and averaged over networks."
        if not section.refit
        else "Scores were standardised by their mean and standard deviation on the folds held out, and averaged."
    )


def _made(section: EnsembleSection) -> str:
    if section.folds_by is not None:
        return f"each of other values of {section.folds_by}"
    if section.folds_order_by is not None:
        return f"blocks in the order of {section.folds_order_by}"
    return "stratified by target"


def chosen_on(recipe: Recipe | None) -> str:
    """What thresholds and calibration come from."""
    if recipe is None or recipe.ensemble.folds is None:
        return "the validation set"
    return "the out-of-fold scores of the pool"
