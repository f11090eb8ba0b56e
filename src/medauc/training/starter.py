"""A first manifest and recipe for a folder of images, to be edited: what was seen, what was proposed and why."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml

from medauc.data.manifest.targets import as_yaml, assignment, is_negative_word
from medauc.data.survey import Facts, Survey
from medauc.errors import InputError
from medauc.files import save_text
from medauc.training.plan import shipped_text
from medauc.training.recipe import parse_recipe

MANIFEST, RECIPE = "manifest.csv", "recipe.yaml"
_KINDS = {2: "images", 3: "volumes"}
_SIZES = {2: (28, 64, 128, 224), 3: (16, 28, 48, 64)}
_AIR = -900.0  # Hounsfield units lie below this only outside the body
_NEARLY_ALL = 0.95  # share of images that must be CT before its window is proposed for all
_ANISOTROPY = 1.2  # largest over smallest spacing, above which voxels should be made equal


def write_starter(survey: Survey, out: Path) -> tuple[Path, ...]:
    """Write ``manifest.csv`` and ``recipe.yaml``; none ever over a file that is there.

    Args:
        survey: What the folder holds.
        out: Folder for them.

    Returns:
        The two, and the table of those images that are of the other kind, ``volumes.csv`` or ``images.csv``, where
        there are such.

    Raises:
        InputError: One of them is there already, or they cannot be written.
    """
    manifest, recipe = out / MANIFEST, out / RECIPE
    tables = {manifest: survey.table}
    if len(survey.others):
        tables[out / _other_table(survey)] = survey.others
    require_free(out, *(path.name for path in tables))
    text = recipe_text(survey, out)
    parse_recipe(_values(text), str(recipe))  # what is proposed must be valid
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{out}: cannot be made ({error.strerror}); name another folder with --out"
        ) from None
    for path, table in tables.items():
        save_text(path, table.to_csv(index=False, lineterminator="\n"))
    save_text(recipe, text)
    return manifest, recipe, *list(tables)[1:]


def require_free(out: Path, *names: str) -> None:
    """Refuse a folder that holds a manifest, a recipe or another of these names already.

    Raises:
        InputError: Which of them it holds, and what to do.
    """
    for name in dict.fromkeys((MANIFEST, RECIPE, *names)):
        if (out / name).exists():
            use = f"train on it with medauc train {out / MANIFEST}, or " if name == MANIFEST else ""
            raise InputError(
                f"{out / name} is there already and is not overwritten; {use}name another folder with --out"
            )


def recipe_text(survey: Survey, out: Path) -> str:
    """YAML of a recipe whose section ``data`` says what was seen; the other sections are the general recipe's."""
    facts = survey.facts
    kind = f"{facts.spatial_dims}d"
    shipped = shipped_text("default", kind).splitlines()
    rest = "\n".join(line for line in shipped if not line.startswith(("#", "description:")))
    head = [
        f"# Made by medauc init from {len(survey.table)} images; edit what is not right.",
        *_comment(seen(survey)),
    ]
    data = ["data:", *_indented(_root(survey, out) + _data(survey))]
    return "\n".join([*head, *data, "", f"# From here on as the recipe default/{kind}.", rest, ""])


def seen(survey: Survey) -> list[str]:
    """What was seen, in lines."""
    facts = survey.facts
    what = _KINDS[facts.spatial_dims]
    formats = ", ".join(f"{name} ({n})" for name, n in facts.formats.most_common() if name)
    found = [f"{len(survey.table)} {what}, {facts.read} of them read: {formats}"]
    found.append(f"sizes {_range_text(facts.sizes)} pixels")
    if len(survey.others):
        names, kind = survey.others["path"].tolist(), _other_kind(survey)
        found.append(
            f"MIXED: {len(names)} {kind[:-1] if len(names) == 1 else kind} beside them, for another network: listed in "
            f"{_other_table(survey)} and left out here: {_some(names)}"
        )
    if facts.spacings is not None:
        found.append(f"spacings {_range_text(facts.spacings)} mm")
    named = {name: n for name, n in facts.modalities.items() if name}
    bits = {f"{bits} bits": n for bits, n in facts.bits.items()}
    for title, counts in (("modality", named), ("orientation", facts.orientations), ("depth", bits)):
        if counts:
            found.append(f"{title}: " + ", ".join(f"{name} ({n})" for name, n in sorted(counts.items())))
    if facts.refused:
        count = sum(map(len, facts.refused.values()))
        reasons = "; ".join(f"{_some(names)}: {reason}" for reason, names in list(facts.refused.items())[:3])
        found.append(f"NOT READ: {count} of {facts.read + count}: {reasons}")
    if survey.left_out is not None:
        found.append(f"NO IMAGES: {survey.left_out}")
    classes = ", ".join(f"{name} ({n})" for name, n in survey.classes.items())
    found.append(
        f"classes, told from folders: {classes}" if classes else "no classes told: fill in the column target"
    )
    if survey.lost:
        gone = ", ".join(f"{name} ({n})" for name, n in survey.lost.items())
        found.append(f"CLASS LOST: {gone}, of which there are {_other_kind(survey)} alone, left out here")
    patients = survey.table["group"].nunique() if "group" in survey.table else 0
    if survey.patients.source is not None:
        found.append(f"patients: {patients}, told from {survey.patients.source}; CHECK the column group")
    else:
        found.append("patients: not told; if one has several images, add a column group")
    if survey.patients.doubt is not None:
        found.append(f"DOUBT: {survey.patients.doubt}")
    if "split" in survey.table:
        found.append("splits told from folders")
    return found


