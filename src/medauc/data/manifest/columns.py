"""Which column of a manifest means what: named by the recipe, or told from its usual names."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medauc.errors import InputError

Value = str | int | float

_USUAL_NAMES = {
    "path": (
        "path",
        "file",
        "file_path",
        "file_name",
        "image_path",
        "image_file",
        "image",
    ),
    "target": ("target", "label", "class", "diagnosis", "y", "y_true", "ground_truth"),
    "id": ("id", "sample_id", "image_id"),
    "group": ("group", "patient", "patient_id", "subject", "subject_id", "case_id"),
    "split": ("split", "set", "subset", "partition"),
}
_LABEL = "target_"


@dataclass(frozen=True)
class ColumnsSpec:
    """Columns of a manifest by meaning; what is None is told from the usual names of such columns.

    Attributes:
        path: Column of the image files, relative to the root.
        target: Column of the one target.
        targets: Columns of several targets, one a label.
        id: Column of unique names; the paths are the ids without one.
        group: Column of patients; every image is its own patient without one.
        split: Column of splits: train, val, test.
        positive: Values of ``target`` that mean 1. Without ``negative`` all others mean 0.
        negative: Values of ``target`` that mean 0; rows with a value in neither list are left out.
        keep: Further columns that reach ``predictions.csv``; None keeps all but those that are named as if they
            said who a patient is.

    Raises:
        InputError: Keys that exclude each other, or a value that is both positive and negative.
    """

    path: str | None = None
    target: str | None = None
    targets: tuple[str, ...] = ()
    id: str | None = None
    group: str | None = None
    split: str | None = None
    positive: tuple[Value, ...] = ()
    negative: tuple[Value, ...] = ()
    keep: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.target is not None and self.targets:
            raise InputError("columns: target names one column, targets several; give one of the two")
        if self.targets and (self.positive or self.negative):
            raise InputError("columns: positive and negative are for one target; several hold 0 and 1")
        if self.negative and not self.positive:
            raise InputError("columns: negative needs positive, the values of the target that mean 1")
        both = sorted({plain(value) for value in self.positive} & {plain(value) for value in self.negative})
        if both:
            raise InputError(f"columns: {both[0]!r} is both positive and negative")


@dataclass(frozen=True)
class Columns:
    """Columns of one manifest by meaning, with the names that they have there.

    Attributes:
        path: The files.
        target: The one target; None with several or none.
        targets: Column of each label by the label's name; empty with one target or none.
        id: None where the paths are the ids.
        group: None where the ids are the groups.
        split: None where splits are made.
        notes: What was told from names, in sentences.
    """

    path: str
    target: str | None
    targets: dict[str, str]
    id: str | None
    group: str | None
    split: str | None
    notes: tuple[str, ...]

    @property
    def used(self) -> set[str]:
        """Names of all columns that mean something."""
        single = {self.path, self.target, self.id, self.group, self.split} - {None}
        return {name for name in single if name is not None} | set(self.targets.values())


def find_columns(
    header: Sequence[str], spec: ColumnsSpec, where: str, *, needs_target: bool = True
) -> Columns:
    """Find the columns of a manifest.

    Args:
        header: Names of its columns.
        spec: What the recipe says.
        where: What to name in an error.
        needs_target: Whether a manifest without targets is refused.

    Raises:
        InputError: A column that is named and not there, named twice, or needed and not found.

    >>> found = find_columns(["file", "Patient-ID", "label"], ColumnsSpec(), "x.csv")
    >>> found.path, found.group, found.target, found.notes[0]
    ('file', 'Patient-ID', 'label', "Column 'file' is taken for the path.")
    """
    _require_there(header, spec, where)
    labels = {name.removeprefix(_LABEL): name for name in spec.targets}
    taken = {
        name for name in (spec.path, spec.target, spec.id, spec.group, spec.split, *spec.targets) if name
    }
    found = dict[str, str | None]()
    notes = list[str]()
    for meaning in _USUAL_NAMES:
        named: str | None = getattr(spec, meaning)
        if named is None and not (meaning == "target" and labels):
            named = _usual(meaning, [name for name in header if name not in taken])
            if named is not None and named != meaning:
                notes.append(f"Column {named!r} is taken for the {meaning}.")
        found[meaning] = named
        taken |= {named} if named else set()
    if found["target"] is None and not labels:
        labels = {
            name.removeprefix(_LABEL): name for name in header if name.startswith(_LABEL) and name != _LABEL
        }
    path = found["path"]
    if path is None:
        raise InputError(f"{where} has no column of paths; {_name_it('path', header)}")
    if found["target"] is None and not labels and needs_target:
        raise InputError(f"{where} has no column of targets; {_name_it('target', header)}")
    return Columns(path, found["target"], labels, found["id"], found["group"], found["split"], tuple(notes))


def plain(value: Value) -> str:
    """Text of a cell or of a value in a recipe, so that 1, "1.0" and " 1" are equal; "" for blank and NaN.

    >>> plain(4), plain(" 4.0"), plain("benign "), plain("nan")
    ('4', '4', 'benign', '')
    """
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return "" if number != number else f"{number:.15g}"


def _usual(meaning: str, header: Iterable[str]) -> str | None:
    by_letters = {_letters(name): name for name in reversed(list(header))}
    return next(
        (by_letters[name] for name in map(_letters, _USUAL_NAMES[meaning]) if name in by_letters), None
    )


def _letters(name: str) -> str:
    """A name without case, blanks and marks: "Patient-ID" is patient_id."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _require_there(header: Sequence[str], spec: ColumnsSpec, where: str) -> None:
    named = [getattr(spec, meaning) for meaning in _USUAL_NAMES]
    wanted = [name for name in (*named, *spec.targets) if name is not None]
    absent = [name for name in (*wanted, *(spec.keep or ())) if name not in header]
    if absent:
        raise InputError(f"{where} has no column {', '.join(map(repr, absent))}; it has {_listed(header)}")
    twice = sorted({name for name in wanted if wanted.count(name) > 1})
    if twice:
        raise InputError(f"{where}: column {twice[0]!r} is given two meanings in data.columns")


def _name_it(meaning: str, header: Sequence[str]) -> str:
    several = " (or several: --set data.columns.targets=[A,B])" if meaning == "target" else ""
    return f"name it: --set data.columns.{meaning}=NAME{several}; there are {_listed(header)}"


def _listed(header: Sequence[str]) -> str:
    return ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
