"""What is known of an image without looking at what it shows: the features that a shortcut would use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medauc.audit.facts import ImageFacts

Kind = Literal["acquisition", "border", "column"]
MOST_LEVELS = 50  # values of a category beyond which it is taken for a name
LEAST_NUMBERS = 10  # distinct numbers from which a column counts as a quantity
AXES = {2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True, eq=False)
class Feature:
    """One feature of all images.

    Attributes:
        name: as a reader would call it.
        kind: "acquisition" (size, spacing, file, scanner), "border" (outermost pixels) or "column" (of the manifest).
        values: float64, shape (N,): the quantity, or the number of its level; NaN where unknown.
        levels: names of the levels of a category; None for a quantity.
    """

    name: str
    kind: Kind
    values: NDArray[np.float64]
    levels: tuple[str, ...] | None = None


def features_of(facts: Sequence[ImageFacts], columns: Mapping[str, NDArray[np.str_]]) -> list[Feature]:
    """All features that vary, of images that were read and columns beside them.

    Args:
        facts: of all images, N.
        columns: further columns, N strings each. Names (nearly all values distinct, and no numbers) are left out.

    >>> from medauc.audit.facts import facts_of_images
    >>> facts = [*facts_of_images(np.eye(8)[None] * 9), *facts_of_images(np.eye(12)[None] * 9)]
    >>> for feature in features_of(facts, {"view": np.array(["AP", "PA"])}):
    ...     print(feature.name, feature.levels)
    height (pixels) None
    width (pixels) None
    border pixels, mean None
    padding, share of pixels None
    view ('AP', 'PA')
    """
    found = [*_sizes(facts), *_file_features(facts), *_edges(facts)]
    found += [feature for name in columns if (feature := _column(name, columns[name])) is not None]
    return [feature for feature in found if _varies(feature.values)]


def _sizes(facts: Sequence[ImageFacts]) -> list[Feature]:
    """Pixels, spacing and extent along each axis; an image of other axes has none of them."""
    dims = _most_common([len(fact.shape) for fact in facts if fact.shape])
    if dims not in AXES:
        return []
    nothing = (np.nan,) * dims
    shapes = np.array(
        [fact.shape if len(fact.shape) == dims else nothing for fact in facts], dtype=np.float64
    )
    spacings = np.array(
        [fact.spacing if fact.spacing and len(fact.spacing) == dims else nothing for fact in facts]
    )
    unit = "pixels" if dims == 2 else "voxels"
    found = []
    for axis, name in enumerate(AXES[dims]):
        found.append(Feature(f"{name} ({unit})", "acquisition", shapes[:, axis]))
        found.append(Feature(f"spacing along {name} (mm)", "acquisition", spacings[:, axis]))
        if np.isfinite(spacings[:, axis]).any():
            found.append(Feature(f"{name} (mm)", "acquisition", shapes[:, axis] * spacings[:, axis]))
    if dims == 3:
        found.append(Feature("number of voxels", "acquisition", shapes.prod(axis=1)))
        if np.isfinite(spacings[:, 0]).any():
            found.append(Feature("volume (mm3)", "acquisition", (shapes * spacings).prod(axis=1)))
    return found


def _file_features(facts: Sequence[ImageFacts]) -> list[Feature]:
    """What file, header and scanner say."""
    found = [
        Feature("file size (bytes)", "acquisition", _numbers([fact.file_bytes for fact in facts])),
        Feature("bits of a pixel", "acquisition", _numbers([fact.bits for fact in facts])),
        Feature(
            "pixels that are not finite, share", "acquisition", 1.0 - np.array([f.finite for f in facts])
        ),
    ]
    texts = {
        "orientation": [fact.orientation or "" for fact in facts],
        "modality": [fact.modality or "" for fact in facts],
        "file type": [fact.file_type or "" for fact in facts],
        "colour": ["" if fact.error else "colour" if fact.colour else "grey" for fact in facts],
    }
    keys = list(dict.fromkeys(key for fact in facts for key in fact.tags))
    texts |= {f"tag {key}": [fact.tags.get(key, "") for fact in facts] for key in keys}
    columns = (_column(name, np.array(values), "acquisition") for name, values in texts.items())
    return found + [feature for feature in columns if feature is not None]


def _edges(facts: Sequence[ImageFacts]) -> list[Feature]:
    return [
        Feature("corner pixels, mean", "border", np.array([fact.corner for fact in facts])),
        Feature("border pixels, mean", "border", np.array([fact.border for fact in facts])),
        Feature("padding, share of pixels", "border", np.array([fact.padding for fact in facts])),
    ]


def _column(name: str, texts: NDArray[np.str_], kind: Kind = "column") -> Feature | None:
    """A quantity where all texts are numbers of many values, a category where they have few; else None."""
    filled = np.char.strip(texts.astype(np.str_))
    known = filled != ""
    numbers = np.full(len(filled), np.nan)
    try:
        numbers[known] = filled[known].astype(np.float64)
    except ValueError:
        numbers[:] = np.nan
    if known.any() and np.isfinite(numbers[known]).all() and len(np.unique(numbers[known])) >= LEAST_NUMBERS:
        return Feature(name, kind, numbers)
    levels, place = np.unique(filled, return_inverse=True)
    if len(levels) > min(MOST_LEVELS, max(2, len(filled) // 5)):
        return None
    return Feature(name, kind, place.astype(np.float64), tuple(str(level) or "(none)" for level in levels))


def _numbers(values: Sequence[int | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _varies(values: NDArray[np.float64]) -> bool:
    """Two distinct values, unknown counted as one."""
    return len(np.unique(np.nan_to_num(values, nan=-np.inf))) > 1


def _most_common(values: Sequence[int]) -> int:
    return max(set(values), key=values.count, default=0)
