"""From an audit to one self-contained HTML page with the pairs shown side by side."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medauc import __version__
from medauc.audit import Audited
from medauc.audit.document import DuplicatePair
from medauc.audit.grids import shrink, to_bytes
from medauc.audit.text import verdict
from medauc.evaluation.comparison_text import p_text
from medauc.files import save_text
from medauc.report.audit_plots import nearest_plot
from medauc.report.images import png_data_uri, views
from medauc.report.page import Plot, asset, environment, plotly_script

_MOST_SHOWN = {"exact": 24, "near": 24, "similar": 12}  # pairs with pictures; audit.json lists all
_MOST_LISTED = 200
_SAMPLES = 6  # a split
_SIDE = 96  # pixels of a picture


@dataclass(frozen=True)
class ShownPair:
    """A pair of duplicates with the pictures of both, as ``(name, data URI)``."""

    pair: DuplicatePair
    first: list[tuple[str, str]]
    second: list[tuple[str, str]]


def write_audit_page(path: Path | str, audited: Audited) -> None:
    """Write :func:`build_audit_page`'s page to ``path``, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    save_text(path, build_audit_page(audited))


def build_audit_page(audited: Audited) -> str:
    """Render the page.

    Args:
        audited: What :func:`medauc.audit.audit_collection` returned; images are asked for the pictures shown.

    Returns:
        HTML that needs no other file and no network. Text from outside is escaped.

    >>> from medauc.audit import audit_collection, collection_of
    >>> from medauc.data import load_dataset, PhantomSpec
    >>> data = load_dataset("phantom2d", size=12, phantom=PhantomSpec(n_train=60, n_val=20, n_test=20))
    >>> page = build_audit_page(audit_collection(collection_of(data)))
    >>> "<h1>Audit of phantom2d</h1>" in page
    True
    """
    audit = audited.audit
    drawn = nearest_plot(audit)
    notes = Counter(note for fact in audited.facts for note in fact.notes)
    return (
        environment()
        .get_template("audit.html.jinja")
        .render(
            audit=audit,
            verdict=verdict(audit),
            nearest=None
            if drawn is None
            else Plot(
                "How alike images are",
                "likeness of each image's most similar other one as thumbnails, exact copies counted once; pictures "
                "that occur twice stand apart on the right",
                drawn,
            ),
            pairs=_shown(audited),
            samples=_samples(audited),
            failures=audit.failures[:_MOST_LISTED],
            notes=notes.most_common(_MOST_LISTED),
            p_text=p_text,
            version=__version__,
            style=asset("report.css"),
            script=asset("report.js"),
            plotly=plotly_script(),
        )
    )


def picture(pixels: NDArray[np.generic], colour: bool) -> NDArray[np.uint8]:
    """Turn an image into bytes to look at, no side longer than 96 pixels.

    Bytes stay as they are but for shrinking; other types are scaled between their 1st and 99th percentile.

    >>> picture(np.arange(4, dtype=np.uint8).reshape(2, 2), False).tolist()
    [[0, 1], [2, 3]]
    """
    values = np.asarray(pixels)
    if values.dtype != np.uint8:
        finite = values[np.isfinite(values)]
        low, high = np.quantile(finite, (0.01, 0.99)) if finite.size else (0.0, 0.0)
        values = to_bytes(np.clip(np.nan_to_num(values.astype(np.float32), nan=low), low, high)[None])[0]
    planes = np.moveaxis(values, -1, 0) if colour else values[None]
    sides = tuple(min(side, _SIDE) for side in planes.shape[1:])
    if sides != planes.shape[1:]:
        planes = np.rint(shrink(planes, sides)).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1) if colour else planes[0])


def _shown(audited: Audited) -> list[ShownPair]:
    place = {str(name): row for row, name in enumerate(audited.collection.ids)}
    left = dict(_MOST_SHOWN)
    found = []
    for pair in audited.audit.duplicates.pairs:
        if left[pair.kind] > 0:
            left[pair.kind] -= 1
            both = (_pictures(audited, place[name]) for name in (pair.first, pair.second))
            found.append(ShownPair(pair, *both))
    return found


def _samples(audited: Audited) -> dict[str, list[tuple[str, str]]]:
    """A few images of each split, evenly spaced among its readable ones."""
    readable = np.array([fact.error is None for fact in audited.facts], dtype=np.bool_)
    found = {}
    for split in audited.collection.split_names:
        rows = np.flatnonzero((audited.collection.splits == split) & readable)
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, _SAMPLES).astype(int))] if len(rows) else rows
        found[split] = [
            (str(audited.collection.ids[row]), _pictures(audited, row)[0][1]) for row in chosen.tolist()
        ]
    return found


def _pictures(audited: Audited, row: int) -> list[tuple[str, str]]:
    """Pictures of an image; its thumbnail where the file has gone since it was measured."""
    try:
        seen = picture(*audited.collection.images.pixels(row))
    except Exception:  # one file must not end the page
        thumbnail = audited.facts[row].thumbnail
        seen = np.zeros((1, 1), np.uint8) if thumbnail is None else thumbnail
    return [(name, png_data_uri(view)) for name, view in views(seen)]
