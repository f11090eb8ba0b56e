"""Several classes, of which every sample has one: read as one label a class, against the rest."""

from collections.abc import Sequence

import pandas as pd

from medauc.errors import InputError

_SCORE = "score_"


def find_classes(header: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes of a table with one ``target`` and a ``score_<class>`` for each; none otherwise.

    >>> find_classes(["id", "target", "score_benign", "score_malignant"])
    ('benign', 'malignant')
    """
    classes = tuple(name.removeprefix(_SCORE) for name in header if name.startswith(_SCORE))
    return classes if "target" in header and "score" not in header and len(classes) > 1 else ()


def one_against_rest(frame: pd.DataFrame, classes: tuple[str, ...], where: str) -> pd.DataFrame:
    """Replace ``target``, the name of a class or its number from 0, by a ``target_<class>`` of 0 or 1 for each.

    Args:
        frame: The table as read.
        classes: Names of the classes, numbered in the order of their score columns.
        where: What to name in an error.

    Raises:
        InputError: A target that is no class.

    >>> table = pd.DataFrame({"target": ["1", "0"], "score_a": [0.1, 0.2], "score_b": [0.3, 0.4]})
    >>> one_against_rest(table, ("a", "b"), "x.csv")["target_b"].tolist()
    [1, 0]
    """
    target = frame["target"].astype(str).str.strip()
    numbers = {str(number): name for number, name in enumerate(classes)}
    if not target.isin(classes).all():
        strange = sorted(set(target) - set(numbers))
        if strange:
            raise InputError(
                f"{where}: target {strange[0]!r} is none of the classes {', '.join(classes)} that have scores, "
                f"nor a number from 0 to {len(classes) - 1}; correct it, or add its column score_{strange[0]}"
            )
        target = target.map(numbers)
    made = {f"target_{name}": (target == name).astype(int) for name in classes}
    return frame.drop(columns="target").assign(**made)
