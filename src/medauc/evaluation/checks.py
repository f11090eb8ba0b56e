"""What a table of scores must satisfy beyond the form of its cells."""

from typing import TYPE_CHECKING

import pandas as pd

from medauc.errors import InputError

if TYPE_CHECKING:
    from medauc.evaluation.predictions import Predictions


def check_ids(frame: pd.DataFrame, where: str) -> None:
    """Raise InputError when an id occurs twice in one split (each split may count its own from the start)."""
    if not frame["id"].duplicated().any():
        return
    repeated = frame[frame.duplicated(["split", "id"])]
    if len(repeated):
        first = ", ".join(repr(str(name)) for name in repeated["id"].drop_duplicates()[:3])
        split = repeated["split"].iloc[0]
        raise InputError(f"{where}: {len(repeated)} ids repeat within a split, in {split!r} for one: {first}")


def check_leakage(frame: pd.DataFrame, where: str) -> None:
    """Raise InputError when a group occurs in two splits, unless the groups are just the ids."""
    if frame["split"].nunique() < 2 or frame["group"].equals(frame["id"]):
        return
    places = frame[["group", "split"]].drop_duplicates()
    spanning = places[places["group"].duplicated(keep=False)]
    if len(spanning):
        first = spanning["group"].iloc[0]
        splits = " and ".join(spanning.loc[spanning["group"] == first, "split"])
        raise InputError(
            f"{where}: {spanning['group'].nunique()} groups occur in more than one split, {first!r} in {splits} "
            "for one, so test is not independent; mend the splits, or accept it with --allow-leakage"
        )


def require_evaluable(predictions: "Predictions", where: str, split: str = "test") -> None:
    """Raise InputError unless a split has something to evaluate, in one label at least.

    Args:
        predictions: The table.
        where: What to name in an error.
        split: The split that is to be evaluated.

    Raises:
        InputError: No rows in the split, fewer than two positives or negatives, or one score for all.
    """
    part = predictions.select(split)
    if not part.n:
        held = ", ".join(predictions.splits)
        raise InputError(f"{where}: no row with split {split!r}, only {held}; an evaluation needs such rows")
    labels: tuple[str | None, ...] = part.labels or (None,)
    usable = [label for label in labels if min(part.class_sizes(label)) >= 2]
    if not usable:
        positives, negatives = part.class_sizes(labels[0])
        found = f"{positives} positives and {negatives} negatives" if labels == (None,) else "no such label"
        raise InputError(
            f"{where}: the {split} split needs two positives and negatives at least, it has {found}; "
            "add cases of that class, or check which value is positive"
        )
    if all((score := part.known(label)[1]).min() == score.max() for label in usable):
        value = f"{part.known(usable[0])[1][0]:g}"
        raise InputError(
            f"{where}: all {part.n} scores of the {split} split are {value}: they rank nothing; "
            "check which column holds the scores"
        )
