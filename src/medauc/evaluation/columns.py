"""Names of the columns of a table of scores: medauc's own, and those that others commonly use."""

from collections.abc import Iterable, Mapping, Sequence

from medauc.errors import InputError

_ALIASES = {
    "target": ("y_true", "y", "label", "labels", "truth", "ground_truth", "class", "gt", "diagnosis"),
    "score": (
        "y_score",
        "y_prob",
        "y_pred",
        "y_hat",
        "prob",
        "proba",
        "probability",
        "prediction",
        "pred",
        "logit",
    ),
    "split": ("fold", "set", "subset", "partition"),
    "group": ("patient", "patient_id", "patientid", "subject", "subject_id", "case_id"),
    "id": ("name", "image", "image_id", "image_name", "filename", "file", "sample", "sample_id"),
}


def pair(label: str | None) -> tuple[str, str]:
    """Name the columns of target and score of a label (``None``: the one without a name).

    >>> pair("edema")
    ('target_edema', 'score_edema')
    """
    return ("target", "score") if label is None else (f"target_{label}", f"score_{label}")


def pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Name the columns of all labels; with none, of the one target without a name."""
    return [pair(label) for label in labels] or [pair(None)]


def find_labels(header: Sequence[str], where: str) -> tuple[str, ...]:
    """Find the labels of a table; none when it has one target without a name.

    Raises:
        InputError: A column is missing; offers ``--columns`` where one of another name may be meant.

    >>> find_labels(["id", "target_a", "score_a"], "x.csv")
    ('a',)
    """
    if {"target", "score"} <= set(header):
        return ()
    labels = tuple(name.removeprefix("target_") for name in header if name.startswith("target_"))
    missing = [name for names in pairs(labels) for name in names if name not in header]
    if missing:
        listed = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
        raise InputError(
            f"{where} lacks the column {', '.join(missing)}; it has: {listed}{_guess(missing, header)}"
        )
    return labels


def unused(header: Sequence[str]) -> list[str]:
    """Tell of columns that look like an id, a group or a split, where the table has none of that name.

    >>> unused(["target", "score", "Patient"])
    ["Column 'Patient' is not taken for the group; if it is: --columns group=Patient."]
    """
    found = _alike((name for name in ("split", "group", "id") if name not in header), header)
    return [
        f"Column {own!r} is not taken for the {name}; if it is: --columns {name}={own}."
        for name, own in found.items()
    ]


def _guess(missing: Iterable[str], header: Sequence[str]) -> str:
    named = ",".join(f"{name}={own}" for name, own in _alike(missing, header).items())
    return f"; if that is what they hold: --columns {named}" if named else ""


def _alike(wanted: Iterable[str], header: Sequence[str]) -> dict[str, str]:
    by_lower = {name.lower(): name for name in reversed(header)}
    return {
        name: by_lower[alias]
        for name in wanted
        for alias in reversed((name, *_ALIASES.get(name, ())))
        if alias in by_lower
    }


def rename(header: Sequence[str], columns: Mapping[str, str], where: str) -> list[str]:
    """Give the columns of a file medauc's names.

    Args:
        header: The names in the file.
        columns: The file's name by medauc's name; the file's own column of medauc's name yields.
        where: What to name in an error.

    Raises:
        InputError: A named column is not there, or a name occurs twice.

    >>> rename(["label", "score"], {"target": "label"}, "x.csv")
    ['target', 'score']
    """
    absent = [own for own in columns.values() if own not in header]
    if absent:
        raise InputError(f"{where} has no column {', '.join(map(repr, absent))}; it has: {', '.join(header)}")
    mine = {own: name for name, own in columns.items()}
    renamed = [mine.get(name, f"{name} (file)" if name in columns else name) for name in header]
    repeated = sorted({name for name in renamed if renamed.count(name) > 1})
    if repeated:
        raise InputError(f"{where} has more than one column named {', '.join(map(repr, repeated))}")
    return renamed


def parse_columns(settings: Iterable[str]) -> dict[str, str]:
    """Read what ``--columns`` says.

    Raises:
        InputError: Not of the form ``target=label,score=prob``, or a name given twice.

    >>> parse_columns(["target=label,score=prob", "id=file"])
    {'target': 'label', 'score': 'prob', 'id': 'file'}
    """
    found: dict[str, str] = {}
    for part in (part for setting in settings for part in setting.split(",")):
        name, equals, own = (piece.strip() for piece in part.partition("="))
        if not (name and equals and own) or name in found or own in found.values():
            raise InputError(f"--columns: expected target=label,score=prob with each name once, got {part!r}")
        found[name] = own
    return found