def next_steps(survey: Survey, written: Sequence[Path]) -> list[str]:
    """What to do with the files that :func:`write_starter` wrote, in lines; the last trains, where it can."""
    manifest, recipe, *others = written
    steps = [_other_step(survey, table) for table in others]
    if survey.lost and len(survey.classes) < 2:
        what = _KINDS[survey.facts.spatial_dims]
        return [*steps, f"no training yet: {what} of {' and '.join(survey.lost)} are missing"]
    if not survey.classes:
        steps.append(f"fill in the column target of {manifest} (0 or 1, or two names), then")
    files = f"{shlex.quote(str(manifest))} --recipe {shlex.quote(str(recipe))}"
    return [*steps, f"check the data: medauc audit {files}", f"train: medauc train {files}"]


def _other_step(survey: Survey, table: Path) -> str:
    """How to train on those of the other kind."""
    kind, names = _other_kind(survey), list(survey.other_classes)
    if len(names) == 1:
        return f"the {kind}: all are {names[0]}, so there is nothing to learn from them yet"
    command = f"medauc train {shlex.quote(str(table))}"
    if table.parent.resolve() != survey.folder.resolve():
        command += f" --root {shlex.quote(str(survey.folder))}"
    if names:
        positive = as_yaml(_positive(names))
        two = len(names) == 2
        key, value = ("positive_class", positive) if two else ("columns.positive", f"[{positive}]")
        command += " " + assignment(f"data.{key}", value)
    blank = "" if names else " (with the column target filled in)"
    return f"the {kind}{blank}: {command}"


def _other_kind(survey: Survey) -> str:
    """What those images are that most are not."""
    return _KINDS[2 if survey.facts.spatial_dims == 3 else 3]


def _other_table(survey: Survey) -> str:
    return f"{_other_kind(survey)}.csv"


def _data(survey: Survey) -> list[str]:
    facts = survey.facts
    spacing = _spacing(facts)
    lines = [f"size: {_size(facts, spacing)}  # pixels a side that the network sees; larger costs more time"]
    names = list(survey.classes)
    if len(names) == 2:
        lines.append(
            f"positive_class: {_quoted(_positive(names))}  # which of {' and '.join(names)} is to be found"
        )
    elif len(names) > 2:
        chosen = _quoted(_positive(names))
        lines.append(f"columns: {{positive: [{chosen}]}}  # of {', '.join(names)}: against all others")
    if "split" not in survey.table:
        lines.append(
            "split: {val: 0.15, test: 0.15, seed: 0}  # or order_by: a date, or by: a site with test_values; "
            "delete the line to use a column split"
        )
    lines.append("preparation:")
    if spacing is not None:
        lines += [
            f"  spacing: {spacing:g}  # mm; volumes are resampled to it,",
            "  fit: crop_pad  # then cut or padded to the size: how large things are stays visible",
        ]
    else:
        lines.append("  fit: resize  # stretched to the size; crop_pad keeps proportions")
    if len(facts.orientations) > 1:
        lines.append(
            f"  orientation: {facts.orientations.most_common(1)[0][0]}  # volumes are stored in several"
        )
    return [*lines, *_intensity(facts)]


def _intensity(facts: Facts) -> list[str]:
    if facts.lowest <= _AIR and facts.like_ct >= _NEARLY_ALL * facts.read:
        return [
            "  intensity: [-1000, 400]  # CT, it seems; or lung, soft_tissue, bone, brain, liver, [low, high]"
        ]
    if set(facts.modalities) == {"MR"}:
        return ["  intensity: zscore  # MR has no units: standardised image by image; or percentile"]
    return ["  intensity: auto  # 8-bit as it is, else DICOM's window or percentiles; or [low, high]"]


def _spacing(facts: Facts) -> float | None:
    """One spacing for volumes that have several, or voxels that are longer than wide; as fine as the size allows."""
    if facts.spacings is None or facts.spatial_dims == 2:
        return None
    low, middle, high = facts.spacings
    if max(high) / min(low) <= _ANISOTROPY:
        return None
    extent = max(size * mm for size, mm in zip(facts.sizes[1], middle, strict=True))
    return round(max(min(middle), extent / _SIZES[3][-1]), 1) or 0.1


def _size(facts: Facts, spacing: float | None) -> int:
    """The largest usual size that the median image fills; where nothing is stretched, the smallest that holds it."""
    sizes = _SIZES[facts.spatial_dims]
    if spacing is None or facts.spacings is None:
        return max([size for size in sizes if size <= max(facts.sizes[1])], default=sizes[0])
    longest = max(n * mm / spacing for n, mm in zip(facts.sizes[1], facts.spacings[1], strict=True))
    return min([size for size in sizes if size >= round(longest)], default=sizes[-1])


def _positive(names: Sequence[str]) -> str:
    """The class that is meant to be found: the last that has no usual word for a negative finding."""
    return next((name for name in reversed(names) if not is_negative_word(name)), names[-1])


def _root(survey: Survey, out: Path) -> list[str]:
    same = out.resolve() == survey.folder.resolve()
    return (
        [] if same else [f"root: {_quoted(str(survey.folder.resolve()))}  # paths of the manifest start here"]
    )


def _range_text(values: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]) -> str:
    low, middle, high = ("x".join(f"{value:.4g}" for value in row) for row in values)
    return middle if low == high else f"{low} to {high}, median {middle}"


def _comment(lines: Sequence[str]) -> list[str]:
    return [f"# Seen: {lines[0]}", *(f"#   {line}" for line in lines[1:])]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _values(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)
    return found


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
